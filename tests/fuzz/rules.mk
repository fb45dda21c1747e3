# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# make fuzz SECONDS=n SEED=s WIDTH=32|64|both CPUS=n PLAYERS=n THREADS=single|multi ROLE=dom0: the hypercall fuzzer, for
# as long as told.
# make fuzz-host SECONDS=n: libFuzzer with ASan and UBSan over what reads what others wrote: saved domains, instructions,
# kernels, configurations, the store's wire, block and network rings; the seconds are shared by the fuzzers. What they
# find is kept in build/tests/fuzz/found; what they learnt, in build/tests/fuzz/corpus.

SECONDS ?= 300
FUZZ_CC := clang
FUZZ_CFLAGS := -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra \
               -Wno-unused-parameter -I. -I$(B)/gen -Iinclude -idirafter guest-pv/include
FUZZERS := $(addprefix $(B)/tests/fuzz/,stream libxl_json restore handover decode elf config store netring blockring)

FUZZ_stream := tests/fuzz/stream.c tests/fuzz/mutate.c tests/stream/sample.c $(STREAM_SOURCES)
FUZZ_libxl_json := tests/fuzz/libxl_json.c $(LIBXL_JSON_SOURCES)
FUZZ_restore := tests/fuzz/restore.c tests/fuzz/mutate.c tests/fuzz/fake_domain.c tests/stream/sample.c $(STREAM_SOURCES) \
                $(addprefix dom0-tools/migration/,restore.c contents.c finish.c canonical.c p2m.c view.c)
FUZZ_handover := tests/fuzz/handover.c tests/stream/sample.c $(STREAM_SOURCES) \
                 $(addprefix dom0-tools/migration/,handover.c handover_settle.c message.c records.c)
FUZZ_decode := tests/fuzz/decode.c hypervisor/emulate/decode.c hypervisor/emulate/operands.c
FUZZ_elf := tests/fuzz/elf.c $(addprefix dom0-tools/builder/,elfimage.c elfnotes.c elfsymtab.c unpack.c inflate.c) \
            tests/unit/workspace_host.c
FUZZ_config := tests/fuzz/config.c $(CONFIG_CORE)
FUZZ_store := tests/fuzz/store.c tests/unit/xenstored_harness.c $(XENSTORED_CORE)
FUZZ_netring := tests/fuzz/netring.c tests/unit/network_fake.c $(NETWORK_CORE)
FUZZ_blockring := tests/fuzz/blockring.c $(addprefix dom0-tools/block/,io.c request.c)
FUZZ_FLAGS_decode := -Ihypervisor/include -Ihypervisor
FUZZ_LIBS_decode := -lZydis

define fuzzer
$(B)/tests/fuzz/$(1): $$(FUZZ_$(1)) | $(GEN_HEADERS)
	$$(call say,FUZZCC,$$@)
	$$(Q)mkdir -p $$(@D); $(FUZZ_CC) $(FUZZ_CFLAGS) $$(FUZZ_FLAGS_$(1)) -fsanitize=fuzzer $$(FUZZ_$(1)) $$(FUZZ_LIBS_$(1)) -o $$@
endef
$(foreach f,$(notdir $(FUZZERS)),$(eval $(call fuzzer,$(f))))

$(B)/tests/fuzz/seeds: tests/fuzz/seeds.c tests/stream/sample.c $(STREAM_SOURCES) dom0-tools/migration/message.c | $(GEN_HEADERS)
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D); $(HOSTCC) $(UNIT_CFLAGS) $^ -o $@

.PHONY: fuzz fuzz-host check-fuzz check-fuzz-hypercalls
fuzz-host: $(FUZZERS) $(B)/tests/fuzz/seeds
	$(Q)tests/fuzz/run $(B)/tests/fuzz $(SECONDS)

# A short run for each change, from one seed: it tells of the change, and fuzz-host finds what is new.
check-fuzz: $(FUZZERS) $(B)/tests/fuzz/seeds
	$(Q)tests/fuzz/run $(B)/tests/fuzz 40 1

CHECKS += check-fuzz check-fuzz-hypercalls

# The hypercall fuzzer and its bystander, guests of both widths.
$(B)/gen/hypercall_grammar.h: abi/hypercalls.tbl abi/structs.tbl abi/grammar.py abi/generate.py
	$(call say,GEN,$@)mkdir -p $(@D); $(PYTHON) abi/grammar.py abi/hypercalls.tbl abi/structs.tbl $@

HYPERCALL_FUZZER := $(addprefix tests/fuzz/guest/,hypercalls.c values.c misbehave.c)
$(foreach w,32 64,$(eval $(call guest_program,fuzz-hypercalls,$(HYPERCALL_FUZZER) tests/fuzz/guest/risky$(w).S,$(w))))
$(eval $(call guest_program,fuzz-witness,tests/fuzz/guest/witness.c))
$(foreach w,32 64,$(HYPERCALL_FUZZER:%.c=$(B)/guest$(w)/obj/%.o)): | $(B)/gen/hypercall_grammar.h

$(B)/tests/fuzz.rd: scripts/ramdisk.py tests/guests/test.cfg $(foreach w,32 64,$(addprefix $(B)/guest$(w)/fuzz-,hypercalls witness))
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) scripts/ramdisk.py $@ tests/test.cfg=tests/guests/test.cfg \
	    $(foreach w,32 64,tests/fuzz$(w)=$(B)/guest$(w)/fuzz-hypercalls tests/witness$(w)=$(B)/guest$(w)/fuzz-witness)

# A machine for each width at once, each for half of the seconds; then in dom0's place for a twentieth.
FUZZ_SECONDS ?= 600
WIDTH ?= both
PLAYERS ?= 2
FUZZ_CPUS := $(or $(CPUS),2)
FUZZ_HYPERCALLS = tests/fuzz/hypercalls.py --hypervisor $(B)/paravane --dom0 $(B)/dom0 --ramdisk $(B)/tests/fuzz.rd \
                  --cpus $(FUZZ_CPUS) --players $(PLAYERS) --coverage $(B)/tests/fuzz$(ROLE:%=-%).coverage $(SEED:%=--seed %) \
                  $(THREADS:%=--threads %) $(ROLE:dom0=--as-dom0)

fuzz: $(B)/paravane $(B)/dom0 $(B)/tests/fuzz.rd
	$(Q)$(PYTHON) $(FUZZ_HYPERCALLS) --width $(WIDTH) --seconds $(SECONDS)

check-fuzz-hypercalls: $(B)/paravane $(B)/dom0 $(B)/tests/fuzz.rd
	$(Q)$(PYTHON) $(FUZZ_HYPERCALLS) --width both --seconds $$(($(FUZZ_SECONDS) / 2)) $(if $(SEED),,--seed 1)
	$(Q)$(PYTHON) $(FUZZ_HYPERCALLS) --width both --seconds $$(($(FUZZ_SECONDS) / 20)) $(if $(SEED),,--seed 1) \
	    --as-dom0 --coverage $(B)/tests/fuzz-dom0.coverage
