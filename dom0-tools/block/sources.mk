# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

BLOCK_SOURCES := $(addprefix dom0-tools/block/,vbd.c connection.c io.c pages.c request.c volume.c volume_file.c transfer.c image.c)
