# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

SCHED_FLAGS := -Ihypervisor/include -Ihypervisor -Itests/unit -include tests/unit/sched_platform.h
SCHED_REAL := $(addprefix hypervisor/sched/,sched.c policy.c timer.c heap.c)
$(eval $(call unit_test,sched,tests/unit/test_sched.c tests/unit/sched_fake.c $(SCHED_REAL),$(SCHED_FLAGS)))
$(eval $(call unit_test,sched_control,tests/unit/test_sched_control.c tests/unit/sched_fake.c $(SCHED_REAL),$(SCHED_FLAGS)))
$(eval $(call unit_test,heap,tests/unit/test_heap.c hypervisor/sched/heap.c,$(SCHED_FLAGS)))
$(eval $(call unit_test,timer,tests/unit/test_timer.c tests/unit/sched_fake.c $(SCHED_REAL),$(SCHED_FLAGS)))
$(eval $(call unit_test,clock,tests/unit/test_clock.c hypervisor/sched/clock.c,$(SCHED_FLAGS) \
    -include tests/unit/clock_machine.h))
$(eval $(call unit_test,context_width,tests/unit/test_context_width.c hypervisor/domain/context_width.c,$(SCHED_FLAGS)))
