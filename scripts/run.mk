# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The bootable image and the machine it runs in.

# As many jobs as there are processors, unless the user said how many.
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

CPUS ?= 2
MEM ?=
QEMU ?= qemu-system-x86_64
QEMU_MACHINE := -accel tcg -cpu max -smp $(CPUS) -m $(or $(MEM),$$(scripts/machine-memory $(B)/dom0.rd.memory)) -no-reboot -nic none

# What dom0 finds as /dev/vda, /dev/vdb ... and as eth0.
DISK ?=
NET ?=
comma := ,
QEMU_DISKS = $(foreach d,$(DISK),-drive if=virtio,file=$(d:%:ro=%),format=$(if $(filter %.qcow2 %.qcow2:ro,$(d)),qcow2,raw)$(if $(filter %:ro,$(d)),$(comma)readonly=on))
QEMU_NET = $(if $(NET),-netdev $(NET)$(comma)id=uplink -device virtio-net-pci$(comma)netdev=uplink$(comma)romfile=)

# A SATA drive: the BIOS reads it twice as fast as the IDE one of -cdrom.
QEMU_CDROM := -device ahci,id=sata -device ide-cd,bus=sata.0,drive=cdrom,bootindex=0 \
              -drive if=none,id=cdrom,media=cdrom,readonly=on,file=$(B)/paravane.iso

.PHONY: iso run run-pair check

iso: setup
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) $(B)/paravane.iso

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
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) $(B)/paravane.iso
	$(Q)for disk in $(DISK:%:ro=%); do test -e $$disk || { \
	    echo "DISK: there is no file $$disk; 'truncate -s 1G $$disk' makes an empty disk of 1 GiB" >&2; exit 1; }; done
	$(Q)$(QEMU) $(QEMU_MACHINE) $(QEMU_DISKS) $(QEMU_NET) -display none -serial mon:stdio $(QEMU_CDROM)

# Two machines; a disk is the same file to both, as live migration wants it: raw, and locked by neither.
run-pair: setup
	$(Q)$(MAKE) -s --no-print-directory $(PARALLEL) $(B)/paravane $(B)/dom0 $(B)/dom0.rd
	$(Q)scripts/run-pair $(B) $(DISK:%=--disk %) --dom0-mem $$(cat $(B)/dom0.rd.memory) -- $(QEMU) $(QEMU_MACHINE)

check: setup
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) all $(UNIT_TESTS)
	$(Q)$(MAKE) --no-print-directory run-checks
