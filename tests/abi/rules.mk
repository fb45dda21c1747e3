# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Is abi/ what the reference headers of Debian's libxen-dev say? REFERENCE=DIR compares with another set of them.

REFERENCE ?= /usr/include

CHECKS += check-abi
.PHONY: check-abi
check-abi: $(ABI_GENERATED)
	$(Q)$(PYTHON) tests/abi/check.py . $(B) $(REFERENCE)

# The same contract, asked of the running hypervisor.
$(eval $(call guest_program,test-contract,tests/abi/contract.c,32 64))

CHECKS += check-contract
.PHONY: check-contract
check-contract: $(B)/paravane $(B)/guest32/test-contract $(B)/guest64/test-contract
	$(Q)$(PYTHON) tests/abi/contract.py $(B)
