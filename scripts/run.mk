# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The bootable image and the machine it runs in.

CPUS ?= 2
MEM ?= 1024M
QEMU ?= qemu-system-x86_64
QEMU_MACHINE := -accel tcg -cpu max -smp $(CPUS) -m $(MEM) -no-reboot -nic none

.PHONY: iso run check

iso: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane.iso

# dom0 gets what its RAM disk asks for.
$(B)/iso/boot/grub/grub.cfg: scripts/grub.cfg $(B)/dom0.rd
	$(Q)mkdir -p $(@D); sed "s/@DOM0_MEM@/$$(cat $(B)/dom0.rd.memory)M/" $< > $@

$(B)/paravane.iso: $(B)/paravane $(B)/dom0 $(B)/dom0.rd $(B)/iso/boot/grub/grub.cfg
	$(call say,ISO,$@)
	$(Q)cp $(B)/paravane $(B)/dom0 $(B)/dom0.rd $(B)/iso/boot/ && \
	    grub-mkrescue --compress=no --fonts= --locales= --themes= -o $@ $(B)/iso >$@.log 2>&1 || { cat $@.log; exit 1; }

ALL += $(B)/paravane.iso

# The serial line is the terminal; Ctrl-A X ends the machine.
run: setup
	$(Q)$(MAKE) --no-print-directory $(B)/paravane.iso
	$(Q)$(QEMU) $(QEMU_MACHINE) -display none -serial mon:stdio -cdrom $(B)/paravane.iso

check: setup
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(MAKE) --no-print-directory run-checks
