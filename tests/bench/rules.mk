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

# What grows with the number of domains, and what must not: some minutes.
.PHONY: bench-scale plots
bench-scale: $(BENCH_PRODUCTS) $(B)/guest64/dom0 $(B)/dom0.rd
	$(Q)BUILD=$(B) $(PYTHON) tests/bench/bench.py --crowd
	$(Q)BUILD=$(B) $(PYTHON) tests/bench/scale.py

# The plots of docs/cost.md, from what make bench and make bench-scale left.
plots:
	$(Q)for plot in rows domains crowd; do \
	    gnuplot -e "data='$(B)/bench/$$plot.tsv'; output='docs/cost-$$plot.svg'" tests/bench/$$plot.gp && \
	    sed -i '1r tests/bench/licence.xml' docs/cost-$$plot.svg || exit 1; done
