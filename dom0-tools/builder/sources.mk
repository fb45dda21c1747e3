# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The parts of the domain builder that need no operating system: the hypervisor links the same files for dom0.

ELFIMAGE_SOURCES := dom0-tools/builder/elfimage.c dom0-tools/builder/elfnotes.c dom0-tools/builder/elfsymtab.c
