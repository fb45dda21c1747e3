# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
$(eval $(call unit_test,layout,tests/unit/test_layout.c dom0-tools/builder/layout.c,))
