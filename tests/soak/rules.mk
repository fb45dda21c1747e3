# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# make soak: four Linux guests under load and fifty minimal ones for MINUTES, then a search for what they left behind.

MINUTES ?= 60

.PHONY: soak
soak: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane $(B)/dom0 $(B)/guest32/ticker $(B)/guest64/ticker $(B)/dom0.rd
	$(Q)BUILD=$(B) $(PYTHON) tests/soak/soak.py $(MINUTES)
