# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Traces. TRACE_CORE makes no hypercalls: host tests build it as it is.

TRACE_CORE := $(addprefix dom0-tools/trace/,ring.c story.c account.c names.c write.c flame.c timeline.c xentrace.c)
TRACE_SOURCES := $(TRACE_CORE)
