# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

DEVICES_SOURCES := $(addprefix dom0-tools/devices/,backend.c states.c nodes.c attach.c)
