# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
$(eval $(call unit_test,balloon,tests/unit/test_balloon.c dom0-tools/vane/balloon.c,))
