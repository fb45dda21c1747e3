# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# What is generated from the table of hypercalls. Whoever includes a generated header depends on $(ABI_GENERATED).

ABI_GENERATED := $(addprefix $(B)/gen/,hypercall_table.S hypercall_prototypes.h hypercall_stubs.h hypercall_names.h \
                                       hypercall_expectations.h hypercalls.json hypercalls.md)
ALL += $(ABI_GENERATED)

$(ABI_GENERATED) &: abi/hypercalls.tbl abi/generate.py
	$(call say,GEN,$(B)/gen from abi/hypercalls.tbl)$(PYTHON) abi/generate.py abi/hypercalls.tbl $(B)/gen
