# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# How much of the files that keep the books the unit tests reach: the same tests, built once more with gcov's counters.
# build/coverage/report/index.html is gcovr's report, line by line.

COVERAGE_FLAGS := -std=gnu11 -g -O0 --coverage -Wall -Wextra -Wno-unused-parameter -I.

.PHONY: coverage check-coverage
coverage: | $(GEN_HEADERS)
	$(Q)find $(B)/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(Q)$(MAKE) --no-print-directory check-unit B=$(B)/coverage \
	    UNIT_CFLAGS='$(COVERAGE_FLAGS) -I$(B)/coverage/gen' >$(B)/coverage.log 2>&1 || { cat $(B)/coverage.log; exit 1; }

check-coverage: coverage
	@echo 'What the unit tests reach of the files that keep the books (at least 90 % of lines, 80 % of branches):'
	$(Q)tests/coverage/check.py $(B)/coverage
CHECKS += check-coverage
