# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

MIGRATION_SOURCES := $(sort $(wildcard dom0-tools/migration/*.c))
