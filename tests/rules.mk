# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Unit tests: the product's real files, compiled for the host with ASan and UBSan over thin fakes, run by Check.

UNIT_CFLAGS := -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra \
               -Wno-unused-parameter -I. -I$(B)/gen

# $(call unit_test,NAME,sources,extra flags): build/tests/unit/NAME, run by check-unit.
define unit_test
UNIT_TESTS += $(B)/tests/unit/$(1)
$(B)/tests/unit/$(1): $(2) | $(GEN_HEADERS)
	$$(call say,HOSTCC,$$@)
	$$(Q)mkdir -p $$(@D); $(HOSTCC) $(UNIT_CFLAGS) $(3) -MMD -MP -MF $$@.d $(2) -o $$@ \
	    -lcheck -lsubunit -lm -lrt -pthread
endef

comma := ,
UNIT_TESTS :=
include $(wildcard tests/unit/*.mk tests/*/rules.mk tests/*/*/rules.mk)

.PHONY: check-unit
check-unit: $(UNIT_TESTS)
	$(Q)scripts/run-unit $(UNIT_TESTS)

CHECKS := check-unit $(CHECKS)

.PHONY: run-checks
run-checks:
	$(Q)MAKE="$(MAKE)" scripts/run-checks $(CHECKS)
