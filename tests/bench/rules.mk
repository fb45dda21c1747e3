# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# make bench: the cost of each operation in instructions, beside genuine Xen in the same run.

BENCH_SOURCES := $(addprefix tests/bench/,bench.c mapping.c memory.c traps.c domains.c wake.c) \
                 $(BUILDER_SOURCES) $(LIBCTL_SOURCES)

$(eval $(call guest_program,bench,$(BENCH_SOURCES) tests/bench/handlers32.S,32))
$(eval $(call guest_program,bench,$(BENCH_SOURCES) tests/bench/handlers64.S,64))

BENCH_PRODUCTS := $(B)/paravane $(B)/guest32/bench $(B)/guest64/bench

.PHONY: bench check-bench bench-record
bench: setup
	$(Q)$(MAKE) --no-print-directory $(BENCH_PRODUCTS)
	$(Q)BUILD=$(B) $(PYTHON) tests/bench/bench.py

# Our own side alone: no row dearer than recorded.
check-bench: $(BENCH_PRODUCTS)
	$(Q)BUILD=$(B) $(PYTHON) tests/bench/bench.py --quick

bench-record: $(BENCH_PRODUCTS)
	$(Q)BUILD=$(B) $(PYTHON) tests/bench/bench.py --record "$(WHY)"

CHECKS += check-bench
