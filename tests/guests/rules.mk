# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Kernels that test the hypervisor from inside: build/guest32/test-NAME and build/guest64/test-NAME. Each prints
# "NAME: N passed, N failed". tests/guests/run boots them as dom0.

GUEST_TESTS := library

$(foreach t,$(GUEST_TESTS),$(eval $(call guest_program,test-$(t),tests/guests/$(t).c tests/guests/check.c,32 64)))
