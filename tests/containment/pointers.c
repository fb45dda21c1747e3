/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses that a guest hands over. The hypervisor reads and writes there with its own rights: an address of its own, one
 * that runs into it, that wraps around, or that is none at all must be refused before, not after.
 */
#include "attack.h"

#ifdef __x86_64__
static const unsigned long bad_places[] = {
    0xffff800000000000UL,
    0xffff808000000000UL,
    0xffff828000000000UL,
    0xffff828020007000UL,
    0xffff828028000000UL,
    0xffff828040000000UL,
    0xffff830000000000UL,
    0xffff830000200000UL,
    0xffff87fffffffff8UL,
    0xffff87ffffffffffUL,
    NON_CANONICAL,
    NON_CANONICAL - 1,
    NON_CANONICAL - 4,
    0x8000000000000000UL,
    0xfffffffffffffff9UL,
    ~0UL,
    ~7UL,
};
#else
static const unsigned long bad_places[] = {
    0xf57ffffcUL, 0xf57fffffUL, 0xf5800000UL, 0xf5c00000UL, 0xfc000000UL, 0xffbfffffUL, 0xfffffffcUL, 0xffffffffUL,
};
#endif
#define PLACES (sizeof(bad_places) / sizeof(bad_places[0]))

static bool readable(unsigned long at)
{
    return sizeof(long) == 4 && at >= 0xf5800000UL && at < 0xf5c00000UL; /* the table of frames, for all to read */
}

/* Every hypercall with a pointer, to write results to. */
static void results_written(void)
{
    check_group("results");
    for (unsigned int i = 0; i < PLACES; i++) {
        void *at = (void *)bad_places[i];
        unsigned int dummy = 0;
        for (int command = 0; command < 12; command++)
            if (command != XENVER_version && command != XENVER_pagesize && command != XENVER_guest_handle)
                CHECK(HYPERVISOR_xen_version(command, at) < 0, "of xen_version");
        CHECK(HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, at) < 0, "of vcpu_op");
        CHECK(HYPERVISOR_memory_op(XENMEM_memory_map, at) < 0, "of memory_op: the map");
        CHECK(HYPERVISOR_memory_op(XENMEM_machphys_mapping, at) < 0, "the mapping");
        CHECK(HYPERVISOR_memory_op(XENMEM_exchange, at) < 0, "an exchange");
        if (!readable(bad_places[i])) {
            CHECK(HYPERVISOR_memory_op(XENMEM_current_reservation, at) < 0, "a question about a domain");
            CHECK(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, at) < 0, "of event channels");
            CHECK(HYPERVISOR_event_channel_op(EVTCHNOP_status, at) < 0, "their state");
            CHECK(HYPERVISOR_grant_table_op(GNTTABOP_query_size, at, 1) < 0, "of grants");
            CHECK(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, at, 1) < 0, "of their set-up");
            CHECK(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, at) < 0, "of devices");
            CHECK(HYPERVISOR_sched_op(SCHEDOP_poll, at) < 0, "of the scheduler");
            CHECK(HYPERVISOR_callback_op(CALLBACKOP_register, at) < 0, "of callbacks");
            CHECK(HYPERVISOR_mmuext_op(at, 1, NULL, DOMID_SELF) < 0, "of mmuext_op");
            CHECK(HYPERVISOR_mmu_update(at, 1, &dummy, DOMID_SELF) < 0, "of mmu_update");
            CHECK(HYPERVISOR_multicall(at, 1) < 0, "of multicall");
            CHECK(HYPERVISOR_set_trap_table(at) < 0, "of the trap table");
            CHECK(HYPERVISOR_set_gdt(at, 512) < 0, "of the descriptor table");
            CHECK(HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, 0, at) < 0, "of vcpu_info");
            CHECK(HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, at) < 0, "of timers");
        }
    }
}

/* Counts of done work go back through a pointer of their own. It must not be trusted more because the list was good: what
 * cannot be told there is lost, and what is there stays. */
