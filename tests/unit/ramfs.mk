# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Files in memory and the tree of paths, on the host.

$(eval $(call unit_test,ramfs,tests/unit/test_ramfs.c guest-pv/libc/ramfs.c guest-pv/libc/mounts.c guest-pv/libc/files.c,-idirafter guest-pv/include))
