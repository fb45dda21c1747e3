# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Guests of the store: test-store exercises it from a domU, test-hostile lies to it. Each prints "NAME: N passed, N failed".

$(eval $(call guest_program,test-store,tests/store/store.c tests/guests/check.c,32 64))
$(eval $(call guest_program,test-hostile,tests/store/hostile.c tests/guests/check.c,32 64))

# crowd.c is several guests that are there at once: an honest one, and others that attack.
$(eval $(call guest_program,store-crowd,tests/store/crowd.c,32 64))

# compat.c is a program for libxenstore; here it becomes a guest, and test_store.py builds it with Debian's library.
$(eval $(call guest_program,store-compat,tests/store/compat.c,32 64))

STORE_GUESTS := $(foreach w,32 64,store$(w)=$(B)/guest$(w)/test-store hostile$(w)=$(B)/guest$(w)/test-hostile \
                  compat$(w)=$(B)/guest$(w)/store-compat crowd$(w)=$(B)/guest$(w)/store-crowd)
STORE_CONFIGS := $(wildcard tests/store/*.cfg)

$(B)/tests/store.rd: scripts/ramdisk.py $(foreach p,$(STORE_GUESTS),$(lastword $(subst =, ,$(p)))) $(STORE_CONFIGS)
	$(call say,RAMDISK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) scripts/ramdisk.py $@ $(foreach p,$(STORE_GUESTS),guests/$(p)) \
	    $(foreach c,$(STORE_CONFIGS),guests/$(notdir $(c))=$(c))

# Our daemon's core beside the reference's, if that is installed.
include dom0-tools/xenstored/sources.mk
$(B)/tests/store-compare: tests/store/compare.c $(XENSTORED_CORE)
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -I. -Iinclude -MMD -MP -MF $@.d $^ -o $@

$(B)/tests/reference_shim.so: tests/store/reference_shim.c
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter -shared -fPIC -o $@ $< -ldl

.PHONY: check-store
check-store: $(B)/paravane $(B)/guest32/dom0 $(B)/guest64/dom0 $(B)/tests/store.rd $(B)/tests/store-compare \
             $(B)/tests/reference_shim.so $(B)/tests/system/dom0-heap
	$(Q)PYTHONPATH=tests/system $(PYTHON) -m pytest -q -p no:cacheprovider -p conftest tests/store
CHECKS += check-store
