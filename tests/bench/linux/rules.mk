# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# make bench-linux: the cost of a Linux guest's operations, beside the same guest on genuine Xen and on no hypervisor.

LAT_SOURCES := $(addprefix tests/bench/linux/,lat.c calls.c memory.c processes.c messages.c compute.c transfer.c)

$(B)/tests/bench/lat: $(LAT_SOURCES) tests/bench/linux/lat.h
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D); $(HOSTCC) -std=gnu11 -O2 -static $(WARN) $(LAT_SOURCES) -o $@ -pthread

.PHONY: bench-linux
bench-linux: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane $(B)/dom0 $(B)/dom0.rd $(B)/tests/bench/lat
	$(Q)BUILD=$(B) $(PYTHON) tests/bench/linux/bench_linux.py $(COLUMNS)
