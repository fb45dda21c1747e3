/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What records and their parts are called. Every text is written into the caller's buffer, cut to its size.
 */
#ifndef TRACE_NAMES_H
#define TRACE_NAMES_H

#include "account.h"

#define TRACE_NAME_SIZE 64

/* The name of a domain; NULL when it has none (any more). */
typedef const char *trace_domain_fn(void *own, unsigned int domid);
struct trace_names {
    trace_domain_fn *domain;
    void *own;
};

/* "hypercall", "trap", "page-fault", "return", ...: what --events takes. "other" for events not known here. */
const char *event_name(uint32_t event);
bool event_name_known(const char *name);

/* "sched_op.block"; "nr63" for a number without a name. */
void hypercall_name(unsigned int op, unsigned int sub, char name[TRACE_NAME_SIZE]);
void trap_name(unsigned int vector, char name[TRACE_NAME_SIZE]);

/* Of the frame that a key has at a depth (account.h). */
void frame_name(const struct trace_names *names, uint64_t key, unsigned int depth, char name[TRACE_NAME_SIZE]);

/* The record's own words: "xen_version", "vector 3 at 0x1000". */
void record_detail(const struct trace_record *record, char *text, size_t size);

/* The domain's name, or "dN". */
void domain_label(const struct trace_names *names, unsigned int domid, char name[TRACE_NAME_SIZE]);

#endif
