# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# System tests: QEMU over its serial line, as a person would use it.

SYSTEM_PROBES := $(B)/tests/system/probe_entry $(B)/tests/system/probe_dom0

$(B)/tests/system/probe_entry: tests/system/probe_entry.S
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D); $(CC) -m32 -nostdlib -static -no-pie -Wl,-Ttext-segment=0x100000,--build-id=none,-N $< -o $@

$(B)/tests/system/probe_dom0: tests/system/probe_dom0.S
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D); $(CC) -m64 -nostdlib -static -no-pie -Wl,-Ttext-segment=0x100000,--build-id=none $< -o $@

# A dom0 that answers for its heap: the same objects, with the allocator wrapped.
HEAP_WRAPPED := _malloc_r _calloc_r _realloc_r _free_r malloc calloc realloc strdup strndup open

$(B)/tests/system/dom0-heap.elf: $(B)/guest32/dom0.elf $(B)/guest32/obj/tests/system/dom0_heap.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_LD) $(GUEST_LDFLAGS32) $(addprefix --wrap=,$(HEAP_WRAPPED)) -o $@ \
	    $(DOM0_SOURCES:%.c=$(B)/guest32/obj/%.o) $(B)/guest32/obj/tests/system/dom0_heap.o $(GUEST_LINK32)

$(B)/tests/system/dom0-heap: $(B)/tests/system/dom0-heap.elf
	$(Q)strip -s -o $@ $<

.PHONY: check-system
check-system: $(B)/paravane $(B)/paravane.elf64 $(B)/dom0 $(B)/dom0.rd $(B)/paravane.iso $(B)/guest64/dom0 \
              $(B)/tests/system/dom0-heap $(SYSTEM_PROBES) $(GUEST_TEST_KERNELS) $(NETWORK_GUESTS) \
              $(foreach w,32 64,$(B)/guest$(w)/test-store $(B)/guest$(w)/contain-nmi)
	@echo 'System tests: the machine booted, used, misused and measured over its serial line:'
	$(Q)BUILD=$(B) timeout --signal=INT --kill-after=20 1200 \
	    $(PYTHON) -m pytest -q --tb=short -p no:cacheprovider tests/system

CHECKS += check-system
