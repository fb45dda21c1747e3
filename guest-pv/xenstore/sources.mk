# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The store client. transport_ring.c is in the library alone: an image that brings its own xs_transport_* functions
# (dom0 does) does not pull it in.

XENSTORE_CLIENT_CORE := $(addprefix guest-pv/xenstore/,link.c xs.c xs_lib.c xs_watch.c)
XENSTORE_CLIENT_SOURCES := $(XENSTORE_CLIENT_CORE) guest-pv/xenstore/transport_ring.c
