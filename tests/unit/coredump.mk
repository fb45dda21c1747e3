# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

include dom0-tools/coredump/sources.mk
$(eval $(call unit_test,coredump,tests/unit/test_coredump.c $(COREDUMP_CORE),-iquote .))
