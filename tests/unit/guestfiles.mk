# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The RAM disk's file system and the kernel library's formatting, on the host.

$(eval $(call unit_test,guestfiles,tests/unit/test_guestfiles.c guest-pv/libc/files.c guest-pv/core/format.c,))
