/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The log of written frames, as who migrates a domain uses it: a copy of the domain's memory, brought up to date with
 * the frames that each report names, equals that memory when the domain is stopped. The domain is a copy of this kernel
 * whose vCPUs write, remap, make and unmake page tables, switch base tables, and have the hypervisor write for them. They
 * also check that every address shows the page it should, and that A and D bits come as from a CPU.
 */
#include <stdio.h>
#include <string.h>
#include <abi/arch_x86.h>
#include <abi/domctl.h>
#include <abi/errno.h>
#include <abi/memory.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/time.h>
#include "check.h"
#include "logdirty/logdirty.h"

#define MS       1000000ULL
#define PFN_ROOM 8192
#ifdef __x86_64__
#define IP rip
#define SP rsp
#else
#define IP eip
#define SP esp
#endif

static uint8_t bitmap[PFN_ROOM / 8];

static long shadow_op(unsigned int op)
{
    memset(&domctl, 0, sizeof(domctl));
    domctl.u.shadow_op.op = op;
    domctl.u.shadow_op.pages = PFN_ROOM;
    set_xen_guest_handle(domctl.u.shadow_op.dirty_bitmap, bitmap);
    return dom_call(XEN_DOMCTL_shadow_op);
}

static bool is_dirty(unsigned long index)
{
    return bitmap[dom.pfn[index] / 8] >> (dom.pfn[index] % 8) & 1;
}

/* Whether a vCPU comes to this many operations. However slow the machine is, some are done in half a minute: with the
 * host's CPUs shared by many, one TLB flush waits as long as the host lets the other CPU stand. */
static bool gets_to(unsigned int vcpu, unsigned long goal)
{
    unsigned long last = 0, now;
    uint64_t since = time_monotonic_ns();

    while ((now = dom_sees()->operations[vcpu]) < goal) {
        if (now != last)
            since = time_monotonic_ns();
        last = now;
        if (time_monotonic_ns() - since > 30000 * MS || dom_call(XEN_DOMCTL_getdomaininfo) ||
            (domctl.u.getdomaininfo.flags & XEN_DOMINF_shutdown))
            return false;
        time_spin_ns(MS / 20);
    }
    return true;
}

/* Lets it do some more, on every vCPU; fewer where many CPUs wait for each other's TLBs. */
static bool let_work(unsigned long operations)
{
    unsigned long goal[MAX_VCPUS];
    bool all = true;

    for (unsigned int i = 0; i < dom.vcpus; i++)
        goal[i] = dom_sees()->operations[i] + operations / (dom.vcpus * dom.vcpus) + 1;
    for (unsigned int i = 0; i < dom.vcpus; i++)
        all = all && gets_to(i, goal[i]);
    return all;
}

static void take(bool all)
{
    for (unsigned long i = 0; i < dom.count; i++)
        if (all || is_dirty(i))
            memcpy(dom.copy + i * PAGE_SIZE, dom.view + i * PAGE_SIZE, PAGE_SIZE);
}

static unsigned long dirty_pages(void)
{
    unsigned long count = 0;

    for (unsigned int i = 0; i < sizeof(bitmap); i++)
        count += (unsigned long)__builtin_popcount(bitmap[i]);
    return count;
}

static unsigned long differing(void)
{
    for (unsigned long i = 0; i < dom.count; i++)
        if (memcmp(dom.copy + i * PAGE_SIZE, dom.view + i * PAGE_SIZE, PAGE_SIZE))
            return dom.pfn[i];
    return 0;
}

/* What a failure can be understood by: which words, and where the vCPUs stand. */
static void tell_difference(void)
{
    static struct vcpu_guest_context context;
    unsigned int lines = 0;

    for (unsigned long i = 0; i < dom.count; i++) {
        const unsigned long *copy = (const unsigned long *)(dom.copy + i * PAGE_SIZE);
        const unsigned long *now = (const unsigned long *)(dom.view + i * PAGE_SIZE);
        for (unsigned int w = 0; w < PAGE_SIZE / sizeof(long) && lines < 40; w++)
            if (copy[w] != now[w]) {
                printf("frame %lx%s, word %x: %lx, copied %lx\n", (unsigned long)dom.pfn[i],
                       is_dirty(i) ? " (reported)" : "", w, now[w], copy[w]);
                lines++;
            }
    }
    for (unsigned int i = 0; i < dom.vcpus; i++) {
        domctl.u.vcpucontext.vcpu = i;
        set_xen_guest_handle(domctl.u.vcpucontext.ctxt, &context);
        if (!dom_call(XEN_DOMCTL_getvcpucontext))
            printf("vCPU %u after %lx operations: ip %lx sp %lx\n", i, dom_sees()->operations[i],
                   (unsigned long)context.user_regs.IP, (unsigned long)context.user_regs.SP);
    }
}

static unsigned int wrong(void)
{
    for (unsigned int i = 0; i < dom.vcpus; i++)
        if (dom_sees()->wrong[i])
            return dom_sees()->wrong[i];
    return 0;
}

