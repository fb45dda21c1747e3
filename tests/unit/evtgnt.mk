# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

EVTGNT_REAL := $(wildcard hypervisor/domain/evtchn*.c hypervisor/domain/grant*.c) hypervisor/hypercall/guest_access.c
EVTGNT_FLAGS := -Ihypervisor/include -Ihypervisor -Itests/unit -include tests/unit/evtgnt_platform.h -include tests/unit/other_cpu.h
EVTGNT_FAKE := tests/unit/evtgnt_fake.c tests/unit/other_cpu.c $(EVTGNT_REAL)
$(eval $(call unit_test,evtchn,tests/unit/test_evtchn.c $(EVTGNT_FAKE),$(EVTGNT_FLAGS)))
$(eval $(call unit_test,evtchn_fifo,tests/unit/test_evtchn_fifo.c $(EVTGNT_FAKE),$(EVTGNT_FLAGS)))
$(eval $(call unit_test,grant,tests/unit/test_grant.c tests/unit/grant_fixture.c $(EVTGNT_FAKE),$(EVTGNT_FLAGS)))
$(eval $(call unit_test,grant_copy,tests/unit/test_grant_copy.c tests/unit/grant_fixture.c $(EVTGNT_FAKE),$(EVTGNT_FLAGS)))
$(eval $(call unit_test,grant_table,tests/unit/test_grant_table.c tests/unit/grant_fixture.c $(EVTGNT_FAKE),$(EVTGNT_FLAGS)))
$(eval $(call unit_test,grant_races,tests/unit/test_grant_races.c $(EVTGNT_FAKE),$(EVTGNT_FLAGS)))
$(eval $(call unit_test,evtgnt_limits,tests/unit/test_evtgnt_limits.c tests/unit/guest_faults.c $(EVTGNT_FAKE),\
    $(EVTGNT_FLAGS) -D_GNU_SOURCE))
