# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# make bench: the cost of each operation in instructions, beside genuine Xen in the same run.

BENCH_SOURCES := $(addprefix tests/bench/,bench.c mapping.c memory.c traps.c domains.c wake.c) \
                 $(BUILDER_SOURCES) $(LIBCTL_SOURCES)

$(eval $(call guest_program,bench,$(BENCH_SOURCES) tests/bench/handlers32.S,32))
$(eval $(call guest_program,bench,$(BENCH_SOURCES) tests/bench/handlers64.S,64))

.PHONY: bench
bench: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane $(B)/guest32/bench $(B)/guest64/bench
	$(Q)$(PYTHON) tests/bench/bench.py
