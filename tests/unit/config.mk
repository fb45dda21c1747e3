# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
$(eval $(call unit_test,config,tests/unit/test_config.c dom0-tools/config/config.c dom0-tools/config/domain_config.c dom0-tools/config/cpu_map.c dom0-tools/config/disk.c dom0-tools/config/vif.c,))
