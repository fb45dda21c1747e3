# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# System tests: QEMU over its serial line, as a person would use it.

.PHONY: check-system
check-system: $(B)/paravane $(B)/dom0 $(B)/dom0.rd $(B)/paravane.iso
	$(Q)$(PYTHON) -m pytest -q -p no:cacheprovider tests/system

CHECKS += check-system
