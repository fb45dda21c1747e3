# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Kernels that test the hypervisor from inside: build/guest32/test-NAME and build/guest64/test-NAME. Each prints
# "NAME: N passed, N failed". Those of several files have a directory for the others.

GUEST_TESTS := $(filter-out check dom0_calls,$(basename $(notdir $(wildcard tests/guests/*.c))))

GUEST_TESTS_NARROW := pae
GUEST_TESTS_WIDE := $(filter-out $(GUEST_TESTS_NARROW),$(GUEST_TESTS))

guest_test = $(eval $(call guest_program,test-$(2),tests/guests/$(2).c $(wildcard tests/guests/$(2)/*.c) \
    tests/guests/check.c tests/guests/dom0_calls.c tests/guests/raw$(1).S,$(1)))
$(foreach t,$(GUEST_TESTS),$(call guest_test,32,$(t)))
$(foreach t,$(GUEST_TESTS_WIDE),$(call guest_test,64,$(t)))

# The harness sees every hypercall of a test, which so knows what it covered.
$(B)/guest32/obj/tests/guests/%.o $(B)/guest64/obj/tests/guests/%.o: GUEST_EXTRA := -include tests/guests/watch.h

# Those that look at vCPUs which wait for a processor.
GUEST_TESTS_SHARING := failsafe vcpus vcpu evtchn library xstate

# Those that judge nothing themselves: what they see is held beside what they see under genuine Xen.
GUEST_TESTS_COMPARED := answers contexts descriptors entries instructions programs segment_tales sharing trading tables
GUEST_TESTS_JUDGING := $(filter-out $(GUEST_TESTS_COMPARED),$(GUEST_TESTS))
GUEST_TESTS_JUDGING_WIDE := $(filter-out $(GUEST_TESTS_NARROW),$(GUEST_TESTS_JUDGING))

GUEST_TEST_KERNELS := $(GUEST_TESTS_JUDGING:%=$(B)/guest32/test-%) $(GUEST_TESTS_JUDGING_WIDE:%=$(B)/guest64/test-%)
XEN_IMAGE := $(firstword $(wildcard /boot/xen-4.17-amd64.gz))

# Where entry goes another way while tracing is on.
GUEST_TESTS_TRACED := traps entry emulation segments vcpus mmu

.PHONY: check-guests-traced check-guests check-guests-sharing check-guests-intel check-guests-xen check-guests-xen-intel \
        check-guests-xen-domu check-hello-xen
check-guests: $(B)/paravane $(GUEST_TEST_KERNELS)
	@echo 'Guest tests, both widths, as dom0 at 1, 2 and 4 CPUs:'
	$(Q)rm -rf $(B)/tests/covered/dom0
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --cpus 1,2,4 --covered $(B)/tests/covered/dom0 \
	    $(GUEST_TEST_KERNELS)

check-guests-sharing: $(B)/paravane $(GUEST_TEST_KERNELS)
	@echo 'Guest tests with two vCPUs on one CPU:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --cpus 1 --vcpus 2 \
	    $(foreach w,32 64,$(foreach t,$(GUEST_TESTS_SHARING),$(B)/guest$(w)/test-$(t)))

check-guests-traced: $(B)/paravane $(GUEST_TEST_KERNELS)
	@echo 'Guest tests that must not notice that they are traced:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --cpus 2 --traced \
	    $(foreach w,32 64,$(foreach t,$(GUEST_TESTS_TRACED),$(B)/guest$(w)/test-$(t)))

# Intel's processors have SYSENTER in long mode, and registers of their own; old ones lack XSAVE, FSGSBASE, SMEP and SMAP.
GUEST_TESTS_INTEL := entry traps privileged user
GUEST_TESTS_OLD := emulation privileged xstate traps
check-guests-intel: $(B)/paravane $(GUEST_TEST_KERNELS)
	@echo 'Guest tests on models of Intel processors, a newer one and one that lacks much:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --model Haswell \
	    $(foreach w,32 64,$(foreach t,$(GUEST_TESTS_INTEL),$(B)/guest$(w)/test-$(t)))
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --model Nehalem \
	    $(foreach w,32 64,$(foreach t,$(GUEST_TESTS_OLD),$(B)/guest$(w)/test-$(t)))

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
	$(Q)rm -rf $(B)/tests/covered/domu
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/guests.rd --cpus 1 \
	    --covered $(B)/tests/covered/domu $(GUEST_TEST_DOMU)
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/guests.rd --cpus 2 \
	    --settings shadow=1 $(GUEST_TEST_DOMU)

# Each of the table's answers is got by one of those tests, and none that the table does not name.
check-guests-coverage: $(B)/gen/hypercalls.json
	@echo 'Answers of the table of hypercalls that a guest test expects and gets:'
	$(Q)tests/guests/coverage.py $< $(B)/tests/covered/dom0 $(B)/tests/covered/domu

# What the tests expect is what Xen does: the same kernels under both, verdict beside verdict. Debian's build has no
# 32-bit guests; where the build cache has one that does, those are compared, too. test-absent is about what is left
# out here alone.
GUEST_TEST_OWN := control logdirty trace absent
XEN_PV32 := $(wildcard $(B)/cache/rival/xen-pv32)
XEN_GUEST_TESTS := $(foreach t,$(filter-out $(GUEST_TEST_OWN),$(GUEST_TESTS_WIDE)),$(B)/guest64/test-$(t)) \
                   $(BARE_VARIANTS:%=$(B)/guest64/bare-%)
XEN_GUEST_TESTS32 := $(foreach t,$(if $(XEN_PV32),$(filter-out $(GUEST_TEST_OWN),$(GUEST_TESTS))),$(B)/guest32/test-$(t)) \
                     $(if $(XEN_PV32),$(BARE_VARIANTS:%=$(B)/guest32/bare-%))
$(B)/xen: $(XEN_IMAGE)
	$(Q)mkdir -p $(@D); gzip -dc $< > $@

check-guests-xen: $(B)/paravane $(B)/xen $(XEN_GUEST_TESTS) $(XEN_GUEST_TESTS32)
	@echo 'The same guest tests under Xen 4.17, which they must pass too, and verdict for verdict alike:'
	$(Q)rm -rf $(B)/tests/verdicts
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --cpus 2 --verdicts $(B)/tests/verdicts/here \
	    $(XEN_GUEST_TESTS) $(XEN_GUEST_TESTS32)
	$(Q)tests/guests/run.py --hypervisor $(B)/xen --cpus 2 --timeout 300 --verdicts $(B)/tests/verdicts/genuine \
	    $(XEN_GUEST_TESTS)
	$(if $(XEN_PV32),$(Q)tests/guests/run.py --hypervisor $(XEN_PV32) --cpus 2 --timeout 300 \
	    --verdicts $(B)/tests/verdicts/genuine $(XEN_GUEST_TESTS32))
	$(Q)tests/guests/differences.py $(B)/tests/verdicts/here $(B)/tests/verdicts/genuine tests/guests/exceptions.tsv

# On Intel's processor the two must be alike, too: instructions, registers and CPUID leaves of another vendor.
INTEL_MODEL := max,vendor=GenuineIntel,-smap,-smep
INTEL_VERDICTS := $(B)/tests/verdicts-intel
XEN_INTEL_TESTS := instructions
check-guests-xen-intel: $(B)/paravane $(B)/xen $(XEN_INTEL_TESTS:%=$(B)/guest64/test-%) \
                        $(if $(XEN_PV32),$(XEN_INTEL_TESTS:%=$(B)/guest32/test-%))
	@echo 'What instructions do on an Intel processor, here and under Xen 4.17:'
	$(Q)rm -rf $(INTEL_VERDICTS)
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --model $(INTEL_MODEL) --verdicts $(INTEL_VERDICTS)/here \
	    $(filter $(B)/guest%,$^)
	$(Q)tests/guests/run.py --hypervisor $(B)/xen --model $(INTEL_MODEL) --timeout 300 \
	    --verdicts $(INTEL_VERDICTS)/genuine $(filter $(B)/guest64/%,$^)
	$(if $(XEN_PV32),$(Q)tests/guests/run.py --hypervisor $(XEN_PV32) --model $(INTEL_MODEL) --timeout 300 \
	    --verdicts $(INTEL_VERDICTS)/genuine $(filter $(B)/guest32/%,$^))
	$(Q)tests/guests/differences.py --partly $(INTEL_VERDICTS)/here $(INTEL_VERDICTS)/genuine tests/guests/exceptions.tsv

# The same as guests, which vane created here and xl there, in one boot of a Linux dom0. Not part of make check: the
# first time it fetches a hundred megabytes of packages. Left out: evtchn, sharefuzz and all but one of those that only
# compare, which take their own console away from it, and suspend, whose other half is xl (make check-rival-migration).
XEN_DOMU_ALONE := suspend evtchn sharefuzz $(filter-out answers,$(GUEST_TESTS_COMPARED))
xen_domu = $(filter-out $(foreach t,$(XEN_DOMU_ALONE),%/test-$(t)),$(1))
XEN_DOMU := $(call xen_domu,$(XEN_GUEST_TESTS))
XEN_DOMU32 := $(call xen_domu,$(XEN_GUEST_TESTS32))
$(B)/tests/guests-xen.rd: scripts/ramdisk.py tests/guests/test.cfg $(XEN_DOMU) $(XEN_DOMU32)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) scripts/ramdisk.py $@ tests/test.cfg=tests/guests/test.cfg \
	    $(foreach k,$(XEN_DOMU) $(XEN_DOMU32),tests/$(subst /,-,$(k:$(B)/%=%))=$(k))

check-guests-xen-domu: $(B)/paravane $(B)/dom0 $(B)/tests/guests-xen.rd $(B)/xen
	@echo 'The same guest tests as guests of Xen 4.17, created by its own tools, verdict for verdict as those of vane:'
	$(Q)rm -rf $(B)/tests/verdicts-domu
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/guests-xen.rd --cpus 2 \
	    --verdicts $(B)/tests/verdicts-domu/here $(XEN_DOMU) $(XEN_DOMU32)
	$(Q)BUILD=$(B) $(PYTHON) tests/rival/kernels.py $(B)/xen $(B)/tests/verdicts-domu/genuine $(XEN_DOMU)
	$(if $(XEN_PV32),$(Q)BUILD=$(B) $(PYTHON) tests/rival/kernels.py $(XEN_PV32) $(B)/tests/verdicts-domu/genuine \
	    $(XEN_DOMU32))
	$(Q)tests/guests/differences.py $(B)/tests/verdicts-domu/here $(B)/tests/verdicts-domu/genuine \
	    tests/guests/exceptions_domu.tsv

check-hello-xen: $(B)/paravane $(B)/xen $(B)/guest64/hello
	@echo 'One guest, two hypervisors: the 64-bit hello says the same under Paravane and under Xen 4.17:'
	$(Q)tests/guests/run.py --hypervisor $(B)/paravane --compare $(B)/xen $(B)/guest64/hello

CHECKS += check-guests check-guests-traced check-guests-sharing check-guests-intel check-guests-domu check-guests-coverage
ifneq ($(XEN_IMAGE),)
CHECKS += check-guests-xen check-guests-xen-intel check-hello-xen
endif
