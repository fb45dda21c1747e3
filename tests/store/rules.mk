# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Guests of the store: test-store exercises it from a domU, test-hostile lies to it. Each prints "NAME: N passed, N failed".

$(eval $(call guest_program,test-store,tests/store/store.c tests/guests/check.c,32 64))
$(eval $(call guest_program,test-hostile,tests/store/hostile.c tests/guests/check.c,32 64))
