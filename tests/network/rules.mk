# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# A guest that lies to the network backend in every way; tests/system/test_network.py starts it beside others.

$(eval $(call guest_program,test-netfront,tests/network/hostile.c tests/guests/check.c,32 64))
NETWORK_GUESTS := $(foreach w,32 64,$(B)/guest$(w)/test-netfront)
