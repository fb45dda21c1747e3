/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From records to what happened; see story.h.
 */
#include "story.h"

#include <string.h>

#define VECTOR_PAGE_FAULT 14

void story_begin(struct trace_story *story, trace_span_fn *span, void *own)
{
    memset(story, 0, sizeof(*story));
    story->span = span;
    story->own = own;
    for (unsigned int cpu = 0; cpu < TRACE_CPUS; cpu++)
        story->now[cpu].who = TRACE_NO_WHO;
}

unsigned int record_hypercall(const struct trace_record *record, unsigned int *sub)
{
    bool has_first = record->words > 1 && record->extra[0] & TRC_PV_HYPERCALL_V2_ARG_32(0);
    unsigned int op = record->extra[0] & ~TRC_PV_HYPERCALL_V2_ARG_MASK;

    *sub = has_first && hypercall_has_sub(op, record->extra[1]) ? record->extra[1] : TRACE_NO_SUB;
    return op;
}

static unsigned int address_words(const struct trace_record *record)
{
    return record->event & TRC_64_FLAG ? 2 : 1;
}

static uint64_t address_at(const struct trace_record *record, unsigned int index)
{
    uint64_t low = record->extra[index];

    return record->event & TRC_64_FLAG ? low | (uint64_t)record->extra[index + 1] << 32 : low;
}

unsigned int record_vector(const struct trace_record *record)
{
    uint32_t event = record->event & ~(uint32_t)TRC_64_FLAG;

    if (event == TRC_PV_PAGE_FAULT)
        return VECTOR_PAGE_FAULT;
    return record->extra[address_words(record)] & (event == TRC_PV_TRAP ? 0x7fffu : 0xffffu);
}

uint64_t record_rip(const struct trace_record *record)
{
    if (record->event == PARAVANE_ABI_TRC_RETURN)
        return record->extra[2] | (uint64_t)record->extra[3] << 32;
    return address_at(record, 0);
}

uint64_t record_address(const struct trace_record *record)
{
    return address_at(record, address_words(record));
}

static void change(struct trace_span *now, enum trace_doing doing, unsigned int code, unsigned int sub)
{
    now->doing = (uint8_t)doing;
    now->code = (uint16_t)code;
    now->sub = (uint16_t)sub;
}

/* Ends a stretch; what follows is told by the record. */
static void close_span(struct trace_story *story, struct trace_span *now, uint64_t tsc)
{
    now->to = tsc;
    if (now->who != TRACE_NO_WHO && now->to > now->from)
        story->span(story->own, now);
    now->from = tsc;
}

static void enter(struct trace_span *now, const struct trace_record *record)
{
    unsigned int sub, op;

    switch (record->event & ~(uint32_t)TRC_64_FLAG) {
    case TRC_PV_HYPERCALL_V2:
        op = record_hypercall(record, &sub);
        change(now, DOING_HYPERCALL, op, sub);
        break;
    case TRC_PV_TRAP:
    case TRC_PV_PAGE_FAULT:
        change(now, DOING_TRAP, record_vector(record), TRACE_NO_SUB);
        break;
    default:
        change(now, DOING_USER_CALL, record_vector(record), TRACE_NO_SUB);
        break;
    }
}

trace_who story_add(struct trace_story *story, const struct trace_record *record)
{
    struct trace_span *now = &story->now[record->cpu % TRACE_CPUS];

    now->cpu = record->cpu;
    switch (record->event & ~(uint32_t)TRC_64_FLAG) {
    case TRC_PV_HYPERCALL_V2:
    case TRC_PV_TRAP:
    case TRC_PV_PAGE_FAULT:
    case PARAVANE_ABI_TRC_USER_CALL:
        close_span(story, now, record->tsc);
        enter(now, record);
        return now->who;
    case PARAVANE_ABI_TRC_RETURN:
        close_span(story, now, record->tsc);
        now->who = record->extra[0];
        change(now, record->extra[1] & PARAVANE_ABI_TRC_USER ? DOING_USER : DOING_KERNEL, 0, TRACE_NO_SUB);
        return now->who;
    case TRC_SCHED_SWITCH:
        close_span(story, now, record->tsc);
        now->who = record->extra[2] << 16 | (record->extra[3] & 0xffff);
        change(now, who_domain(now->who) == TRACE_IDLE ? DOING_IDLE : DOING_SWITCH, 0, TRACE_NO_SUB);
        return now->who;
    case TRC_SCHED_CONTINUE_RUNNING:
        close_span(story, now, record->tsc);
        now->who = record->extra[0];
        change(now, who_domain(now->who) == TRACE_IDLE ? DOING_IDLE : DOING_KERNEL, 0, TRACE_NO_SUB);
        return now->who;
    case TRC_LOST_RECORDS:
        now->who = TRACE_NO_WHO;
        return record->extra[1];
    default:
        if ((record->event & ~0xff0u) == TRC_SCHED_RUNSTATE_CHANGE)
            return record->extra[0];
        return now->who;
    }
}

void story_end(struct trace_story *story, uint64_t tsc)
{
    for (unsigned int cpu = 0; cpu < TRACE_CPUS; cpu++)
        close_span(story, &story->now[cpu], tsc);
}
