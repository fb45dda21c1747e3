# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The flat image as one section, followed by room for what it expects zeroed. IMAGE_FILE, IMAGE_ENTRY and
# IMAGE_BSS come from the build.

    .section .image, "awx", @progbits
    .globl container_entry
    .set container_entry, IMAGE_ENTRY
    .incbin IMAGE_FILE

    .section .bss, "aw", @nobits
    .skip IMAGE_BSS
