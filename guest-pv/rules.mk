# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The PV kernel library in both widths, newlib for it, and the macro with which other rooms link kernels:
#   $(eval $(call guest_program,NAME,sources,widths,extra compiler flags))
# gives build/guest32/NAME and build/guest64/NAME (stripped; NAME.elf beside it keeps the symbols).

GUEST_WIDTHS := 32 64
GUEST_LD ?= ld
GUEST_AR ?= ar

NEWLIB_TARBALL := $(firstword $(wildcard /usr/src/newlib/newlib-*.tar.xz))
NEWLIB_HOST32 := i686-elf
NEWLIB_HOST64 := x86_64-elf
NEWLIB_PREFIX32 := $(B)/cache/newlib32/$(NEWLIB_HOST32)
NEWLIB_PREFIX64 := $(B)/cache/newlib64/$(NEWLIB_HOST64)
NEWLIB_STAMP32 := $(B)/cache/newlib32/stamp
NEWLIB_STAMP64 := $(B)/cache/newlib64/stamp

# An interrupted kernel finds the bounce frame on its own stack: no red zone in ring 3 either.
# The compiler is the one for Linux programs, which these are not.
GUEST_SYSTEM := -Ulinux -U__linux -U__linux__ -U__gnu_linux__
GUEST_MACHINE32 := -m32 -march=i686 $(GUEST_SYSTEM)
GUEST_MACHINE64 := -m64 -mno-red-zone $(GUEST_SYSTEM)
GUEST_CODE := -ffreestanding -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables \
              -ffunction-sections -fdata-sections

$(NEWLIB_STAMP32) $(NEWLIB_STAMP64): $(B)/cache/newlib%/stamp: guest-pv/newlib/build.sh
	$(call say,NEWLIB,$*-bit (once; about half a minute))
	$(Q)mkdir -p $(B)/cache
	$(Q)guest-pv/newlib/build.sh $(abspath $(B)/cache/newlib$*) $(NEWLIB_HOST$*) "$(GUEST_MACHINE$*)" "$(NEWLIB_TARBALL)"
	$(Q)touch $@

GUEST_COMPILER_INCLUDE := $(shell $(CC) -print-file-name=include 2>/dev/null)
GUEST_LIBGCC32 := $(shell gcc -m32 -print-libgcc-file-name 2>/dev/null)
GUEST_LIBGCC64 := $(shell gcc -m64 -print-libgcc-file-name 2>/dev/null)

define guest_flags
GUEST_CPPFLAGS$(1) := -nostdinc -isystem $(NEWLIB_PREFIX$(1))/include -isystem $(GUEST_COMPILER_INCLUDE) \
                      -I. -Iinclude -Iguest-pv/include -I$(B)/gen
GUEST_CFLAGS$(1) := $(GUEST_MACHINE$(1)) -std=gnu11 -O2 -g $(GUEST_CODE) $(WARN) $$(GUEST_CPPFLAGS$(1))
GUEST_LIBS$(1) := $(B)/guest$(1)/libguestpv.a
GUEST_LDSCRIPT$(1) := guest-pv/arch/link$(1).lds
# After the objects: everything a kernel is linked with.
GUEST_LINK$(1) := --start-group $(B)/guest$(1)/libguestpv.a $(NEWLIB_PREFIX$(1))/lib/libc.a \
                  $(NEWLIB_PREFIX$(1))/lib/libm.a $(GUEST_LIBGCC$(1)) --end-group
GUEST_LDFLAGS$(1) := -m $(if $(filter 32,$(1)),elf_i386,elf_x86_64) -nostdlib -static --gc-sections --build-id=none \
                     -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments -T guest-pv/arch/link$(1).lds
endef
$(foreach w,$(GUEST_WIDTHS),$(eval $(call guest_flags,$(w))))

-include guest-pv/xenstore/sources.mk

GUESTPV_SOURCES := $(sort $(wildcard guest-pv/core/*.c guest-pv/libc/*.c guest-pv/lib/*.c guest-pv/devices/*.c)) $(XENSTORE_CLIENT_SOURCES)

define guest_library
GUESTPV_OBJECTS$(1) := $$(GUESTPV_SOURCES:%.c=$(B)/guest$(1)/obj/%.o) \
                       $$(patsubst %.S,$(B)/guest$(1)/obj/%.o,$$(sort $$(wildcard guest-pv/arch/*$(1).S)))

$(B)/guest$(1)/obj/%.o: %.c | $$(NEWLIB_STAMP$(1)) $$(GEN_HEADERS)
	$$(call say,CC$(1),$$<)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC) $$(GUEST_CFLAGS$(1)) $$(GUEST_EXTRA) $$(OBJECT_CFLAGS) $$(DEPFLAGS) -c -o $$@ $$<

$(B)/guest$(1)/obj/%.o: %.S | $$(NEWLIB_STAMP$(1)) $$(GEN_HEADERS)
	$$(call say,AS$(1),$$<)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC) $$(GUEST_MACHINE$(1)) $$(GUEST_CPPFLAGS$(1)) $$(GUEST_EXTRA) $$(OBJECT_CFLAGS) -D__ASSEMBLY__ $$(DEPFLAGS) -c -o $$@ $$<

$(B)/guest$(1)/libguestpv.a: $$(GUESTPV_OBJECTS$(1))
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && $(GUEST_AR) rcs $$@ $$^
endef
$(foreach w,$(GUEST_WIDTHS),$(eval $(call guest_library,$(w))))


# name, sources, width, extra flags
define guest_program_width
$(B)/guest$(3)/$(1).elf: $$(patsubst %.c,$(B)/guest$(3)/obj/%.o,$$(patsubst %.S,$(B)/guest$(3)/obj/%.o,$(2))) \
                         $(B)/guest$(3)/libguestpv.a guest-pv/arch/link$(3).lds
	$$(call say,LINK$(3),$(B)/guest$(3)/$(1))
	$(Q)$(GUEST_LD) $$(GUEST_LDFLAGS$(3)) -o $$@ $$(filter %.o,$$^) $$(GUEST_LINK$(3))
$(if $(4),$(B)/guest$(3)/$(1).elf: private OBJECT_CFLAGS := $(4))

$(B)/guest$(3)/$(1): $(B)/guest$(3)/$(1).elf
	$(Q)strip -s -o $$@ $$<
ALL += $(B)/guest$(3)/$(1)
endef

define guest_program
$(foreach w,$(or $(3),$(GUEST_WIDTHS)),$(eval $(call guest_program_width,$(1),$(2),$(w),$(4))))
endef

ALL += $(foreach w,$(GUEST_WIDTHS),$(B)/guest$(w)/libguestpv.a)
