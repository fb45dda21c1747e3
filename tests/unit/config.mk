# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
$(eval $(call unit_test,config,tests/unit/test_config.c $(CONFIG_CORE),))
