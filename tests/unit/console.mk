# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

include dom0-tools/console/sources.mk
$(eval $(call unit_test,console,tests/unit/test_console.c $(CONSOLE_CORE),-Iinclude))
