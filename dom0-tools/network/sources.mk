# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

# The core has neither thread nor hypercall: the host tests run it as it is.
NETWORK_CORE := $(addprefix dom0-tools/network/,switch.c addresses.c copy.c packet.c tx.c rx.c vif.c)
NETWORK_SOURCES := $(NETWORK_CORE) $(addprefix dom0-tools/network/,netback.c platform.c)
