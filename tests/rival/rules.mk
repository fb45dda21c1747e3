# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# make check-rival: a Linux guest's log here and on genuine Xen. Not part of make check, as nothing here: it fetches a
# hundred megabytes of packages the first time, and it boots a Linux dom0.

$(B)/tests/rival/cpuid: tests/rival/cpuid.c
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D); $(HOSTCC) -std=gnu11 -O2 -static $(WARN) $< -o $@

.PHONY: check-rival
check-rival: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane $(B)/dom0 $(B)/dom0.rd $(B)/tests/rival/cpuid
	$(Q)BUILD=$(B) $(PYTHON) tests/rival/check.py

$(B)/tests/rival/moved: tests/rival/moved.c
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D); $(HOSTCC) -std=gnu11 -O2 -static $(WARN) $< -o $@

# Saved domains cross between genuine Xen and here.
.PHONY: check-rival-migration
check-rival-migration: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane $(B)/dom0 $(B)/guest64/pattern $(B)/tests/rival/moved
	$(Q)BUILD=$(B) $(PYTHON) tests/rival/moving.py

# Genuine xl in a Linux dom0 on Paravane.
.PHONY: check-rival-tools
check-rival-tools: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane $(B)/tests/rival/moved
	$(Q)BUILD=$(B) $(PYTHON) tests/rival/tools.py

# How long a guest stands still, beside genuine Xen with shadow paging, which is built from Debian's source the first time.
.PHONY: bench-migration
bench-migration: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane $(B)/dom0 $(B)/tests/rival/moved
	$(Q)BUILD=$(B) $(PYTHON) tests/rival/downtime.py $(COLUMNS)

# Genuine xentrace in a Linux dom0 on Paravane, and xenalyze.
.PHONY: check-rival-tracing
check-rival-tracing: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane
	$(Q)BUILD=$(B) $(PYTHON) tests/rival/tracing.py
