# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# make soak: four Linux guests under load and fifty minimal ones for MINUTES, then a search for what they left behind.
# make soak-migration: guests of all kinds saved and restored, and migrated, COUNT times each; then the same search.
# make soak-kills: ROUNDS of guests and commands that are cut short at moments which follow from SEED.
# make soak-memory: every single allocation of dom0 fails, one after the other, in each of the commands that matter (or
# POINTS of them, from FIRST to LAST, in the command ONLY), and allocations of the hypervisor while a domain is saved live,
# restored, given memory.

MINUTES ?= 60
COUNT ?= 100

.PHONY: soak soak-migration
soak-migration: setup all
	$(Q)BUILD=$(B) $(PYTHON) tests/soak/migration.py $(COUNT)

soak: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane $(B)/dom0 $(B)/guest32/ticker $(B)/guest64/ticker $(B)/dom0.rd
	$(Q)BUILD=$(B) $(PYTHON) tests/soak/soak.py $(MINUTES)

.PHONY: soak-kills soak-memory
soak-kills: ROUNDS ?= 1000
soak-kills: SEED ?= $(shell date +%s)
soak-memory: $(FAULTS_GUESTS)
soak-kills soak-memory: $(B)/paravane $(B)/paravane.elf64 $(B)/tests/system/dom0-heap $(B)/dom0.rd
soak-kills:
	@echo 'soak-kills: SEED=$(SEED) ROUNDS=$(ROUNDS)'
	$(Q)BUILD=$(B) SEED=$(SEED) ROUNDS=$(ROUNDS) FIRST=$(or $(FIRST),0) TEST_SECONDS=86400 \
	    $(PYTHON) -m pytest -q --tb=short -p no:cacheprovider tests/system/test_kills.py

soak-memory:
	$(Q)BUILD=$(B) POINTS=$(or $(POINTS),0) FIRST=$(FIRST) LAST=$(LAST) TEST_SECONDS=86400 $(PYTHON) -m pytest -q \
	    --tb=short -p no:cacheprovider $(and $(ONLY),-k '[$(ONLY)]') tests/system/test_dom0_memory.py tests/system/test_faults.py
