# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

include dom0-tools/network/sources.mk
NETWORK_FAKE := tests/unit/network_fake.c $(NETWORK_CORE)
$(eval $(call unit_test,switch,tests/unit/test_switch.c $(NETWORK_FAKE),-Iinclude))
$(eval $(call unit_test,packet,tests/unit/test_packet.c dom0-tools/network/packet.c,-Iinclude))
$(eval $(call unit_test,netrings,tests/unit/test_netrings.c $(NETWORK_FAKE),-Iinclude))
$(eval $(call unit_test,vif,tests/unit/test_vif.c dom0-tools/config/vif.c,))
