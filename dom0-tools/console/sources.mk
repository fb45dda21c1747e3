# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The console backend. CONSOLE_CORE makes no hypercalls: host tests build it as it is.

CONSOLE_CORE := $(addprefix dom0-tools/console/,ring.c table.c)
CONSOLE_SOURCES := $(CONSOLE_CORE) dom0-tools/console/backend.c
