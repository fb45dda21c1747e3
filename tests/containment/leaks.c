/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a guest is told beyond what it asked: memory that was another's, the padding of answers, registers after calls
 * and in exception frames, a vCPU's first state. Answers are asked for twice, over two fillings of the buffer: a byte
 * that differs was not written; one that was written must be a field or zero. Anything that looks like an address of
 * the hypervisor's own is a leak wherever it stands.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/memory.h>
#include <abi/vcpu.h>
#include <abi/version.h>
#include <pv/grant.h>
#include "attack.h"
#include "../../guest-pv/core/internal.h"

#define PATTERN 0x5ec2e75ec2e7ULL

static uint8_t first[4096] __attribute__((aligned(64))), second[4096] __attribute__((aligned(64)));

/* The hypervisor's half of a 64-bit address space; its M2P there is known to all. */
static bool is_secret(uint64_t word)
{
    return word >= 0xffff808000000000ULL && word < 0xffff880000000000ULL;
}

static bool no_secret(const void *from, size_t size)
{
    const uint8_t *at = from;
    uint64_t word;

    for (size_t i = 0; i + sizeof(word) <= size; i += 4) {
        memcpy(&word, at + i, sizeof(word));
        if (is_secret(word))
            return false;
    }
    return true;
}

static bool page_is_zero(const unsigned long *page)
{
    for (unsigned long i = 0; i < PAGE_SIZE / sizeof(*page); i++)
        if (page[i] != 0)
            return false;
    return true;
}

/* Its owner's words are gone from a page before somebody else has it. */
static void test_fresh_memory(void)
{
    enum { COUNT = 512 };
    static xen_pfn_t frames[COUNT];
    struct xen_memory_reservation r = {.nr_extents = COUNT, .domid = DOMID_SELF};
    bool clean = true;
    uint64_t *at;
    long got;

    check_group("memory that another domain may have had");
    for (unsigned int i = 0; i < COUNT; i++)
        frames[i] = (xen_pfn_t)(pfn_limit() + i);
    set_xen_guest_handle(r.extent_start, frames);
    got = HYPERVISOR_memory_op(XENMEM_populate_physmap, &r);
    CHECK(got > 0, "a guest below its maximum may have more");
    for (long i = 0; i < got; i++) {
        at = map_frames(&frames[i], 1, DOMID_SELF, PTE_KERNEL_RW, NULL);
        clean = clean && at != NULL && page_is_zero((unsigned long *)at);
        for (unsigned int k = 0; at != NULL && k < PAGE_SIZE / sizeof(*at); k++)
            at[k] = PATTERN; /* for whoever has it next: there must be nothing of it */
        if (at != NULL)
            unmap_frames(at, 1);
    }
    CHECK(clean, "all of it is zero");
    r.nr_extents = (unsigned long)(got > 0 ? got : 0);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), got, "it goes back");
}

/* Exchanged frames come from the same heap, by another way. */
static void test_exchange(void)
{
    xen_pfn_t in, out;
    struct xen_memory_exchange e = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1, .domid = DOMID_SELF}};
    char *page = pages_alloc(1);
    bool clean = true;

    check_group("memory exchanged");
    out = (xen_pfn_t)virt_to_pfn(page);
    set_xen_guest_handle(e.in.extent_start, &in);
    set_xen_guest_handle(e.out.extent_start, &out);
    for (unsigned int round = 0; round < 32; round++) {
        memset(page, 0x5e, PAGE_SIZE);
        in = (xen_pfn_t)virt_to_mfn(page);
        pte_write(page, 0);
        out = (xen_pfn_t)virt_to_pfn(page);
        e.nr_exchanged = 0;
        if (HYPERVISOR_memory_op(XENMEM_exchange, &e) != 0) {
            CHECK(false, "a frame can be exchanged");
            return;
        }
        p2m_set(virt_to_pfn(page), (unsigned long)out);
        pte_write(page, pte_make((unsigned long)out, PTE_KERNEL_RW));
        clean = clean && page_is_zero((unsigned long *)page);
    }
    CHECK(clean, "what came is zero, also when it is what we gave before");
}

struct question {
    const char *what;
    long (*ask)(void *answer);
    unsigned int gaps[8]; /* pairs: from, to (exclusive) of padding; 0, 0 ends */
};

