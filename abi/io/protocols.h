/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Values of a front end's "protocol" key: whose structure layout its ring has. Source of the facts: io/protocols.h.
 */
#ifndef PARAVANE_ABI_IO_PROTOCOLS_H
#define PARAVANE_ABI_IO_PROTOCOLS_H

#define XEN_IO_PROTO_ABI_X86_32 "x86_32-abi"
#define XEN_IO_PROTO_ABI_X86_64 "x86_64-abi"

#ifdef __i386__
#define XEN_IO_PROTO_ABI_NATIVE XEN_IO_PROTO_ABI_X86_32
#else
#define XEN_IO_PROTO_ABI_NATIVE XEN_IO_PROTO_ABI_X86_64
#endif

#endif
