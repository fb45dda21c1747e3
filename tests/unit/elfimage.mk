# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
$(eval $(call unit_test,elfimage,tests/unit/test_elfimage.c dom0-tools/builder/elfimage.c dom0-tools/builder/elfnotes.c dom0-tools/builder/elfsymtab.c,))
