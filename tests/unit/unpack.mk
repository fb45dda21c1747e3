# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
$(eval $(call unit_test,unpack,tests/unit/test_unpack.c dom0-tools/builder/unpack.c dom0-tools/builder/inflate.c tests/unit/workspace_host.c,))
