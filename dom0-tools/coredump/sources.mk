# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Core files of domains. format.c depends on nothing but the C library: a host test builds it as it is.

COREDUMP_CORE := dom0-tools/coredump/format.c
COREDUMP_SOURCES := $(COREDUMP_CORE) dom0-tools/coredump/coredump.c
