# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The example guests. RAMDISK_KERNELS (name=file pairs) go to /boot of dom0's RAM disk, RAMDISK_CONFIGS to /examples.
# Debian's Linux is among them where the set-up step could fetch it (scripts/linux-image).

EXAMPLES := hello ticker ring balloon rogue disk ping pattern

$(foreach e,$(EXAMPLES),$(eval $(call guest_program,$(e),$(sort $(wildcard examples/$(e)/*.c)),32 64)))

RAMDISK_KERNELS := $(foreach e,$(EXAMPLES),$(e)32=$(B)/guest32/$(e) $(e)64=$(B)/guest64/$(e))
RAMDISK_CONFIGS := $(sort $(wildcard examples/*/*.cfg))

LINUX := $(B)/cache/linux
LINUX_RELEASE := $(shell cat $(LINUX)/release 2>/dev/null)
LINUX_MODULES := xen-blkfront xen-netfront

ifeq ($(LINUX_RELEASE),)
RAMDISK_CONFIGS := $(filter-out examples/linux/%,$(RAMDISK_CONFIGS))
else
RAMDISK_KERNELS += vmlinuz=$(LINUX)/vmlinuz initrd=$(B)/linux/initrd
endif

# Programs of Linux guests, which need no library there.
LINUX_PROGRAMS := $(patsubst examples/linux/programs/%.c,$(B)/linux/programs/%,$(wildcard examples/linux/programs/*.c))

$(B)/linux/programs/%: examples/linux/programs/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -Os -static -s $(WARN) -Werror -o $@ $<

$(B)/linux/initrd: scripts/initramfs.py $(LINUX)/release $(shell find examples/linux/root -type f) $(LINUX_PROGRAMS)
	$(call say,CPIO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) $< $@ $(LINUX)/busybox $(LINUX)/modules '$(LINUX_RELEASE)' examples/linux/root $(LINUX_MODULES) $(LINUX_PROGRAMS)

# Disk images of the examples (pairs name=file), for /images.
BLANK_IMAGES := scratch $(if $(LINUX_RELEASE),linux linux2)
RAMDISK_IMAGES := $(foreach i,$(BLANK_IMAGES),$(i).img=$(B)/images/blank.img) $(foreach w,32 64,grub-disk$(w).img=$(B)/images/grub-disk$(w).img)

$(B)/images/blank.img: examples/rules.mk
	$(Q)mkdir -p $(@D); rm -f $@; truncate -s 8M $@

# What GRUB's disks hold, as name=file; Linux is on the 64-bit one where it is at hand.
GRUB_DISK32 := boot/grub/grub.cfg=examples/grub/menu32 boot/hello=$(B)/guest32/hello
GRUB_DISK64 := boot/grub/grub.cfg=examples/grub/menu64 boot/hello=$(B)/guest64/hello
ifneq ($(LINUX_RELEASE),)
GRUB_DISK64 += boot/vmlinux.gz=$(LINUX)/vmlinuz boot/initrd=$(B)/linux/initrd
endif

define grub_disk
$(B)/images/grub-disk$(1).img: scripts/diskimage.py scripts/bzimage.py $(B)/dom0.choice $(foreach p,$(GRUB_DISK$(1)),$(lastword $(subst =, ,$(p))))
	$$(call say,DISK,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)$(PYTHON) $$< $$@ 1024 grub$(1) $(GRUB_DISK$(1))
endef
$(foreach w,32 64,$(eval $(call grub_disk,$(w))))
