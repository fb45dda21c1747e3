/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Places in a guest's memory that the hypervisor writes to later: the run state, the time, a vCPU's own page. The guest
 * names them once and then does with them what it likes: takes the mapping away, makes the page a page table, gives the
 * frame back, moves the address into another mapping. What the hypervisor writes must follow the guest's own rights at
 * that moment, and a frame it holds must stay a frame it may write to. And timers set to moments that cannot be.
 */
#include <abi/event_channel.h>
#include <abi/memory.h>
#include <abi/vcpu.h>
#include <pv/event.h>
#include <pv/threads.h>
#include "attack.h"
#include "../../guest-pv/core/internal.h"

static char *page, *window;
static struct vcpu_guest_context wild_context[1];

/* Leaves the CPU and comes back, so that both areas are written. */
static void sleep_a_little(void)
{
    for (unsigned int i = 0; i < 5; i++)
        thread_sleep_ns(2000000);
}

static bool all_are(const char *from, char byte)
{
    for (unsigned long i = 0; i < PAGE_SIZE; i++)
        if (from[i] != byte)
            return false;
    return true;
}

static void test_page_table_behind(long (*register_area)(void *))
{
    memset(page, 0, PAGE_SIZE);
    set_pte(window, pte_make(virt_to_mfn(page), PTE_KERNEL_RW));
    CHECK_EQ(register_area(window + 64), 0, "an area is named");
    sleep_a_little();
    CHECK(!all_are(page, 0), "and written to");
    set_pte(window, pte_make(virt_to_mfn(page), PTE_KERNEL_RO));
    memset(page, 0, PAGE_SIZE);
    pages_protect(page, 1, false);
    CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(page)), 0, "its page becomes a page table");
    sleep_a_little();
    CHECK(all_are(page, 0), "then nothing is written there: entries would appear that nobody checked");
    mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(page));
    pages_protect(page, 1, true);
    set_pte(window, 0);
    sleep_a_little();
    CHECK(all_are(page, 0), "nor when there is no mapping any more");
}

static void test_areas(void)
{
    char *other = pages_alloc(1);

    check_group("an area whose page becomes a table");
    test_page_table_behind(register_runstate);
    test_page_table_behind(register_time);
    check_group("areas where there is none");
    CHECK(register_runstate((void *)(HV_START + 0x1000)) != 0 || sizeof(long) == 4,
          "what the hypervisor has is not a guest's to name");
    sleep_a_little();
    CHECK_EQ(register_runstate(page + PAGE_SIZE - 8), 0, "one that runs out of its page is the guest's own affair");
    sleep_a_little();
    set_pte(window, pte_make(virt_to_mfn(page), PTE_KERNEL_RW));
    CHECK_EQ(register_runstate(window), 0, "an area in a mapping");
    memset(other, 0x3c, PAGE_SIZE);
    set_pte(window, pte_make(virt_to_mfn(other), PTE_KERNEL_RO));
    sleep_a_little();
    CHECK(all_are(other, 0x3c), "that becomes another page's, read-only: the page is not written");
    set_pte(window, 0);
    register_runstate(other);
    register_time(other + 1024);
    sleep_a_little();
}

static long register_info(unsigned int cpu, uint64_t mfn, uint32_t offset)
{
    struct vcpu_register_vcpu_info info = {.mfn = mfn, .offset = offset};

    return HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, cpu, &info);
}

/* The page is written by everyone who sends the vCPU an event: it stays writable and ours as long as the vCPU has it. */
static void test_vcpu_info(void)
{
    static const uint32_t offsets[] = {1, 2, 4096 - 63, 4096 - 32, 4096, 0x80000000, 0xffffffc0};
    char *info = pages_alloc(1), *table = (char *)new_table();
    uint64_t mfn = virt_to_mfn(info);
    xen_pfn_t frame = (xen_pfn_t)mfn;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    unsigned int cpu = smp_cpu_count() > 1 ? 1 : 0;
    bool refused = true;

    check_group("a vCPU's own page");
    for (unsigned int i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
        refused = refused && register_info(cpu, mfn, offsets[i]) != 0;
    CHECK(refused, "it is aligned and lies within one page");
    CHECK(register_info(63, mfn, 0) != 0, "the vCPU exists");
    CHECK(register_info(cpu, ~0ULL, 0) != 0, "so does the frame");
    CHECK(pv_is_dom0() || register_info(cpu, foreign_mfn(), 0) != 0, "which is ours");
    mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table));
    CHECK(register_info(cpu, virt_to_mfn(table), 0) != 0, "and no page table");
    mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(table));
    drop_table((pte_t *)table);
    if (cpu == 0)
        return; /* the library stays with the shared page */
    CHECK_EQ(register_info(cpu, mfn, 64), 0, "a vCPU that is down may have one");
    CHECK(register_info(cpu, mfn, 128) != 0, "once");
    pages_protect(info, 1, false);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, (unsigned long)mfn) != 0, "it does not become a page table meanwhile");
    pages_protect(info, 1, true);
    set_pte(info, 0);
    set_xen_guest_handle(r.extent_start, &frame);
    HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r);
    frame = (xen_pfn_t)virt_to_pfn(info);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 1, "its owner gives it back and takes another");
    CHECK((uint64_t)frame != mfn, "which is not that one: the vCPU still has it");
    p2m_set(virt_to_pfn(info), (unsigned long)frame);
    set_pte(info, pte_make((unsigned long)frame, PTE_KERNEL_RW));
}

