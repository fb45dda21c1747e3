# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# make soak: four Linux guests under load and fifty minimal ones for MINUTES, then a search for what they left behind.
# make soak-migration: guests of all kinds saved and restored, and migrated, COUNT times each; then the same search.

MINUTES ?= 60
COUNT ?= 100

.PHONY: soak soak-migration
soak-migration: setup all
	$(Q)BUILD=$(B) $(PYTHON) tests/soak/migration.py $(COUNT)

soak: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane $(B)/dom0 $(B)/guest32/ticker $(B)/guest64/ticker $(B)/dom0.rd
	$(Q)BUILD=$(B) $(PYTHON) tests/soak/soak.py $(MINUTES)
