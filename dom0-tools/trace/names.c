/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What records and their parts are called; see names.h. Hypercalls have the names of abi/hypercalls.tbl.
 */
#include "names.h"

#include <stdio.h>
#include <string.h>

#include <hypercall_names.h>

static const struct {
    uint32_t event, mask;
    const char *name;
} events[] = {
    {TRC_PV_HYPERCALL_V2, ~0u, "hypercall"},
    {TRC_PV_HYPERCALL_SUBCALL, ~0u, "subcall"},
    {TRC_PV_TRAP, ~(uint32_t)TRC_64_FLAG, "trap"},
    {TRC_PV_PAGE_FAULT, ~(uint32_t)TRC_64_FLAG, "page-fault"},
    {PARAVANE_ABI_TRC_USER_CALL, ~(uint32_t)TRC_64_FLAG, "user-call"},
    {PARAVANE_ABI_TRC_RETURN, ~0u, "return"},
    {TRC_SCHED_SWITCH, ~0u, "switch"},
    {TRC_SCHED_RUNSTATE_CHANGE, ~0xff0u, "runstate"},
    {TRC_SCHED_CONTINUE_RUNNING, ~0u, "running"},
    {TRC_LOST_RECORDS, ~0u, "lost"},
};
#define EVENT_COUNT (sizeof(events) / sizeof(events[0]))

const char *event_name(uint32_t event)
{
    for (size_t i = 0; i < EVENT_COUNT; i++)
        if ((event & events[i].mask) == events[i].event)
            return events[i].name;
    return "other";
}

bool event_name_known(const char *name)
{
    for (size_t i = 0; i < EVENT_COUNT; i++)
        if (strcmp(events[i].name, name) == 0)
            return true;
    return strcmp(name, "other") == 0;
}

static const char *sub_name(unsigned int op, unsigned int sub)
{
    for (size_t i = 0; i < sizeof(hypercall_sub_names) / sizeof(hypercall_sub_names[0]); i++)
        if (hypercall_sub_names[i].call == op && hypercall_sub_names[i].sub == sub)
            return hypercall_sub_names[i].name;
    return NULL;
}

bool hypercall_has_sub(unsigned int op, unsigned int sub)
{
    return sub < TRACE_NO_SUB && sub_name(op, sub) != NULL;
}

void hypercall_name(unsigned int op, unsigned int sub, char name[TRACE_NAME_SIZE])
{
    const char *call = op < sizeof(hypercall_names) / sizeof(hypercall_names[0]) ? hypercall_names[op] : NULL;
    const char *part = sub != TRACE_NO_SUB ? sub_name(op, sub) : NULL;

    if (call == NULL)
        snprintf(name, TRACE_NAME_SIZE, "nr%u", op);
    else
        snprintf(name, TRACE_NAME_SIZE, "%s%s%s", call, part ? "." : "", part ? part : "");
}

void trap_name(unsigned int vector, char name[TRACE_NAME_SIZE])
{
    static const char *const traps[] = {
        "divide error",
        "debug",
        "NMI",
        "breakpoint",
        "overflow",
        "bound",
        "invalid opcode",
        "no device",
        "double fault",
        NULL,
        "invalid TSS",
        "segment not present",
        "stack fault",
        "general protection",
        "page fault",
        NULL,
        "x87 error",
        "alignment check",
        "machine check",
        "SIMD error",
    };

    if (vector < sizeof(traps) / sizeof(traps[0]) && traps[vector] != NULL)
        snprintf(name, TRACE_NAME_SIZE, "%s", traps[vector]);
    else
        snprintf(name, TRACE_NAME_SIZE, "vector %u", vector);
}

void domain_label(const struct trace_names *names, unsigned int domid, char name[TRACE_NAME_SIZE])
{
    const char *own = names->domain(names->own, domid);

    if (domid == TRACE_IDLE)
        snprintf(name, TRACE_NAME_SIZE, "idle");
    else if (own != NULL)
        snprintf(name, TRACE_NAME_SIZE, "%s", own);
    else
        snprintf(name, TRACE_NAME_SIZE, "d%u", domid);
}