/* Starts vCPU 0 again and again, in vain: all of these pass one lock of the domain's, and most of the time hold it. */
static void start_in_vain(void *arg)
{
    struct race *race = arg;

    while (race->running) {
        HYPERVISOR_vcpu_op(VCPUOP_initialise, 0, wild_context);
        race->rounds++;
    }
}

/* Halts the vCPU and gives it its page in one go, so that it is likely still in the hypervisor, waiting for the lock. */
static bool halt_and_register(unsigned int cpu, char *info)
{
    struct vcpu_register_vcpu_info where = {.mfn = virt_to_mfn(info)};
    multicall_entry_t calls[2] = {
        {.op = __HYPERVISOR_vcpu_op, .args = {VCPUOP_down, cpu}},
        {.op = __HYPERVISOR_vcpu_op, .args = {VCPUOP_register_vcpu_info, cpu, (unsigned long)&where}},
    };

    return HYPERVISOR_multicall(calls, 2) == 0 && (long)calls[1].result == 0;
}

/* A vCPU that was told to halt may still be in a hypercall, and wait there for a lock: whoever holds that lock and waits
 * for the vCPU to leave its processor waits for ever, with two processors of the machine. */
static void test_halted_in_a_call(void)
{
    struct race races[4] = {{.running = true}, {.running = true}, {.running = true}, {.running = true}};

    if (smp_cpu_count() < 4)
        return;
    check_group("a vCPU's own page, while it is on its way out");
    for (unsigned int cpu = 1; cpu < 4; cpu++) {
        smp_start(cpu, start_in_vain, &races[cpu]);
        while (races[cpu].rounds == 0)
            time_spin_ns(10000);
    }
    CHECK(halt_and_register(2, pages_alloc(1)) && halt_and_register(3, pages_alloc(1)),
          "who gives a vCPU its page does not wait for it");
    for (unsigned int cpu = 1; cpu < 4; cpu++) {
        races[cpu].running = false;
        HYPERVISOR_vcpu_op(VCPUOP_up, cpu, NULL);
        while (smp_is_up(cpu))
            time_spin_ns(10000);
    }
}

static void nothing(void *arg)
{
    *(volatile int *)arg = 1;
}

/* A time that wraps, is past or is never: a queue sorted by time must stand all of them. */
static void test_timers(void)
{
    static const uint64_t times[] = {
        1, 0x7fffffffffffffffULL, 0x8000000000000000ULL, ~0ULL, ~0ULL - 1, 1ULL << 50, 1ULL << 63};
    struct vcpu_set_periodic_timer period = {0};
    static volatile int ran;
    uint64_t start;

    check_group("times that cannot be");
    for (unsigned int i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = times[i]};

        HYPERVISOR_set_timer_op(times[i]);
        HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer);
        period.period_ns = times[i];
        HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &period);
        HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    }
    period.period_ns = 1;
    CHECK(HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &period) != 0, "a tick each nanosecond is refused");
    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    start = time_monotonic_ns();
    thread_sleep_ns(5000000);
    CHECK(time_monotonic_ns() - start < 2000000000, "sleeping still ends after its time");
    if (smp_cpu_count() > 1) {
        CHECK_EQ(smp_start(1, nothing, (void *)&ran), 0, "and another vCPU");
        while (!ran && time_monotonic_ns() - start < 5000000000)
            ;
        CHECK(ran, "runs");
    }
}

/* Everything about a vCPU, of numbers that are none and with arguments that are not there. */
static void test_wild_vcpus(void)
{
    static const unsigned long ids[] = {64, 8191, 0x7fffffff, 0xffffffff};
    bool refused = true, faulted = true;

    check_group("vCPUs that do not exist");
    for (unsigned int cmd = 0; cmd < 20; cmd++)
        for (unsigned int i = 0; i < 4; i++)
            refused = refused && pv_hypercall3(__HYPERVISOR_vcpu_op, cmd, ids[i], (unsigned long)page) < 0;
    CHECK(refused, "no command finds one");
    for (unsigned int cmd = 4; cmd < 6; cmd++)
        faulted = faulted && pv_hypercall3(__HYPERVISOR_vcpu_op, cmd, 0, 8) == -XEN_EFAULT;
    CHECK(faulted, "arguments at an address that is not mapped are EFAULT");
    CHECK(HYPERVISOR_vcpu_op(VCPUOP_initialise, 0, page) != 0, "the vCPU that runs is not started anew");
}

int main(int argc, char **argv)
{
    page = pages_alloc(1);
    window = vspace_alloc(1);
    tables_build((unsigned long)window, 1);
    test_areas();
    test_vcpu_info();
    test_halted_in_a_call();
    test_timers();
    test_wild_vcpus();
    check_summary("contain-areas");
    return 0;
}
