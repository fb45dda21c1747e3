/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From records to what happened: who was on each CPU, and what it did from one record to the next. Records come in order
 * of time. Who is on a CPU is known from the first switch or return there, and unknown again behind lost records.
 */
#ifndef TRACE_STORY_H
#define TRACE_STORY_H

#include "ring.h"

#define TRACE_CPUS   8
#define TRACE_NO_SUB 0xffffu
#define TRACE_NO_WHO 0xfffffffeu /* a domain and a vCPU that are nobody's */
#define TRACE_IDLE   0x7fffu     /* the domain of idle CPUs */

/* Whose time it is: a vCPU as the hypervisor writes it, the domain in the upper half. */
typedef uint32_t trace_who;

static inline unsigned int who_domain(trace_who who)
{
    return who >> 16;
}

static inline unsigned int who_vcpu(trace_who who)
{
    return who & 0xffff;
}

/* What a CPU does. HYPERCALL to SWITCH are in the hypervisor, on behalf of the guest. */
enum trace_doing { DOING_IDLE, DOING_KERNEL, DOING_USER, DOING_HYPERCALL, DOING_TRAP, DOING_USER_CALL, DOING_SWITCH };

struct trace_span {
    uint64_t from, to; /* TSC */
    trace_who who;
    uint8_t cpu, doing; /* enum trace_doing */
    uint16_t code, sub; /* of a hypercall; a vector is a code */
};

typedef void trace_span_fn(void *own, const struct trace_span *span);

struct trace_story {
    trace_span_fn *span; /* for each stretch whose owner is known */
    void *own;
    struct trace_span now[TRACE_CPUS]; /* from, who, doing ... of what goes on */
};

void story_begin(struct trace_story *story, trace_span_fn *span, void *own);

/* Whom the record is about: TRACE_NO_WHO when that is not known. */
trace_who story_add(struct trace_story *story, const struct trace_record *record);

/* Ends what goes on, at this time. */
void story_end(struct trace_story *story, uint64_t tsc);

/* A hypercall record: number, and the sub-operation if the call has such and the record tells it. */
unsigned int record_hypercall(const struct trace_record *record, unsigned int *sub);
bool hypercall_has_sub(unsigned int op, unsigned int sub); /* names.c: abi/hypercalls.tbl knows it */

/* The vector of a trap, page fault or user call. */
unsigned int record_vector(const struct trace_record *record);

/* rip, and the address of a page fault. */
uint64_t record_rip(const struct trace_record *record);
uint64_t record_address(const struct trace_record *record);

#endif