static void what_name(uint64_t key, char name[TRACE_NAME_SIZE])
{
    static const char *const callers[] = {"system call", "int 0x80"};

    switch (key_doing(key)) {
    case DOING_HYPERCALL:
        hypercall_name(key_code(key), key_sub(key), name);
        break;
    case DOING_TRAP:
        trap_name(key_code(key), name);
        break;
    case DOING_USER_CALL:
        snprintf(name, TRACE_NAME_SIZE, "%s", callers[key_code(key) == 0x80]);
        break;
    default:
        snprintf(name, TRACE_NAME_SIZE, "switch to it");
        break;
    }
}

void frame_name(const struct trace_names *names, uint64_t key, unsigned int depth, char name[TRACE_NAME_SIZE])
{
    static const char *const places[] = {"idle", "kernel", "user", "hypervisor"};

    switch (depth) {
    case 0:
        domain_label(names, who_domain(key_who(key)), name);
        break;
    case 1:
        snprintf(name, TRACE_NAME_SIZE, "%s%u", who_domain(key_who(key)) == TRACE_IDLE ? "cpu" : "v",
                 who_vcpu(key_who(key)));
        break;
    case 2:
        snprintf(name, TRACE_NAME_SIZE, "%s", places[key_where(key) & 3]);
        break;
    default:
        what_name(key, name);
        break;
    }
}

static const char *runstate_name(uint32_t state)
{
    static const char *const names[] = {"running", "runnable", "blocked", "offline"};

    return names[state & 3];
}

/* A record may have more registers than the call reads. */
static unsigned int arguments(unsigned int op)
{
    return op < sizeof(hypercall_registers) ? hypercall_registers[op] : TRACE_EXTRA_MAX;
}

void record_detail(const struct trace_record *record, char *text, size_t size)
{
    uint32_t event = record->event & ~(uint32_t)TRC_64_FLAG;
    const uint32_t *extra = record->extra;
    char name[TRACE_NAME_SIZE];
    unsigned int op, sub;

    if (event == TRC_PV_HYPERCALL_V2 || event == TRC_PV_HYPERCALL_SUBCALL) {
        op = record_hypercall(record, &sub);
        hypercall_name(op, sub, name);
        snprintf(text, size, "%s", name);
        for (unsigned int i = sub == TRACE_NO_SUB ? 1 : 2; i < record->words && i <= arguments(op); i++)
            snprintf(text + strlen(text), size - strlen(text), " 0x%x", extra[i]);
    } else if (event == TRC_PV_TRAP) {
        trap_name(record_vector(record), name);
        snprintf(text, size, "%s at 0x%llx", name, (unsigned long long)record_rip(record));
    } else if (event == TRC_PV_PAGE_FAULT) {
        snprintf(text, size, "on 0x%llx at 0x%llx", (unsigned long long)record_address(record),
                 (unsigned long long)record_rip(record));
    } else if (event == PARAVANE_ABI_TRC_USER_CALL) {
        snprintf(text, size, "%s at 0x%llx", record_vector(record) == 0x80 ? "int 0x80" : "system call",
                 (unsigned long long)record_rip(record));
    } else if (event == PARAVANE_ABI_TRC_RETURN) {
        snprintf(text, size, "to %s at 0x%llx", extra[1] & PARAVANE_ABI_TRC_USER ? "user" : "kernel",
                 (unsigned long long)record_rip(record));
    } else if (event == TRC_SCHED_SWITCH) {
        snprintf(text, size, "from d%uv%u to d%uv%u", extra[0], extra[1], extra[2], extra[3]);
    } else if ((event & ~0xff0u) == TRC_SCHED_RUNSTATE_CHANGE) {
        snprintf(text, size, "%s to %s", runstate_name(record->event >> 8), runstate_name(record->event >> 4));
    } else if (event == TRC_SCHED_CONTINUE_RUNNING) {
        snprintf(text, size, "when tracing began");
    } else if (event == TRC_LOST_RECORDS) {
        snprintf(text, size, "%u records", extra[0]);
    } else {
        snprintf(text, size, "0x%x", record->event);
    }
}