static bool quiet_dirty(void)
{
    for (unsigned int i = 0; i < QUIET_PAGES; i++)
        if (is_dirty(area_index(QUIET + i)))
            return true;
    return false;
}

/* Stopped at any moment, the few writes since the report before are in the last one. */
static unsigned long stop_and_go(unsigned int times)
{
    unsigned long different = 0;

    for (unsigned int i = 0; i < times && !different; i++) {
        if (shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN))
            return 1;
        take(false);
        time_spin_ns(MS / 50 * (i % 8));
        dom_call(XEN_DOMCTL_pausedomain);
        if (shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN))
            return 2;
        take(false);
        different = differing();
        if (different)
            tell_difference();
        dom_call(XEN_DOMCTL_unpausedomain);
    }
    return different;
}

/* Rounds as a migration makes them, then the end. */
static void migrate(unsigned int rounds, unsigned long operations)
{
    bool ran = true, quiet = true;
    long rc = 0;

    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), 0, "the log is switched on under a running domain");
    take(true);
    for (unsigned int i = 0; i < rounds; i++) {
        ran &= let_work(operations);
        rc |= shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN);
        quiet &= !quiet_dirty();
        take(false);
    }
    CHECK_EQ(stop_and_go(40 / dom.vcpus), 0, "at every stop the copy is the original");
    CHECK(ran, "the domain works on");
    CHECK_EQ(rc, 0, "while reports are made");
    CHECK(quiet, "which name no page that is not written");
    CHECK_EQ(dom_call(XEN_DOMCTL_pausedomain), 0, "it is stopped");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_PEEK), 0, "a look at the log");
    unsigned long peeked = dirty_pages();
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "the last report");
    CHECK_EQ(dirty_pages(), peeked, "says the same");
    CHECK_EQ(domctl.u.shadow_op.pages, PFN_ROOM, "about as many frames as were asked for");
    take(false);
    CHECK_EQ(differing(), 0, "with all reported pages the copy is the original");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "one report more");
    CHECK_EQ(dirty_pages(), dom.held, "finds nothing written but what may be at any moment");
    CHECK_EQ(wrong(), 0, "no vCPU saw a page or a bit that was wrong");
}

static void resume_direct(void)
{
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "the log is switched off");
    CHECK_EQ(dom_call(XEN_DOMCTL_unpausedomain), 0, "and the domain goes on");
    CHECK(let_work(100), "on its own tables");
}

static void test_modes(void)
{
    check_group("modes");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "what is off can be switched off");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), -XEN_EINVAL, "without a log there is no report");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), 0, "on");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), -XEN_EINVAL, "but not twice");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_TEST), -XEN_EINVAL, "nor without the log then");
    CHECK_EQ(shadow_op(99), -XEN_EINVAL, "no such operation");
    set_xen_guest_handle(domctl.u.shadow_op.dirty_bitmap, (uint8_t *)8);
    domctl.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_PEEK;
    CHECK_EQ(dom_call(XEN_DOMCTL_shadow_op), -XEN_EFAULT, "a bitmap that is not there");
    set_xen_guest_handle(domctl.u.shadow_op.dirty_bitmap, (uint8_t *)NULL);
    CHECK_EQ(dom_call(XEN_DOMCTL_shadow_op), 0, "none at all: only numbers");
    domctl.u.shadow_op.mode = 8;
    CHECK_EQ(dom_call(XEN_DOMCTL_shadow_op), -XEN_EINVAL, "an unknown mode");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION), -XEN_EINVAL, "no room for tables while there are some");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "off");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_TEST), 0, "tables without a log");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_PEEK), -XEN_EINVAL, "have no report");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), 0, "until a log is added");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "both go together");
    dom.domid = 0;
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), -XEN_EINVAL, "domain 0 stays on its own tables");
}

static void test_allocation(void)
{
    check_group("few tables");
    memset(&domctl, 0, sizeof(domctl));
    domctl.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION;
    domctl.u.shadow_op.mb = 1;
    CHECK_EQ(dom_call(XEN_DOMCTL_shadow_op), 0, "room for fewer tables than the domain has");
    migrate(3, 2000);
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION), 0, "the room is told");
    CHECK_EQ(domctl.u.shadow_op.mb, 1, "in MiB");
    memset(&domctl, 0, sizeof(domctl));
    domctl.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION;
    domctl.u.shadow_op.mb = 3;
    CHECK_EQ(dom_call(XEN_DOMCTL_shadow_op), 0, "and changed while they are in use");
    CHECK_EQ(dom_call(XEN_DOMCTL_unpausedomain), 0, "under a domain");
    CHECK(let_work(800), "that goes on");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "off");
}

#define NEW_PFN 7000 /* of none of its frames yet */

static long retype(xen_pfn_t mfn, unsigned int cmd)
{
    struct mmuext_op op = {.cmd = cmd};

    op.arg1.mfn = mfn;
    return HYPERVISOR_mmuext_op(&op, 1, NULL, (unsigned int)dom.domid);
}

