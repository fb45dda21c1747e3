# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# How the files look. `make format` lets clang-format put C right.

CHECKS += check-style
.PHONY: check-style format
check-style:
	$(Q)$(PYTHON) tests/style/check.py .

format:
	$(Q)git ls-files -z '*.c' '*.h' | xargs -0 grep -LZE '^[[:space:]]*\.macro' | xargs -0 clang-format -i
