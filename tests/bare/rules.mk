# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The kernel without a library, build/guest32/bare-NAME and build/guest64/bare-NAME: one for each way to tell the domain
# builder about itself (notes.S). They run as dom0, as guests that vane created, and beside genuine Xen.

BARE_VARIANTS := minimal offset sections apart legacy
BARE_HIGH32 := 0xc0000000
BARE_HIGH64 := 0xffffffff80000000
# By variant: where it is linked, and by how much less its physical addresses are.
bare_base = $(if $(filter minimal,$(2)),0,$(BARE_HIGH$(1)))
bare_offset = $(if $(filter sections apart,$(2)),$(BARE_HIGH$(1)),0)
bare_defines = -DVARIANT='"$(2)"' -DVARIANT_$(2) -DVIRT_BASE=$(bare_base) -DLOAD_OFFSET=$(bare_offset) \
               $(if $(filter apart,$(2)),,-DPAGED)
BARE_MACHINE32 := -m32 -march=i686
BARE_MACHINE64 := -m64 -mno-red-zone -mcmodel=kernel
BARE_FLAGS := -std=gnu11 -O2 $(GUEST_CODE) -mno-sse -mno-mmx $(WARN) -nostdinc -isystem $(GUEST_COMPILER_INCLUDE) -I. -I$(B)/gen
BARE_EMULATION32 := elf_i386
BARE_EMULATION64 := elf_x86_64

# width, variant
define bare_kernel
$(B)/guest$(1)/bare-$(2): tests/bare/bare.c tests/bare/entry.S tests/bare/notes.S tests/bare/link.lds | $(GEN_HEADERS)
	$$(call say,BARE$(1),$$@)
	$(Q)mkdir -p $(B)/guest$(1)/bare
	$(Q)for part in bare.c entry.S notes.S; do $(CC) $(BARE_MACHINE$(1)) $(BARE_FLAGS) $(bare_defines) \
	    -c -o $(B)/guest$(1)/bare/$(2)-$$$$part.o tests/bare/$$$$part || exit 1; done
	$(Q)$(CC) -E -P -x c -undef $(bare_defines) -o $(B)/guest$(1)/bare/$(2).lds tests/bare/link.lds
	$(Q)$(GUEST_LD) -m $(BARE_EMULATION$(1)) -nostdlib -static --build-id=none -z noexecstack -z max-page-size=4096 \
	    --no-warn-rwx-segments -T $(B)/guest$(1)/bare/$(2).lds -o $$@ $(B)/guest$(1)/bare/$(2)-*.o
BARE_KERNELS += $(B)/guest$(1)/bare-$(2)
endef
$(foreach w,32 64,$(foreach v,$(BARE_VARIANTS),$(eval $(call bare_kernel,$(w),$(v)))))
ALL += $(BARE_KERNELS)

$(B)/tests/bare.rd: scripts/ramdisk.py tests/guests/test.cfg $(BARE_KERNELS)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) scripts/ramdisk.py $@ tests/test.cfg=tests/guests/test.cfg \
	    $(foreach k,$(BARE_KERNELS),tests/$(subst /,-,$(k:$(B)/%=%))=$(k))

.PHONY: check-bare
check-bare: $(B)/paravane $(B)/dom0 $(B)/tests/bare.rd $(BARE_KERNELS)
	@echo 'A kernel without a library, loaded in every way, as dom0 and as a guest:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --cpus 1 $(BARE_KERNELS)
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/bare.rd --cpus 1 $(BARE_KERNELS)

CHECKS += check-bare
