# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The bootable image and the machine it runs in.

CPUS ?= 2
MEM ?= 1024M

.PHONY: iso run check
check: setup
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(MAKE) --no-print-directory run-checks
