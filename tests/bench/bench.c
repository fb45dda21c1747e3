/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The cost of each operation, in TSC ticks: under QEMU's -icount one tick is one instruction. The same kernel runs as
 * dom0 of Paravane and of genuine Xen. Prints a line a row: "row NAME TICKS", the cost of the empty loop taken off.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pv/pv.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "bench.h"

#define ROUNDS 2000

static unsigned long empty_loop;

static inline uint64_t ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* The body is expanded in place, so that no call of ours is measured. */
#define ROW(name, body)                                                                                                \
    do {                                                                                                               \
        uint64_t start_;                                                                                               \
        for (int i_ = 0; i_ < 16; i_++) {                                                                              \
            body;                                                                                                      \
        }                                                                                                              \
        start_ = ticks();                                                                                              \
        for (int i_ = 0; i_ < ROUNDS; i_++) {                                                                          \
            body;                                                                                                      \
            __asm__ volatile("" ::: "memory");                                                                         \
        }                                                                                                              \
        unsigned long each_ = (unsigned long)((ticks() - start_) / ROUNDS);                                            \
        printf("row %s %lu\n", name, each_ > empty_loop ? each_ - empty_loop : 0);                                     \
    } while (0)

static void measure_empty_loop(void)
{
    uint64_t start = ticks();

    for (int i = 0; i < ROUNDS; i++)
        __asm__ volatile("" ::: "memory");
    empty_loop = (unsigned long)((ticks() - start) / ROUNDS);
}

static void plain_calls(void)
{
    ROW("hypercall.xen_version", pv_hypercall2(__HYPERVISOR_xen_version, 0, 0));
    ROW("hypercall.enosys(nr63)", pv_hypercall0(63));
    ROW("hypercall.sched_yield", pv_hypercall2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0));
    ROW("hypercall.fpu_taskswitch(1,0)(2 calls)",
        (pv_hypercall1(__HYPERVISOR_fpu_taskswitch, 1), pv_hypercall1(__HYPERVISOR_fpu_taskswitch, 0)));
    ROW("vcpu_op.is_up", pv_hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 0, 0));
    static struct multicall_entry calls[8];
    for (int i = 0; i < 8; i++)
        calls[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version};
    ROW("multicall.8x_xen_version(per_call)", pv_hypercall2(__HYPERVISOR_multicall, (unsigned long)calls, 8));
}

static void event_rows(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct evtchn_close closing;
    int port = event_bind_ipi(0, NULL, NULL);

    ROW("evtchn.alloc_unbound+close",
        (pv_hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, (unsigned long)&alloc),
         closing.port = alloc.port,
         pv_hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_close, (unsigned long)&closing)));
    struct evtchn_send send = {.port = (evtchn_port_t)port};
    event_mask((evtchn_port_t)port);
    pv_hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (unsigned long)&send);
    ROW("evtchn_send.ipi.masked(already_pending)",
        pv_hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (unsigned long)&send));
    ROW("evtchn_send.ipi.masked(fresh)",
        (shared_info->evtchn_pending[0] = 0,
         pv_hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (unsigned long)&send)));
}

static long set_mapping(void *va, pte_t pte, unsigned long flags)
{
#ifdef __x86_64__
    return pv_hypercall3(__HYPERVISOR_update_va_mapping, (unsigned long)va, pte, flags);
#else
    return pv_hypercall4(__HYPERVISOR_update_va_mapping, (unsigned long)va, (unsigned long)pte,
                         (unsigned long)(pte >> 32), flags);
#endif
}

