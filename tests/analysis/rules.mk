# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Static analysis: gcc -fanalyzer, clang's analyzer and cppcheck over the hypervisor, dom0's tools and the guests' library.
# A finding is mended, or explained in explained.tsv.

ANALYSIS_HV = $(filter-out -g $(WARN) -O% $(HV_GCC) -fno-jump-tables,$(HV_CFLAGS))
ANALYSIS_GUEST = $(filter-out -g $(WARN) -O%,$(GUEST_CFLAGS32))

.PHONY: check-analysis
check-analysis: | $(GEN_HEADERS)
	@echo 'Three static analysers; every finding mended or explained:'
	$(Q)tests/analysis/check.py $(B)/analysis --hypervisor '$(ANALYSIS_HV)' --guest '$(ANALYSIS_GUEST)'
CHECKS += check-analysis
