# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
$(eval $(call unit_test,vane,tests/unit/test_vane.c dom0-tools/vane/lineedit.c dom0-tools/vane/words.c,))