/* What dom0 wrote shows when its mapping goes, a new frame and a frame's new number at once. */
static void test_writes_of_others(void)
{
    unsigned long index = area_index(QUIET + 3);
    struct mmu_update req = {.ptr = ((uint64_t)dom.mfn[index] << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE};
    xen_pfn_t fresh = NEW_PFN;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = (domid_t)dom.domid};
    char *page;

    check_group("writes of others");
    dom_call(XEN_DOMCTL_pausedomain);
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), 0, "on");
    page = map_frames(&dom.mfn[index], 1, (domid_t)dom.domid, PTE_KERNEL_RW, NULL);
    if (!CHECK(page != NULL, "a page mapped by dom0"))
        return;
    page[7] = 1;
    unmap_frames(page, 1);
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(is_dirty(index) && dirty_pages() == 1, "names just that page");
    req.val = dom.pfn[index];
    CHECK_EQ(HYPERVISOR_mmu_update(&req, 1, NULL, (unsigned int)dom.domid), 0, "a frame gets its number anew");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(is_dirty(index) && dirty_pages() == 1, "names that frame");
    domctl.u.max_mem.max_memkb = dom.count * 4 + 4;
    CHECK_EQ(dom_call(XEN_DOMCTL_max_mem), 0, "it may have one page more");
    set_xen_guest_handle(r.extent_start, &fresh);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 1, "and gets it");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(bitmap[NEW_PFN / 8] == 1 << NEW_PFN % 8 && dirty_pages() == 1, "names the new page");
    CHECK_EQ(retype(fresh, MMUEXT_PIN_L1_TABLE), 0, "it becomes a page table");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(dirty_pages() == 1, "says so");
    CHECK_EQ(retype(fresh, MMUEXT_UNPIN_TABLE), 0, "and is none any more");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(dirty_pages() == 1, "says that, too: or the copy would have a table where plain memory is");
    CHECK_EQ(retype(mfn_at(L1_MANY + 5), MMUEXT_PIN_L1_TABLE), 0, "a table in use is pinned");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(is_dirty(area_index(L1_MANY + 5)) && dirty_pages() == 1, "names it: the copy's kernel could not unpin it");
    CHECK_EQ(retype(mfn_at(L1_MANY + 5), MMUEXT_UNPIN_TABLE), 0, "and unpinned, still in use");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(is_dirty(area_index(L1_MANY + 5)) && dirty_pages() == 1, "names it: or it stayed a table for ever there");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 1, "the domain gives it back");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "off");
    dom_call(XEN_DOMCTL_unpausedomain);
}

/* Which descriptors a kernel has loaded, it can read: its copy must not have forgotten. */
static void test_descriptors(void)
{
    char *page = map_frames(&dom.mfn[area_index(SHARED)], 1, (domid_t)dom.domid, PTE_KERNEL_RW, NULL);

    check_group("descriptor tables");
    if (!CHECK(page != NULL, "its vCPUs are asked"))
        return;
    ((struct shared *)page)->load_segments = 1;
    unmap_frames(page, 1);
    CHECK(let_work(20), "to load segments of tables of their own");
    dom.held = dom.vcpus;
    migrate(2, 400);
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "off");
}

static void test_cycles(void)
{
    unsigned int done = 0, cycles = 300 / (dom.vcpus * dom.vcpus);
    uint64_t before;

    check_group("on and off");
    CHECK(let_work(10), "the domain runs");
    before = free_bytes();
    while (done < cycles && shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY) == 0 &&
           shadow_op(done % 3 ? XEN_DOMCTL_SHADOW_OP_CLEAN : XEN_DOMCTL_SHADOW_OP_PEEK) == 0 &&
           shadow_op(XEN_DOMCTL_SHADOW_OP_OFF) == 0)
        done++;
    CHECK_EQ(done, cycles, "many times under a running domain");
    CHECK(let_work(10), "which runs");
    CHECK_EQ(wrong(), 0, "and saw nothing wrong");
    for (int i = 0; i < 1000 && free_bytes() < before; i++)
        time_spin_ns(MS / 4);
    CHECK(free_bytes() >= before, "no page is lost");
}

int main(int argc, char **argv)
{
    dom.copy = pages_alloc(PAGES_MAX);
    check_group("a domain on its own tables");
    if (CHECK(dom.copy != NULL, "room for the copy") &&
        dom_build(smp_cpu_count() < MAX_VCPUS ? smp_cpu_count() : MAX_VCPUS)) {
        int domid = dom.domid;
        test_modes();
        dom.domid = domid;
        CHECK_EQ(dom_call(XEN_DOMCTL_unpausedomain), 0, "started");
        CHECK(let_work(200), "it works");
        check_group("rounds");
        migrate(8, 600);
        resume_direct();
        test_cycles();
        check_group("again");
        migrate(4, 400);
        resume_direct();
        test_allocation();
        test_writes_of_others();
        test_descriptors();
        dom_drop();
    }
    return check_summary("logdirty");
}