static void counts_written(void)
{
    struct mmu_update update = {.ptr = 0};
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    pte_t *top = (pte_t *)(unsigned long)start_info->pt_base, before = top[0];

    check_group("counts of what was done");
    for (unsigned int i = 0; i < PLACES; i++) {
        HYPERVISOR_mmuext_op(&op, 1, (unsigned int *)bad_places[i], DOMID_SELF);
        HYPERVISOR_mmu_update(&update, 0, (unsigned int *)bad_places[i], DOMID_SELF);
        HYPERVISOR_mmu_update(&update, 0x80000000U, (unsigned int *)bad_places[i], DOMID_SELF);
        CHECK_EQ(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), 0, "nothing is hurt");
    }
    HYPERVISOR_mmuext_op(&op, 1, (unsigned int *)top, DOMID_SELF);
    CHECK(((top[0] ^ before) & ~(PTE_A | PTE_D)) == 0, "a page table is not written either");
}

/* A list whose length times its element wraps around ends before it begins, and a check of its end says nothing. */
static void lengths_that_wrap(void)
{
    struct mmu_update update = {.ptr = 7, .val = 0};
    static const unsigned int counts[] = {0x10000000U, 0x10000001U, 0x7fffffffU, 0x20000000U, 0x15555556U, 0x1fffffffU};

    check_group("lengths that wrap around");
    for (unsigned int i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct mmuext_op op = {.cmd = 99};
        unsigned long top = -(counts[i] * 32UL) | 0x10;
        CHECK(HYPERVISOR_mmu_update(&update, counts[i], NULL, DOMID_SELF) < 0, "of mmu_update");
        CHECK(HYPERVISOR_mmuext_op(&op, counts[i], NULL, DOMID_SELF) < 0, "of mmuext_op");
        CHECK(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, (void *)top, counts[i]) != 0, "of grants");
    }
}

/* Addresses that are only kept now and written to later, when nobody looks at a result: of the run state, of time. */
static void kept_for_later(void)
{
    struct vcpu_register_runstate_memory_area area;
    static struct vcpu_runstate_info good;

    check_group("addresses kept for later");
    for (unsigned int i = 0; i < PLACES; i++) {
        memset(&area, 0, sizeof(area));
        area.addr.p = bad_places[i];
        CHECK(HYPERVISOR_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area) < 0 || sizeof(long) == 4,
              "a run state's is checked at once");
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        CHECK(HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &area) < 0 || sizeof(long) == 4,
              "the time's too");
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    }
    memset(&area, 0, sizeof(area));
    set_xen_guest_handle(area.addr.h, &good);
    CHECK_EQ(HYPERVISOR_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area), 0, "a good one is taken");
    for (unsigned long offset = PAGE_SIZE - 63; offset < PAGE_SIZE + 8; offset++) {
        struct vcpu_register_vcpu_info info = {.mfn = virt_to_mfn(&good), .offset = (uint32_t)offset};
        CHECK(HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, 0, &info) < 0, "a vCPU's page ends where the page does");
    }
    {
        struct vcpu_register_vcpu_info info = {.mfn = foreign_mfn()};
        CHECK(HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, 0, &info) < 0, "and is no frame of another's");
        info.mfn = top_mfn();
        CHECK(HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, 0, &info) < 0, "nor a page table");
    }
}

/* Where the hypervisor is to enter the kernel, its stack, its segments: used on each way out, loaded into registers
 * that fault on addresses that are none. */
static void entries_and_bases(void)
{
    static const unsigned long values[] = {
#ifdef __x86_64__
        NON_CANONICAL, 0xffff7fffffffffffUL, 0x8000000000000000UL, 1UL << 48, 1UL << 62,
#else
        0xffffffffUL,
#endif
    };

    check_group("entries and segment bases");
    for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
#ifdef __x86_64__
        struct trap_info traps[2] = {{.vector = 99, .cs = 0xe033, .address = values[i]}, {0}};
        for (int which = 0; which < 3; which++)
            CHECK(pv_hypercall2(__HYPERVISOR_set_segment_base, (unsigned long)which, values[i]) < 0,
                  "a base that is none");
        for (uint16_t type = 0; type < 8; type++) {
            struct callback_register reg = {.type = type, .address = values[i]};
            CHECK(HYPERVISOR_callback_op(CALLBACKOP_register, &reg) < 0, "a callback");
        }
        CHECK(HYPERVISOR_set_trap_table(traps) < 0, "a trap's handler");
        CHECK(pv_hypercall3(__HYPERVISOR_set_callbacks, values[i], 0, 0) < 0, "callbacks, of old");
        for (unsigned int selector = 0; selector < 0x10000; selector += 0x333)
            pv_hypercall2(__HYPERVISOR_set_segment_base, 3, selector);
        pv_hypercall2(__HYPERVISOR_set_segment_base, 3, 0);
#endif
        for (unsigned int reg = 0; reg < 9; reg++)
            HYPERVISOR_set_debugreg(reg, values[i]);
    }
    for (unsigned int reg = 0; reg < 4; reg++) {
#ifdef __x86_64__
        CHECK(HYPERVISOR_set_debugreg(reg, HV_DATA) < 0, "no breakpoint on the hypervisor");
        CHECK(HYPERVISOR_set_debugreg(reg, 0xffff828000000000UL) < 0, "nor in its code");
#endif
        CHECK_EQ(HYPERVISOR_set_debugreg(reg, 0), 0, "none on nothing");
    }
    CHECK(HYPERVISOR_set_debugreg(7, 0x2000) < 0, "no trap on access to the debug registers");
}