static void mapping_rows(void)
{
    void *va = vspace_alloc(1), *a = pages_alloc(1), *b = pages_alloc(1);
    pte_t pte_a = pte_make(virt_to_mfn(a), PTE_KERNEL_RW), pte_b = pte_make(virt_to_mfn(b), PTE_KERNEL_RW);
    int turn = 0;

    pte_write(va, pte_a);
    ROW("update_va_mapping.noflush.A<->B", set_mapping(va, (turn ^= 1) ? pte_b : pte_a, UVMF_NONE));
    ROW("update_va_mapping.noflush.same", set_mapping(va, pte_a, UVMF_NONE));
    ROW("update_va_mapping.noflush.rw<->ro", set_mapping(va, (turn ^= 1) ? pte_a & ~PTE_RW : pte_a, UVMF_NONE));
    ROW("update_va_mapping.invlpg.A<->B", set_mapping(va, (turn ^= 1) ? pte_b : pte_a, UVMF_INVLPG));
    ROW("update_va_mapping.noflush.map<->0", set_mapping(va, (turn ^= 1) ? 0 : pte_a, UVMF_NONE));
    struct mmu_update update = {.ptr = pte_slot(va), .val = pte_a};
    ROW("mmu_update.1pte.A<->B", (update.val = (turn ^= 1) ? pte_b : pte_a,
                                  pv_hypercall4(__HYPERVISOR_mmu_update, (unsigned long)&update, 1, 0, DOMID_SELF)));
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    ROW("mmuext.tlb_flush_local", pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF));
    op.cmd = MMUEXT_INVLPG_LOCAL;
    op.arg1.linear_addr = (unsigned long)va;
    ROW("mmuext.invlpg_local", pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF));
}

static void change_all(struct mmu_update *batch, const pte_t *values, unsigned first)
{
    for (unsigned i = 0; i < 32; i++)
        batch[i].val = values[first + i];
    pv_hypercall4(__HYPERVISOR_mmu_update, (unsigned long)batch, 32, 0, DOMID_SELF);
}

/* Whole tables, batches and base registers. */
static void table_rows(void)
{
    static struct mmu_update batch[32];
    static struct mmuext_op ops[2];
    pte_t *table = pages_alloc(1);
    char *pages = pages_alloc(64), *va = vspace_alloc(32);
    static pte_t values[64];
    unsigned long mfn = virt_to_mfn(table);
    unsigned turn = 0;

    for (unsigned i = 0; i < 32; i++) {
        pte_write(va + i * PAGE_SIZE, pte_make(virt_to_mfn(pages + i * PAGE_SIZE), PTE_KERNEL_RW));
        batch[i].ptr = pte_slot(va + i * PAGE_SIZE);
    }
    for (unsigned i = 0; i < 64; i++)
        values[i] = pte_make(virt_to_mfn(pages + i * PAGE_SIZE), PTE_KERNEL_RW);
    ROW("mmu_update.batch32(per_call)", change_all(batch, values, turn ^= 32));
    ops[0].cmd = MMUEXT_NEW_BASEPTR;
    ops[0].arg1.mfn = virt_to_mfn((void *)(unsigned long)start_info->pt_base);
    ROW("mmuext.new_baseptr.same", pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)ops, 1, 0, DOMID_SELF));
    pages_protect(table, 1, false);
    ops[0] = (struct mmuext_op){.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = mfn};
    ops[1] = (struct mmuext_op){.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = mfn};
    ROW("mmuext.pin+unpin_L1.empty(1 call)",
        pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)ops, 2, 0, DOMID_SELF));
    pages_protect(table, 1, true);
    for (unsigned i = 0; i < 512; i++)
        table[i] = pte_make(virt_to_mfn(pages + i % 64 * PAGE_SIZE), PTE_KERNEL_RW);
    pages_protect(table, 1, false);
    ROW("mmuext.pin+unpin_L1.512ptes(1 call)",
        pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)ops, 2, 0, DOMID_SELF));
}

/* One page given back and taken again, as a balloon does. */
static void balloon_rows(void)
{
    char *page = pages_alloc(1);
    xen_pfn_t mfn = virt_to_mfn(page);
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, &mfn);
    pte_write(page, 0);
    ROW("memory_op.decrease+populate(1 page)",
        (pv_hypercall2(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, (unsigned long)&r),
         pv_hypercall2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (unsigned long)&r)));
}

