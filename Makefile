# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# One Makefile for everything; each room adds its own rules.mk. Outputs go to build/, things that are costly and
# rarely change (newlib) to build/cache/, which `make clean` keeps and `make distclean` removes.

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

B := build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
HOSTCC ?= gcc
PYTHON := /usr/bin/python3

WARN := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
        -Wold-style-definition -Wundef -Wvla -Wwrite-strings -Wno-unused-parameter
DEPFLAGS = -MMD -MP -MF $@.d

# Each room appends: its products to ALL, its checks to CHECKS (phony targets), its one-line descriptions to HELP.
ALL :=
CHECKS :=

include scripts/setup.mk
-include abi/rules.mk
GEN_HEADERS := $(ABI_GENERATED)
GENERATED_HEADERS := $(ABI_GENERATED)
-include $(wildcard hypervisor/rules.mk guest-pv/rules.mk dom0-tools/rules.mk examples/rules.mk \
                    docs/rules.mk tests/rules.mk)
include scripts/run.mk

.PHONY: all clean distclean help
all: $(ALL)

clean:
	$(Q)find $(B) -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} + 2>/dev/null || true
	$(Q)rm -f compile_commands.json

distclean: clean
	$(Q)rm -rf $(B)

help:
	@echo 'make            build the hypervisor, the embedded dom0, the examples and the ISO'
	@echo 'make run        set up, build, boot build/paravane.iso in QEMU: ends at the vane> prompt (Ctrl-A X leaves QEMU)'
	@echo 'make run-pair   two machines joined by a link and a wire: migrate DOMAIN link0 (Ctrl-A n switches, Ctrl-A x leaves)'
	@echo 'make check      set up, build, run every test; make check-NAME runs one part alone (README.md lists them)'
	@echo 'make bench      cost of each operation in instructions, beside genuine Xen (docs/cost.md)'
	@echo 'make bench-record WHY="..."  a new cost of ours into the history that make check compares with'
	@echo 'make bench-scale   a thousand domains: what each step costs; make plots draws it and the rows of make bench'
	@echo 'make bench-linux   what a Linux guest does, in instructions, beside genuine Xen and no hypervisor'
	@echo 'make check-rival   the boot log of a Linux guest, here and on genuine Xen'
	@echo 'make check-guests-xen-domu   the guest tests as guests, here and on genuine Xen'
	@echo 'make check-rival-migration   saved domains between genuine Xen and here, both ways'
	@echo 'make check-rival-tools       genuine xl in a Linux dom0 here; make check-rival-tracing: genuine xentrace'
	@echo 'make bench-migration         how long a migrated guest stands still, beside genuine Xen'
	@echo 'make fuzz SECONDS=n   random hypercalls beside a witness (default 300); SEED=s WIDTH=32|64|both CPUS=n PLAYERS=n'
	@echo '                THREADS=single|multi ROLE=dom0 choose (docs/fuzzing.md)'
	@echo 'make fuzz-host SECONDS=n   libFuzzer over whatever reads what a guest or a file says (default 300)'
	@echo 'make soak MINUTES=n   Linux guests under load beside small ones, then a search for leaks (default 60)'
	@echo 'make soak-migration COUNT=n   guests of all kinds saved and migrated so often, then the same (default 100)'
	@echo 'make soak-kills ROUNDS=n SEED=s   everything cut short at random moments, each followed by that search (default 1000)'
	@echo 'make soak-memory POINTS=n   every allocation of dom0, or n of them, fails once in each command that matters'
	@echo 'make speculation   build/speculation/paravane, for CPUs that guess (docs/caveats.md)'
	@echo 'make iso        build/paravane.iso alone'
	@echo 'make format     C as .clang-format has it'
	@echo 'make clean      remove what was built, except the cached newlib; distclean removes that too'
	@echo
	@echo 'V=1             show the commands       CPUS=n  MEM=m   the machine of make run (default 2, 1024M or more)'
	@echo 'DOM0=64         a 64-bit embedded dom0  GUESTS=DIR      add your kernels and configurations under /guests'
	@echo 'DISK="FILE ..."  disks of the machine: /dev/vda, /dev/vdb ... of dom0; FILE:ro is read-only'
	@echo 'NET=user        a network card, eth0 of dom0, at a -netdev of QEMU: user, tap, socket,...'

-include $(shell find $(B) -name '*.d' -not -path '*/cache/*' 2>/dev/null)