static long ask_runstate(void *answer)
{
    return HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, answer);
}

static long ask_features(void *answer)
{
    ((struct xen_feature_info *)answer)->submap_idx = 0;
    return HYPERVISOR_xen_version(XENVER_get_features, answer);
}

static long ask_compile(void *answer)
{
    return HYPERVISOR_xen_version(XENVER_compile_info, answer);
}

static long ask_extra(void *answer)
{
    return HYPERVISOR_xen_version(XENVER_extraversion, answer);
}

static long ask_capabilities(void *answer)
{
    return HYPERVISOR_xen_version(XENVER_capabilities, answer);
}

static long ask_changeset(void *answer)
{
    return HYPERVISOR_xen_version(XENVER_changeset, answer);
}

static long ask_handle(void *answer)
{
    return HYPERVISOR_xen_version(XENVER_guest_handle, answer);
}

static long ask_status(void *answer)
{
    *(struct evtchn_status *)answer = (struct evtchn_status){.dom = DOMID_SELF, .port = 1};
    return HYPERVISOR_event_channel_op(EVTCHNOP_status, answer);
}

static long ask_size(void *answer)
{
    ((struct gnttab_query_size *)answer)->dom = DOMID_SELF;
    return HYPERVISOR_grant_table_op(GNTTABOP_query_size, answer, 1);
}

static long ask_machphys(void *answer)
{
    return HYPERVISOR_memory_op(XENMEM_machphys_mapping, answer);
}

static long ask_map(void *answer)
{
    struct xen_memory_map map = {.nr_entries = 64};

    set_xen_guest_handle(map.buffer, answer);
    return HYPERVISOR_memory_op(XENMEM_memory_map, &map);
}

/* A register that comes back from a call must be the guest's own. */
static void test_answers(void)
{
    static const struct question questions[] = {
#ifdef __x86_64__
        {"a vCPU's run state", ask_runstate, {4, 8}},
        {"its registered run state", register_runstate, {4, 8}},
#else
        {"a vCPU's run state", ask_runstate, {0}},
        {"its registered run state", register_runstate, {0}},
#endif
        {"its registered time", register_time, {30, 32}},
        {"features", ask_features, {0}},
        {"who compiled", ask_compile, {0}},
        {"the version's name", ask_extra, {0}},
        {"capabilities", ask_capabilities, {0}},
        {"the changeset", ask_changeset, {0}},
        {"the domain's handle", ask_handle, {0}},
        {"a port", ask_status, {0}},
        {"a grant table's size", ask_size, {14, 16}},
        {"the M2P's place", ask_machphys, {0}},
        {"the memory map", ask_map, {0}},
    };

    check_group("answers");
    for (unsigned int i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        const struct question *q = &questions[i];
        bool good = true;

        memset(first, 0xA7, sizeof(first));
        memset(second, 0x58, sizeof(second));
        q->ask(first);
        q->ask(second);
        for (unsigned int gap = 0; gap < 8 && q->gaps[gap + 1] != 0; gap += 2)
            for (unsigned int at = q->gaps[gap]; at < q->gaps[gap + 1]; at++)
                good = good && (first[at] == 0 || first[at] == 0xA7) && (second[at] == 0 || second[at] == 0x58);
        if (q->ask != ask_machphys)
            good = good && no_secret(first, 512) && no_secret(second, 512);
        for (unsigned int at = 1100; at < sizeof(first) && q->ask != ask_map; at++)
            good = good && first[at] == 0xA7 && second[at] == 0x58;
        CHECK(good, q->what);
    }
    memset(second, 0, sizeof(second));
    register_time(second);
    register_runstate(second + 1024);
}

static struct trap_frame seen;

static bool remember(struct trap_frame *frame)
{
    seen = *frame;
    return true;
}

