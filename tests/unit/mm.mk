# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Frames, page tables and the heap, over a machine whose RAM is an array.

MM_UNIT_FILES := tests/unit/mm_fake.c tests/unit/other_cpu.c \
    $(addprefix hypervisor/mm/,frame.c entry.c validate.c buddy.c alloc.c owner.c descriptor.c reservation.c \
    relinquish.c ptwr.c walk.c audit.c linear.c exchange.c mmu_update.c granthost.c shadow.c logdirty.c)
MM_UNIT_FLAGS := -include tests/unit/mm_host.h -include tests/unit/other_cpu.h -Ihypervisor/include -Ihypervisor \
    -Itests/unit -fno-builtin
$(eval $(call unit_test,mm_frames,tests/unit/test_mm_frames.c tests/unit/mm_fixture.c $(MM_UNIT_FILES),$(MM_UNIT_FLAGS)))
$(eval $(call unit_test,mm_audit,tests/unit/test_mm_audit.c $(MM_UNIT_FILES),$(MM_UNIT_FLAGS)))
$(eval $(call unit_test,mm_heap,tests/unit/test_mm_heap.c $(MM_UNIT_FILES),$(MM_UNIT_FLAGS)))
$(eval $(call unit_test,mm_linear,tests/unit/test_mm_linear.c $(MM_UNIT_FILES),$(MM_UNIT_FLAGS)))
$(eval $(call unit_test,mm_races,tests/unit/test_mm_races.c $(MM_UNIT_FILES),$(MM_UNIT_FLAGS)))
$(eval $(call unit_test,mm_shadow,tests/unit/test_mm_shadow.c $(MM_UNIT_FILES),$(MM_UNIT_FLAGS)))
$(eval $(call unit_test,mm_shadow32,tests/unit/test_mm_shadow32.c $(MM_UNIT_FILES),$(MM_UNIT_FLAGS)))
$(eval $(call unit_test,mm_special,tests/unit/test_mm_special.c tests/unit/mm_fixture.c $(MM_UNIT_FILES),$(MM_UNIT_FLAGS)))
$(eval $(call unit_test,mm_updates,tests/unit/test_mm_updates.c $(MM_UNIT_FILES),$(MM_UNIT_FLAGS)))
$(eval $(call unit_test,mm_reservation,tests/unit/test_mm_reservation.c tests/unit/guest_faults.c \
    $(MM_UNIT_FILES),$(MM_UNIT_FLAGS) -D_GNU_SOURCE))
