# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# make check-stream: what our writer writes, before the checker that Debian's Xen tools come with. SAVED="FILE ..." adds
# files that a host here has saved.

SAVED ?=

.PHONY: check-stream
check-stream: $(B)/tests/fuzz/seeds
	$(Q)BUILD=$(B) $(PYTHON) tests/stream/verify.py $(B)/tests/fuzz/seeds $(SAVED)

CHECKS += check-stream
