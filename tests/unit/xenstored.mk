# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

include dom0-tools/xenstored/sources.mk
XENSTORED_HARNESS := tests/unit/xenstored_harness.c $(XENSTORED_CORE)
$(eval $(call unit_test,xenstored,tests/unit/test_xenstored.c $(XENSTORED_HARNESS),-Iinclude))
$(eval $(call unit_test,xenstored_control,tests/unit/test_xenstored_control.c $(XENSTORED_HARNESS),-Iinclude))
$(eval $(call unit_test,xenstored_transactions,tests/unit/test_xenstored_transactions.c $(XENSTORED_HARNESS),-Iinclude))
$(eval $(call unit_test,xenstored_domains,tests/unit/test_xenstored_domains.c $(XENSTORED_HARNESS),-Iinclude))
$(eval $(call unit_test,xenstored_memory,tests/unit/test_xenstored_memory.c tests/unit/short_memory.c $(XENSTORED_HARNESS),\
    -Iinclude $(SHORT_MEMORY)))

include guest-pv/xenstore/sources.mk
$(eval $(call unit_test,xenstore_client,tests/unit/test_xenstore_client.c $(XENSTORE_CLIENT_CORE) \
    dom0-tools/xenstored/local.c tests/unit/short_memory.c $(XENSTORED_HARNESS),-Iinclude -Iguest-pv/include \
    -Wl$(comma)--wrap=client_new -Wl$(comma)--wrap=client_input $(SHORT_MEMORY)))
