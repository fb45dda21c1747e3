# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The parts of the domain builder that need no operating system: the hypervisor links the same files for dom0.

ELFIMAGE_SOURCES := dom0-tools/builder/elfimage.c dom0-tools/builder/elfnotes.c dom0-tools/builder/elfsymtab.c

BUILDER_SOURCES := $(ELFIMAGE_SOURCES) dom0-tools/builder/layout.c dom0-tools/builder/builder.c \
                   dom0-tools/builder/buildmem.c dom0-tools/builder/buildimage.c dom0-tools/builder/buildboot.c \
                   dom0-tools/builder/unpack.c dom0-tools/builder/inflate.c \
                   dom0-tools/builder/workspace.c
