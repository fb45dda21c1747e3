# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# build/paravane: the hypervisor linked at its virtual address, flattened, and wrapped in an ELF32 container. It is
# linked twice: the second time with the table of its own symbols, which a backtrace needs.

HV_DIRS := boot cpu mm emulate domain sched hypercall control trace dev lib
HV_C := $(filter-out hypervisor/cpu/asm_offsets.c,$(foreach d,$(HV_DIRS),$(wildcard hypervisor/$(d)/*.c))) \
        $(wildcard dom0-tools/builder/elf*.c)
HV_S := $(filter-out hypervisor/boot/container.S,$(foreach d,$(HV_DIRS),$(wildcard hypervisor/$(d)/*.S)))
ifneq ($(SPECULATION),1)
HV_C := $(filter-out hypervisor/cpu/speculation.c,$(HV_C))
HV_S := $(filter-out hypervisor/cpu/entry_speculation.S,$(HV_S))
endif
HV_OBJ := $(HV_C:%.c=$(B)/hv/%.o) $(HV_S:%.S=$(B)/hv/%.o) $(B)/hv/gen/hypercall_table.o

HV_CC_INCLUDE := $(shell $(CC) -print-file-name=include 2>/dev/null)
HV_INCLUDES := -Ihypervisor/include -Ihypervisor -I. -I$(B)/gen -Ihypervisor/lib/libc $(if $(filter 1,$(SPECULATION)),-DSPECULATION)
HV_RETPOLINES := -mindirect-branch=thunk -mindirect-branch-register -mfunction-return=thunk -mharden-sls=all
# Fast where a guest's every operation passes, small elsewhere, smallest where a guest passes seldom or never: -Oz pays
# for bytes with instructions, about two in a hundred.
HV_HOT := $(addprefix $(B)/hv/hypervisor/,hypercall/multicall.o \
    mm/frame.o mm/entry.o mm/walk.o mm/va_mapping.o domain/evtchn.o cpu/pages.o)
HV_SELDOM := $(addprefix $(B)/hv/,dom0-tools/builder/% $(addprefix hypervisor/,boot/% control/% trace/% dev/% lib/log.o lib/printf.o \
    cpu/control_regs.o cpu/desc.o cpu/features.o cpu/msr.o cpu/smp.o \
    domain/context%.o domain/domain.o domain/grant.o domain/grant_ops.o domain/grant_transfer.o domain/sched_op.o domain/shutdown.o \
    emulate/gate.o emulate/port_io.o hypercall/callbacks.o hypercall/iret.o mm/audit.o mm/base.o mm/bootmem.o \
    mm/exchange.o mm/logdirty.o mm/memory_map.o mm/memory_op.o mm/pagemap.o mm/segments.o sched/policy.o sched/clock.o))
# The smallest code, but what the headers expand in place stays there (HV_SELDOM: include/percpu.h and lib.h).
HV_SMALL := $(addprefix $(B)/hv/hypervisor/,domain/evtchn_fifo.o domain/vcpu_op.o domain/version.o mm/alloc.o mm/linear.o \
    mm/mmuext.o mm/relinquish.o mm/reservation.o)
HV_OPTIMIZE = $(if $(filter $@,$(HV_HOT)),-O2 -falign-functions=1 $(HV_GCC_HOT),$(if $(filter $(HV_SELDOM),$@),\
    $(HV_SMALLEST) -DHV_SELDOM,$(if $(filter $@,$(HV_SMALL)),$(HV_SMALLEST),-Os)))

# Options that only gcc knows.
HV_GCC_HOT := $(if $(findstring clang,$(CC)),,-falign-jumps=1 -falign-loops=1)
HV_SMALLEST := $(if $(findstring clang,$(CC)),-Os,-Oz -fno-move-loop-invariants -fno-tree-loop-im \
    -fno-tree-dominator-opts -fno-caller-saves -fno-inline-functions-called-once -fno-if-conversion)
HV_GCC := $(if $(findstring clang,$(CC)),,-mpreferred-stack-boundary=3 -fno-ipa-sra $(if $(filter 1,$(SPECULATION)),$(HV_RETPOLINES)))
HV_CFLAGS = -std=gnu11 $(HV_OPTIMIZE) -g -m64 -ffreestanding -nostdinc -isystem $(HV_CC_INCLUDE) \
    -fPIE -mno-red-zone -mgeneral-regs-only $(HV_GCC) -fno-stack-protector -fno-asynchronous-unwind-tables \
    -fno-strict-aliasing -fno-common -fno-jump-tables -fno-delete-null-pointer-checks -fcf-protection=none \
    -ffunction-sections -fdata-sections $(WARN) $(HV_INCLUDES) -include hypervisor/include/visibility.h

$(B)/gen/asm-offsets.h: hypervisor/cpu/asm_offsets.c | $(GEN_HEADERS)
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D); $(CC) $(HV_CFLAGS) -MMD -MP -MF $@.d -MT $@ -S $< -o $@.s && \
	    sed -n 's/^.*\.ascii "\(#define [^"]*\)".*/\1/p' $@.s > $@

$(B)/hv/%.o: %.c | $(GEN_HEADERS)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D); $(CC) $(HV_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(B)/hv/%.o: %.S $(B)/gen/asm-offsets.h
	$(call say,AS,$@)
	$(Q)mkdir -p $(@D); $(CC) -m64 -D__ASSEMBLER__ $(HV_INCLUDES) $(DEPFLAGS) -c $< -o $@

$(B)/hv/gen/%.o: $(B)/gen/%.S
	$(call say,AS,$@)
	$(Q)mkdir -p $(@D); $(CC) -m64 $(HV_INCLUDES) -c $< -o $@

HV_LINK = $(CC) -m64 -nostdlib -static -no-pie -Wl,-T,hypervisor/boot/hypervisor.lds -Wl,--gc-sections \
    -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments

$(B)/hv/pass1.elf: $(HV_OBJ) hypervisor/boot/hypervisor.lds
	$(call say,LD,$@)
	$(Q)$(HV_LINK) $(HV_OBJ) -o $@

$(B)/hv/symbols.S: $(B)/hv/pass1.elf scripts/symbols.py
	$(call say,GEN,$@)
	$(Q)nm -nS $< | $(PYTHON) scripts/symbols.py > $@

$(B)/hv/symbols.o: $(B)/hv/symbols.S
	$(call say,AS,$@)
	$(Q)$(CC) -m64 -c $< -o $@

$(B)/paravane.elf64: $(HV_OBJ) $(B)/hv/symbols.o hypervisor/boot/hypervisor.lds
	$(call say,LD,$@)
	$(Q)$(HV_LINK) $(HV_OBJ) $(B)/hv/symbols.o -o $@

$(B)/hv/paravane.flat: $(B)/paravane.elf64
	$(call say,OBJCOPY,$@)
	$(Q)objcopy -O binary $< $@

# Physical entry and the room behind the flat image come from the linked file.
$(B)/paravane: $(B)/hv/paravane.flat hypervisor/boot/container.S hypervisor/boot/container.lds scripts/container.py
	$(call say,LD,$@)
	$(Q)nm $(B)/paravane.elf64 | $(PYTHON) scripts/container.py $< > $(B)/hv/container.h
	$(Q)$(CC) -m32 -include $(B)/hv/container.h -c hypervisor/boot/container.S -o $(B)/hv/container.o
	$(Q)ld -m elf_i386 -T hypervisor/boot/container.lds --no-warn-rwx-segments -z max-page-size=4096 $(B)/hv/container.o -o $@

# build/speculation/paravane: the same for CPUs that guess (docs/caveats.md). `make SPECULATION=1 B=DIR` builds it elsewhere.
.PHONY: speculation
speculation:
	$(Q)$(MAKE) --no-print-directory SPECULATION=1 B=$(B)/speculation $(B)/speculation/paravane

ALL += $(B)/paravane
