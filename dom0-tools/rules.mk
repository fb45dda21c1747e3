# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The embedded dom0: one image (32-bit, DOM0=64 makes it 64-bit) of store daemon, console backend, domain builder and
# command line, and its RAM disk of kernels and configurations. DOM0, GUESTS, the files in it and whether there is a Linux
# may change from one make to the next: a file holds the last values, and is touched when they change.

DOM0 ?= 32
GUESTS ?=

include dom0-tools/builder/sources.mk dom0-tools/coredump/sources.mk
-include dom0-tools/xenstored/sources.mk dom0-tools/console/sources.mk
include dom0-tools/devices/sources.mk dom0-tools/block/sources.mk dom0-tools/network/sources.mk \
        dom0-tools/machine/sources.mk dom0-tools/stream/sources.mk dom0-tools/migration/sources.mk \
        dom0-tools/trace/sources.mk

CONFIG_CORE := $(addprefix dom0-tools/config/,config.c domain_config.c settings.c settings_devices.c cpu_map.c disk.c vif.c)
LIBXL_JSON_SOURCES := $(CONFIG_CORE) $(addprefix dom0-tools/config/,json_tree.c libxl_json_members.c libxl_json_devices.c \
                        libxl_json_read.c libxl_json_write.c)
LIBCTL_SOURCES := $(addprefix dom0-tools/libctl/,ctl_domain.c ctl_memory.c ctl_migrate.c ctl_system.c)
VANE_SOURCES := $(sort $(wildcard dom0-tools/vane/*.c))
DOM0_SOURCES := $(VANE_SOURCES) $(BUILDER_SOURCES) $(LIBXL_JSON_SOURCES) $(LIBCTL_SOURCES) $(XENSTORED_SOURCES) \
                $(CONSOLE_SOURCES) $(DEVICES_SOURCES) $(BLOCK_SOURCES) $(NETWORK_SOURCES) $(MACHINE_SOURCES) \
                $(COREDUMP_SOURCES) $(STREAM_SOURCES) $(MIGRATION_SOURCES) $(TRACE_SOURCES)

$(eval $(call guest_program,dom0,$(DOM0_SOURCES),32 64))

DOM0_CHOICE = $(DOM0) $(GUESTS) $(LINUX_RELEASE) $(if $(GUESTS),$(sort $(shell find $(GUESTS) -type f)))

.PHONY: dom0-force
$(B)/dom0.choice: dom0-force
	$(Q)mkdir -p $(B); echo '$(DOM0_CHOICE)' | cmp -s - $@ || echo '$(DOM0_CHOICE)' > $@

$(B)/dom0: $(B)/guest$(DOM0)/dom0 $(B)/dom0.choice
	$(call say,DOM0,$@ ($(DOM0)-bit))
	$(Q)cp $< $@

# Examples set RAMDISK_KERNELS (pairs name=file, for /boot) and RAMDISK_CONFIGS (for /examples) after this is read.
RAMDISK_GRUB := $(wildcard /usr/lib/grub-xen/grub-i386-xen.bin /usr/lib/grub-xen/grub-x86_64-xen.bin)
RAMDISK_BOOT = $(RAMDISK_KERNELS) $(foreach f,$(RAMDISK_GRUB),$(notdir $(f))=$(f))

.SECONDEXPANSION:
$(B)/dom0.rd: scripts/ramdisk.py scripts/bzimage.py $(B)/dom0.choice $(RAMDISK_GRUB) \
              $$(foreach p,$$(RAMDISK_KERNELS),$$(lastword $$(subst =, ,$$(p)))) $$(RAMDISK_CONFIGS) \
              $$(foreach p,$$(RAMDISK_IMAGES),$$(lastword $$(subst =, ,$$(p)))) \
              $$(if $$(GUESTS),$$(shell find $$(GUESTS) -type f))
	$(call say,RAMDISK,$@$(if $(LINUX_RELEASE),, (without Linux: make setup fetches it)))
	$(Q)$(PYTHON) scripts/ramdisk.py $@ $(foreach p,$(RAMDISK_BOOT),boot/$(p)) $(foreach p,$(RAMDISK_IMAGES),images/$(p)) \
	    $(foreach c,$(RAMDISK_CONFIGS),examples/$(notdir $(c))=$(c)) $(if $(GUESTS),--directory guests=$(GUESTS))

ALL += $(B)/dom0 $(B)/dom0.rd

# The manual page: commands come from the table that help prints.
$(B)/docs/vane-manual: dom0-tools/manual/manual.c dom0-tools/vane/verbs.def
	$(Q)mkdir -p $(@D); $(HOSTCC) -std=gnu11 -Wall -Wextra -I. -o $@ $<

$(B)/docs/vane.1.scd: $(B)/docs/vane-manual
	$(Q)$< > $@

$(B)/docs/vane.1: $(B)/docs/vane.1.scd
	$(call say,SCDOC,$@)
	$(Q)scdoc < $< > $@

ALL += $(B)/docs/vane.1
