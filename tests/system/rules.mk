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

.PHONY: check-system
check-system: $(B)/paravane $(B)/paravane.elf64 $(B)/dom0 $(B)/dom0.rd $(B)/paravane.iso $(B)/guest64/dom0 \
              $(SYSTEM_PROBES) $(GUEST_TEST_KERNELS) $(NETWORK_GUESTS) $(foreach w,32 64,$(B)/guest$(w)/test-store)
	@echo 'System tests: the machine booted, used, misused and measured over its serial line:'
	$(Q)BUILD=$(B) timeout --signal=INT --kill-after=20 1200 \
	    $(PYTHON) -m pytest -q --tb=short -p no:cacheprovider tests/system

CHECKS += check-system
