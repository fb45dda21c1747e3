# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# build/paravane: the hypervisor linked at its virtual address, flattened, and wrapped in an ELF32 container.

HV_DIRS := boot cpu mm emulate domain sched hypercall control dev lib
HV_C := $(foreach d,$(HV_DIRS),$(wildcard hypervisor/$(d)/*.c)) $(wildcard dom0-tools/builder/elfimage.c)
HV_S := $(filter-out hypervisor/boot/container.S,$(foreach d,$(HV_DIRS),$(wildcard hypervisor/$(d)/*.S)))
HV_OBJ := $(HV_C:%.c=$(B)/hv/%.o) $(HV_S:%.S=$(B)/hv/%.o) $(B)/hv/gen/hypercall_table.o

HV_CFLAGS := -std=gnu11 -O2 -g -m64 -ffreestanding -nostdinc -isystem $(shell $(CC) -print-file-name=include) \
    -fPIE -fvisibility=hidden -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
    -fno-strict-aliasing -fno-common -fno-jump-tables -fno-delete-null-pointer-checks -fcf-protection=none \
    -ffunction-sections -fdata-sections $(WARN) -I. -Ihypervisor/include -I$(B)/gen -include hypervisor/include/visibility.h

$(B)/hv/%.o: %.c
	$(say CC,$@)mkdir -p $(@D); $(CC) $(HV_CFLAGS) $(DEPFLAGS) -c $< -o $@

ALL += $(B)/paravane