/* A context for a vCPU that does not run yet holds every register there is; each goes into the processor once. */
static void contexts(void)
{
    static struct vcpu_guest_context context;
    unsigned char *bytes = (unsigned char *)&context;

    check_group("contexts of vCPUs");
    if (smp_cpu_count() < 2)
        return;
    for (unsigned int at = 0; at < sizeof(context); at += sizeof(long)) {
        memset(&context, 0, sizeof(context));
        context.flags = VGCF_IN_KERNEL | VGCF_I387_VALID;
        context.user_regs.cs = 0xe008;
        memset(bytes + at, 0xff, sizeof(long));
        CHECK(HYPERVISOR_vcpu_op(VCPUOP_initialise, 1, &context) < 0, "without tables it does not run");
    }
    memset(&context, 0xff, sizeof(context));
    CHECK(HYPERVISOR_vcpu_op(VCPUOP_initialise, 1, &context) < 0, "nor with nothing but ones");
}

/* Wild values where nothing refuses them: vector state with reserved bits, debug registers, flags. The vCPU is started
 * with them and must only hurt itself. */
static volatile unsigned long began;

static void begin(void)
{
    began = 1;
    for (;;)
        HYPERVISOR_vcpu_op(VCPUOP_down, 1, NULL);
}

static void wild_context(void)
{
    static struct vcpu_guest_context context;
    static char stack[PAGE_SIZE] __attribute__((aligned(16)));

    check_group("a wild context");
    if (smp_cpu_count() < 2)
        return;
    memset(&context.fpu_ctxt, 0xff, sizeof(context.fpu_ctxt));
    context.flags = VGCF_IN_KERNEL | VGCF_I387_VALID | VGCF_online;
    for (int i = 0; i < 8; i++)
        context.debugreg[i] = ~0UL;
    context.ctrlreg[0] = context.ctrlreg[2] = context.ctrlreg[4] = ~0UL;
    context.user_regs.ds = context.user_regs.es = context.user_regs.fs = context.user_regs.gs = 0xe008;
#ifdef __x86_64__
    context.user_regs.rip = (unsigned long)begin;
    context.user_regs.rsp = context.kernel_sp = (unsigned long)stack + sizeof(stack) - 8;
    context.user_regs.rflags = ~0x100UL;
    context.ctrlreg[3] = top_mfn() << 12;
    context.failsafe_callback_eip = (unsigned long)begin;
#else
    context.user_regs.eip = context.failsafe_callback_eip = (unsigned long)begin;
    context.user_regs.esp = context.kernel_sp = (unsigned long)stack + sizeof(stack) - 16;
    context.user_regs.eflags = ~0x100UL;
    context.ctrlreg[3] = top_mfn() << 12 | top_mfn() >> 20;
#endif
    context.user_regs.cs = sizeof(long) == 8 ? 0xe033 : 0xe019;
    context.user_regs.ss = sizeof(long) == 8 ? 0xe02b : 0xe021;
#ifndef __x86_64__
    context.failsafe_callback_cs = 0xe019;
#endif
    context.kernel_ss = context.user_regs.ss;
    if (HYPERVISOR_vcpu_op(VCPUOP_initialise, 1, &context) != 0)
        return;
    HYPERVISOR_vcpu_op(VCPUOP_up, 1, NULL);
    for (int i = 0; i < 100 && !began; i++)
        time_spin_ns(1000000);
    CHECK(began, "the vCPU runs, with what is allowed of it");
}

int main(int argc, char **argv)
{
    results_written();
    counts_written();
    lengths_that_wrap();
    kept_for_later();
    entries_and_bases();
    contexts();
    wild_context();
    return check_summary("pointers");
}
