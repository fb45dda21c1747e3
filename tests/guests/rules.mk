# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Kernels that test the hypervisor from inside: build/guest32/test-NAME and build/guest64/test-NAME. Each prints
# "NAME: N passed, N failed".

GUEST_TESTS := library traps mmu events grants control vcpu

define guest_test
$(eval $(call guest_program,test-$(1),tests/guests/$(1).c tests/guests/check.c tests/guests/raw32.S,32))
$(eval $(call guest_program,test-$(1),tests/guests/$(1).c tests/guests/check.c tests/guests/raw64.S,64))
endef
$(foreach t,$(GUEST_TESTS),$(call guest_test,$(t)))