static struct gnttab_copy copy_between(void *from, void *to, unsigned length)
{
    struct gnttab_copy copy;

    memset(&copy, 0, sizeof(copy));
    copy.source.u.gmfn = virt_to_mfn(from);
    copy.dest.u.gmfn = virt_to_mfn(to);
    copy.source.domid = copy.dest.domid = DOMID_SELF;
    copy.len = (uint16_t)length;
    return copy;
}

#define COPY_ROW(name, copy)                                                                                           \
    ROW(name, pv_hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, (unsigned long)&(copy), 1));                   \
    if ((copy).status)                                                                                                 \
    printf("failed: %s %d\n", name, (copy).status)

static void grant_rows(void)
{
    char *from = pages_alloc(1), *to = pages_alloc(1), *va = vspace_alloc(1);
    int ref = grant_access(pv_domid(), virt_to_mfn(from), false);
    struct gnttab_copy page = copy_between(from, to, PAGE_SIZE), little = copy_between(from, to, 64), granted = page;
    struct gnttab_map_grant_ref map = {.host_addr = (unsigned long)va, .flags = GNTMAP_host_map};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = (unsigned long)va};

    pte_write(va, 0);
    COPY_ROW("gnttab_copy.4096.gmfn->gmfn", page);
    COPY_ROW("gnttab_copy.64.gmfn->gmfn", little);
    memset(&granted.source.u, 0, sizeof(granted.source.u));
    granted.source.u.ref = (grant_ref_t)ref;
    granted.source.domid = pv_domid();
    granted.flags = GNTCOPY_source_gref;
    COPY_ROW("gnttab_copy.4096.gref->gmfn", granted);
    granted.len = 64;
    COPY_ROW("gnttab_copy.64.gref->gmfn", granted);
    map.ref = (grant_ref_t)ref;
    map.dom = pv_domid();
    ROW("gnttab_map+unmap.self",
        (pv_hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (unsigned long)&map, 1),
         unmap.handle = map.handle,
         pv_hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (unsigned long)&unmap, 1)));
    if (map.status || unmap.status)
        printf("failed: gnttab_map+unmap.self %d %d\n", map.status, unmap.status);
}

static void trap_rows(void)
{
    trap_set_gate(TRAP_BP, 3, bench_iret_handler);
    ROW("bounce.kernel.int3+iret", __asm__ volatile("int3" ::: "memory"));
    trap_set_gate(0x80, 3, bench_iret_handler);
    ROW("bounce.kernel.int80+iret", __asm__ volatile("int $0x80" ::: "memory"));
    trap_set_gate(TRAP_PF, 0, bench_skip_handler);
    ROW("bounce.kernel.pagefault+iret", bench_fault());
}

static void emulation_rows(void)
{
    unsigned long value;
    uint32_t a, b, c, d;

    ROW("emul.read_cr0", __asm__ volatile("mov %%cr0, %0" : "=r"(value)));
    ROW("emul.read_cr3", __asm__ volatile("mov %%cr3, %0" : "=r"(value)));
    ROW("emul.clts", __asm__ volatile("clts"));
    ROW("emul.cpuid_fep(leaf1)", __asm__ volatile("ud2a; .ascii \"xen\"; cpuid"
                                                  : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
                                                  : "a"(1), "c"(0)));
    ROW("emul.rdmsr_efer", __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(0xC0000080)));
}

int main(int argc, char **argv)
{
    measure_empty_loop();
    printf("bench width %u\n", (unsigned)sizeof(long) * 8);
    plain_calls();
    event_rows();
    mapping_rows();
    table_rows();
    balloon_rows();
    grant_rows();
    emulation_rows();
    trap_rows();
    printf("bench done\n");
    pv_shutdown(SHUTDOWN_poweroff);
}
