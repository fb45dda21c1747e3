# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The store daemon. XENSTORED_CORE depends on nothing but the C library and platform.h: host tests build it as it is.

XENSTORED_CORE := $(addprefix dom0-tools/xenstored/,client.c domain.c node.c path.c perms.c request.c \
                    request_control.c request_domain.c request_node.c request_watch.c ring.c store.c transaction.c \
                    watch.c xenstored.c)
XENSTORED_SOURCES := $(XENSTORED_CORE) $(addprefix dom0-tools/xenstored/,daemon.c local.c log.c platform.c)
