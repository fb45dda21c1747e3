# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Kernels that attack: build/guest32/contain-NAME and build/guest64/contain-NAME, one a subject. They run as guests
# without privilege, on 1, 2 and 4 CPUs with as many vCPUs, beside witnesses of both widths whose memory must stay as
# it is; after each the hypervisor's frame audit must find nothing wrong and nothing left. attack.c is theirs, witness.c is not one of them.

CONTAINMENT := $(filter-out attack witness latency meter nmi storm trusted,$(basename $(notdir $(wildcard tests/containment/*.c))))
CONTAINMENT_NARROW :=
CONTAINMENT_WIDE := edge through
CONTAINMENT_32 := $(filter-out $(CONTAINMENT_WIDE),$(CONTAINMENT))
CONTAINMENT_64 := $(filter-out $(CONTAINMENT_NARROW),$(CONTAINMENT))

containment_test = $(eval $(call guest_program,contain-$(2),tests/containment/$(2).c tests/containment/attack.c \
    tests/guests/check.c tests/guests/raw$(1).S,$(1)))
$(foreach t,$(CONTAINMENT_32),$(call containment_test,32,$(t)))
$(foreach t,$(CONTAINMENT_64),$(call containment_test,64,$(t)))
$(eval $(call guest_program,contain-witness,tests/containment/witness.c))

CONTAINMENT_KERNELS := $(CONTAINMENT_32:%=$(B)/guest32/contain-%) $(CONTAINMENT_64:%=$(B)/guest64/contain-%)
CONTAINMENT_WITNESSES := $(B)/guest32/contain-witness $(B)/guest64/contain-witness

$(B)/tests/containment.rd: scripts/ramdisk.py tests/containment/contain.cfg $(CONTAINMENT_KERNELS) $(CONTAINMENT_WITNESSES)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) scripts/ramdisk.py $@ tests/contain.cfg=tests/containment/contain.cfg \
	    $(foreach k,$(CONTAINMENT_KERNELS) $(CONTAINMENT_WITNESSES),tests/$(subst /,-,$(k:$(B)/%=%))=$(k))

CONTAINMENT_PAGING := linear tables partial stale frames
CONTAINMENT_CPUS ?= 1,2,4
.PHONY: check-containment
check-containment: $(B)/paravane $(B)/dom0 $(B)/tests/containment.rd
	@echo 'Attacks of both widths by guests on 1, 2 and 4 CPUs, beside witnesses; the frame audit after each:'
	$(Q)tests/containment/run.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/containment.rd \
	    --cpus $(CONTAINMENT_CPUS) $(CONTAINMENT_KERNELS)
	@echo 'Those on page tables, on shadow page tables:'
	$(Q)tests/containment/run.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/containment.rd \
	    --cpus 2 --settings shadow=1 $(foreach t,$(CONTAINMENT_PAGING),$(B)/guest32/contain-$(t) $(B)/guest64/contain-$(t))

CHECKS += check-containment

# How long a hypercall goes without looking for interrupts, in instructions; dom0 itself; and one kernel as two domains.
# nmi is the system tests': they have the machine's button.
$(foreach w,32 64,$(foreach t,latency nmi trusted,$(call containment_test,$(w),$(t))))
CONTAINMENT_LATENCY := $(B)/guest32/contain-latency $(B)/guest64/contain-latency

.PHONY: check-containment-latency check-containment-pairs check-containment-trusted
check-containment-trusted: $(B)/paravane $(B)/guest32/contain-trusted $(B)/guest64/contain-trusted
	@echo 'dom0 errs in every control call, on 1 and 2 CPUs:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --cpus 1,2 --timeout 300 $(B)/guest32/contain-trusted \
	    $(B)/guest64/contain-trusted

check-containment-latency: $(B)/paravane $(CONTAINMENT_LATENCY)
	@echo 'No hypercall goes a million instructions without looking for interrupts:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --cpus 1 --icount --timeout 300 $(CONTAINMENT_LATENCY)

check-containment-pairs: $(B)/paravane $(B)/dom0 $(B)/tests/containment.rd
	@echo 'A domain that lends and one that takes more than that, in all pairs of widths, on 1 and 2 CPUs:'
	$(Q)tests/containment/pairs.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/containment.rd \
	    --cpus 1,2 neighbour

CHECKS += check-containment-latency check-containment-pairs check-containment-trusted

# Storms: what they leave for a guest that only computes, in exact instructions.
$(foreach w,32 64,$(call containment_test,$(w),storm))
$(eval $(call guest_program,contain-meter,tests/containment/meter.c))
STORM_KERNELS := $(foreach w,32 64,$(foreach k,storm meter,$(B)/guest$(w)/contain-$(k)))

$(B)/tests/storms.rd: scripts/ramdisk.py tests/containment/contain.cfg $(STORM_KERNELS)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) scripts/ramdisk.py $@ tests/contain.cfg=tests/containment/contain.cfg \
	    $(foreach k,$(STORM_KERNELS),tests/$(subst /,-,$(k:$(B)/%=%))=$(k))

.PHONY: check-storms
check-storms: $(B)/paravane $(B)/dom0 $(B)/tests/storms.rd
	@echo 'Storms by guests of both widths: another one keeps 95 % of its share of the CPU:'
	$(Q)tests/containment/storms.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/storms.rd

CHECKS += check-storms