/* Fields narrower than the word they lie in: what is above them came from somewhere. */
static void test_frames(void)
{
    trap_handler_t *before = trap_set_handler(TRAP_BP, remember);

    check_group("exception frames");
    __asm__ volatile("int3");
#ifdef __x86_64__
    CHECK_EQ(seen.cs & ~0xff0000ffffUL, 0, "beside selector and event mask the word of cs is zero");
    CHECK_EQ(seen.flags >> 22, 0, "above the flags there is nothing");
#else
    CHECK_EQ(seen.cs & ~0xff00ffffUL, 0, "beside selector and event mask the word of cs is zero");
#endif
    CHECK_EQ(seen.flags & 0x3000, 0, "the true privilege level is not told");
#ifdef __x86_64__
    CHECK_EQ(seen.ss & ~0xffffUL, 0, "beside the selector the word of ss is zero");
    CHECK(no_secret(&seen, sizeof(seen)), "no register or word of the frame is the hypervisor's");
#endif
    trap_set_handler(TRAP_BP, before);
}

static uint8_t other_fpu[512] __attribute__((aligned(16)));
static volatile bool fpu_saved;

static void save_fpu(void *arg)
{
    __asm__ volatile("fxsave %0" : "=m"(other_fpu));
    fpu_saved = true;
}

/* The vector registers of whoever ran there before hold its keys. */
static void test_new_vcpu(void)
{
    static const uint8_t zero[256];

    check_group("a vCPU's first state");
    if (smp_cpu_count() < 2)
        return;
    CHECK_EQ(smp_start(1, save_fpu, NULL), 0, "a vCPU starts");
    while (!fpu_saved)
        ;
#ifdef __x86_64__
    CHECK(memcmp(other_fpu + 160, zero, 256) == 0, "its vector registers are zero");
#else
    CHECK(memcmp(other_fpu + 160, zero, 128) == 0, "its vector registers are zero");
#endif
    CHECK(memcmp(other_fpu + 32, zero, 128) == 0, "so are those of the x87");
}

#ifdef __x86_64__
/* All registers as a call left them. */
static void test_registers(void)
{
    static unsigned long regs[13];
    bool good = true;

    check_group("registers after a call");
    for (unsigned long number = 0; number < 64; number++) {
        unsigned long result = number;

        if (number == __HYPERVISOR_iret || number == __HYPERVISOR_set_trap_table ||
            number == __HYPERVISOR_set_callbacks || number == __HYPERVISOR_stack_switch ||
            number == __HYPERVISOR_set_gdt || number == __HYPERVISOR_set_segment_base ||
            number == __HYPERVISOR_fpu_taskswitch || number == __HYPERVISOR_sched_op ||
            number == __HYPERVISOR_sched_op_compat || number == __HYPERVISOR_set_timer_op ||
            number == __HYPERVISOR_set_debugreg)
            continue;
        __asm__ volatile("mov $-1, %%edi; mov $-1, %%esi; mov $-1, %%edx; mov $-1, %%r10d; mov $-1, %%r8d\n\t"
                         "syscall\n\t"
                         "mov %%rbx, 0(%1); mov %%rcx, 8(%1); mov %%rdx, 16(%1); mov %%rsi, 24(%1)\n\t"
                         "mov %%rdi, 32(%1); mov %%r8, 40(%1); mov %%r9, 48(%1); mov %%r10, 56(%1)\n\t"
                         "mov %%r11, 64(%1); mov %%r13, 72(%1); mov %%r14, 80(%1); mov %%r15, 88(%1)\n\t"
                         "mov %%rbp, 96(%1)"
                         : "+a"(result)
                         : "r"(regs)
                         : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
        good = good && no_secret(regs, 13 * sizeof(regs[0])) && !is_secret(result);
    }
    CHECK(good, "no register is the hypervisor's");
}
#endif

static void test_shared_pages(void)
{
    unsigned int entries;
    const struct grant_entry_v1 *table = grant_table(&entries);

    check_group("pages we are given");
    CHECK(no_secret((const void *)shared_info, PAGE_SIZE), "the shared page holds no address of the hypervisor's");
    CHECK(no_secret(start_info, PAGE_SIZE), "nor does the builder's");
    CHECK(table != NULL && no_secret(table, PAGE_SIZE), "nor the grant table");
}

int main(int argc, char **argv)
{
    test_fresh_memory();
    test_exchange();
    test_answers();
    test_frames();
    test_new_vcpu();
#ifdef __x86_64__
    test_registers();
#endif
    test_shared_pages();
    check_summary("contain-leaks");
    return 0;
}
