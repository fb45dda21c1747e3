# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Kernels that test the hypervisor from inside: build/guest32/test-NAME and build/guest64/test-NAME. Each prints
# "NAME: N passed, N failed".

GUEST_TESTS := $(filter-out check,$(basename $(notdir $(wildcard tests/guests/*.c))))

GUEST_TESTS_NARROW := pae
GUEST_TESTS_WIDE := $(filter-out $(GUEST_TESTS_NARROW),$(GUEST_TESTS))

guest_test = $(eval $(call guest_program,test-$(2),tests/guests/$(2).c tests/guests/check.c tests/guests/raw$(1).S,$(1)))
$(foreach t,$(GUEST_TESTS),$(call guest_test,32,$(t)))
$(foreach t,$(GUEST_TESTS_WIDE),$(call guest_test,64,$(t)))

# The harness sees every hypercall of a test, which so knows what it covered.
$(B)/guest32/obj/tests/guests/%.o $(B)/guest64/obj/tests/guests/%.o: GUEST_EXTRA := -include tests/guests/watch.h

# Those that look at vCPUs which wait for a processor.
GUEST_TESTS_SHARING := failsafe vcpus vcpu evtchn library

GUEST_TEST_KERNELS := $(GUEST_TESTS:%=$(B)/guest32/test-%) $(GUEST_TESTS_WIDE:%=$(B)/guest64/test-%)
XEN_IMAGE := $(firstword $(wildcard /boot/xen-4.17-amd64.gz))

# Where entry goes another way while tracing is on.
GUEST_TESTS_TRACED := traps entry emulation segments vcpus mmu

.PHONY: check-guests-traced check-guests check-guests-sharing check-guests-intel check-guests-xen check-hello-xen
check-guests: $(B)/paravane $(GUEST_TEST_KERNELS)
	@echo 'Guest tests, both widths, as dom0 at 1, 2 and 4 CPUs:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --cpus 1,2,4 $(GUEST_TEST_KERNELS)

check-guests-sharing: $(B)/paravane $(GUEST_TEST_KERNELS)
	@echo 'Guest tests with two vCPUs on one CPU:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --cpus 1 --vcpus 2 \
	    $(foreach w,32 64,$(foreach t,$(GUEST_TESTS_SHARING),$(B)/guest$(w)/test-$(t)))

check-guests-traced: $(B)/paravane $(GUEST_TEST_KERNELS)
	@echo 'Guest tests that must not notice that they are traced:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --cpus 2 --traced \
	    $(foreach w,32 64,$(foreach t,$(GUEST_TESTS_TRACED),$(B)/guest$(w)/test-$(t)))

# Intel's processors have SYSENTER in long mode, and other features.
check-guests-intel: $(B)/paravane $(GUEST_TEST_KERNELS)
	@echo 'Guest tests on a model of an Intel processor:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --model Haswell \
	    $(foreach w,32 64,$(foreach t,entry traps privileged,$(B)/guest$(w)/test-$(t)))

# As guests that vane created. What speaks of dom0's own calls stays at home; it creates 32-bit domains too, which
# Debian's Xen does not.
GUEST_TEST_DOM0_ONLY := control logdirty trace
GUEST_TEST_DOMU := $(filter-out $(foreach t,$(GUEST_TEST_DOM0_ONLY),%/test-$(t)),$(GUEST_TEST_KERNELS))

$(B)/tests/guests.rd: scripts/ramdisk.py tests/guests/test.cfg $(GUEST_TEST_DOMU)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) scripts/ramdisk.py $@ tests/test.cfg=tests/guests/test.cfg \
	    $(foreach k,$(GUEST_TEST_DOMU),tests/$(subst /,-,$(k:$(B)/%=%))=$(k))

.PHONY: check-guests-domu
check-guests-domu: $(B)/paravane $(B)/dom0 $(B)/tests/guests.rd
	@echo 'Guest tests, both widths, as guests created at the prompt of dom0, with 1 vCPU, and 2 on shadow page tables:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/guests.rd --cpus 1 \
	    $(GUEST_TEST_DOMU)
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/guests.rd --cpus 2 \
	    --settings shadow=1 $(GUEST_TEST_DOMU)

# What the tests expect is what Xen does. Debian's build has no 32-bit guests, of which test-control makes some.
XEN_GUEST_TESTS := $(filter-out %/test-control %/test-logdirty,$(filter $(B)/guest64/%,$(GUEST_TEST_KERNELS)))
$(B)/xen: $(XEN_IMAGE)
	$(Q)mkdir -p $(@D); gzip -dc $< > $@

check-guests-xen: $(B)/xen $(XEN_GUEST_TESTS)
	@echo 'The same guest tests (64-bit) under Xen 4.17, which they must pass too:'
	$(Q)tests/guests/run.py --hypervisor $(B)/xen --cpus 2 $(XEN_GUEST_TESTS)

check-hello-xen: $(B)/paravane $(B)/xen $(B)/guest64/hello
	@echo 'One guest, two hypervisors: the 64-bit hello says the same under Paravane and under Xen 4.17:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --compare $(B)/xen $(B)/guest64/hello

CHECKS += check-guests check-guests-traced check-guests-sharing check-guests-intel check-guests-domu
ifneq ($(XEN_IMAGE),)
CHECKS += check-guests-xen check-hello-xen
endif
