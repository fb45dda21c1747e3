# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# A guest that exercises the store from a domU: build/guest32/test-store and build/guest64/test-store. It prints
# "store: N passed, N failed".

$(eval $(call guest_program,test-store,tests/store/store.c tests/guests/check.c,32 64))
