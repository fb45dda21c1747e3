# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The example guests. RAMDISK_KERNELS (name=file pairs) go to /boot of dom0's RAM disk, RAMDISK_CONFIGS to /examples.
# Debian's Linux is among them where the set-up step could fetch it (scripts/linux-image).

EXAMPLES := hello ticker ring balloon rogue disk ping

$(foreach e,$(EXAMPLES),$(eval $(call guest_program,$(e),examples/$(e)/$(e).c,32 64)))

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

$(B)/linux/initrd: scripts/initramfs.py $(LINUX)/release $(shell find examples/linux/root -type f)
	$(call say,CPIO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) $< $@ $(LINUX)/busybox $(LINUX)/modules '$(LINUX_RELEASE)' examples/linux/root $(LINUX_MODULES)
