/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The cost of each operation, in TSC ticks: under QEMU's -icount one tick is one instruction. The same kernel runs as
 * dom0 of Paravane and of genuine Xen. Prints a line a row: "row NAME TICKS", the cost of the empty loop taken off.
 */
#include <stdlib.h>
#include <string.h>
#include <abi/callback.h>
#include <pv/event.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "bench.h"

unsigned long bench_empty_loop;

void bench_result(const char *name, unsigned long ticks)
{
    printf("row %s %lu\n", name, ticks);
}

void bench_row(const char *name, unsigned long ticks)
{
    bench_result(name, ticks > bench_empty_loop ? ticks - bench_empty_loop : 0);
}

static void instrument_rows(void)
{
    bench_empty_loop = BENCH_LEAST(1000, );
    bench_result("loop", bench_empty_loop);
    bench_result("rdtsc", BENCH_LEAST(1000, __asm__ volatile("rdtsc" : : : "eax", "edx")));
}

static void plain_calls(void)
{
    ROW("hypercall.xen_version", pv_hypercall2(__HYPERVISOR_xen_version, 0, 0));
    ROW("hypercall.enosys(nr63)", pv_hypercall0(63));
    ROW("hypercall.sched_yield", pv_hypercall2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0));
    ROW("hypercall.fpu_taskswitch(1,0)(2 calls)",
        (pv_hypercall1(__HYPERVISOR_fpu_taskswitch, 1), pv_hypercall1(__HYPERVISOR_fpu_taskswitch, 0)));
    ROW("vcpu_op.is_up", pv_hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 0, 0));
    static struct multicall_entry calls[32];
    for (int i = 0; i < 32; i++)
        calls[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version};
    ROW("multicall.8x_xen_version(per_call)", pv_hypercall2(__HYPERVISOR_multicall, (unsigned long)calls, 8));
    bench_result("multicall.32x_xen_version(per_item)",
                 BENCH_LEAST(50, pv_hypercall2(__HYPERVISOR_multicall, (unsigned long)calls, 32)) / 32);
}

/* What a kernel asks for when it changes from one of its threads to another. */
static void switching_rows(void)
{
    static struct multicall_entry calls[2];
    unsigned long sp = (unsigned long)&sp & ~15ul;

    calls[0] = (struct multicall_entry){.op = __HYPERVISOR_stack_switch, .args = {FLAT_KERNEL_SS, sp}};
    calls[1] = (struct multicall_entry){.op = __HYPERVISOR_fpu_taskswitch};
    ROW("hypercall.stack_switch", HYPERVISOR_stack_switch(FLAT_KERNEL_SS, sp));
    ROW("stack_switch+fpu_taskswitch(2 calls)",
        (HYPERVISOR_stack_switch(FLAT_KERNEL_SS, sp), HYPERVISOR_fpu_taskswitch(0)));
    ROW("multicall{stack_switch,fpu_taskswitch}", pv_hypercall2(__HYPERVISOR_multicall, (unsigned long)calls, 2));
#ifdef __x86_64__
    ROW("hypercall.set_segment_base(fs)", HYPERVISOR_set_segment_base(0, 0));
#endif
}

/* A descriptor in a page of data, and in one that is the vCPU's table. */
static void descriptor_rows(void)
{
    uint64_t *table = pages_alloc(1), flat = 0x00cffa000000ffffull;
    unsigned long frame = virt_to_mfn(table);

    ROW("hypercall.update_descriptor", HYPERVISOR_update_descriptor((uint64_t)frame << PAGE_SHIFT, flat));
    pages_protect(table, 1, false);
    if (HYPERVISOR_set_gdt(&frame, 512) != 0)
        printf("failed: set_gdt\n");
    ROW("hypercall.update_descriptor(live gdt)", HYPERVISOR_update_descriptor((uint64_t)frame << PAGE_SHIFT, flat));
    HYPERVISOR_set_gdt(&frame, 0);
}

static void timer_rows(void)
{
    uint64_t far = 1ull << 60;

    ROW("hypercall.set_timer_op(far)", HYPERVISOR_set_timer_op(far));
    HYPERVISOR_set_timer_op(0);
}

static void port_rows(void)
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

void bench_set_upcall(void (*entry)(void))
{
    trap_set_callback(CALLBACKTYPE_event, CALLBACKF_mask_events, entry);
}

/* An event that reaches us: the upcall and the way back are part of the row. */
static void upcall_rows(void)
{
    int ipi = event_bind_ipi(0, NULL, NULL), one = event_alloc_unbound(pv_domid(), NULL, NULL),
        other = event_bind_interdomain(pv_domid(), (evtchn_port_t)one, NULL, NULL);
    struct evtchn_send send = {.port = (evtchn_port_t)ipi};

    if (ipi < 0 || one < 0 || other < 0 || ipi >= (int)sizeof(long) * 8 || other >= (int)sizeof(long) * 8)
        printf("failed: ports %d %d %d\n", ipi, one, other);
    event_unmask((evtchn_port_t)ipi);
    event_unmask((evtchn_port_t)one);
    bench_set_upcall(bench_upcall_handler);
    ROW("evtchn_send.ipi+upcall+iret",
        pv_hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (unsigned long)&send));
    send.port = (evtchn_port_t)other;
    ROW("evtchn_send.interdomain_self+upcall+iret",
        pv_hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (unsigned long)&send));
    bench_set_upcall(upcall_entry);
    event_close((evtchn_port_t)other);
    event_close((evtchn_port_t)one);
    event_close((evtchn_port_t)ipi);
}

static void one_domain(void)
{
    instrument_rows();
    plain_calls();
    switching_rows();
    descriptor_rows();
    timer_rows();
    port_rows();
    upcall_rows();
    bench_mapping();
    bench_reservations();
    bench_grants();
    bench_emulation();
    bench_traps();
    bench_user();
}

int main(int argc, char **argv)
{
    const char *role = pv_option("partner");

    if (role != NULL)
        bench_partner(role);
    bench_empty_loop = BENCH_LEAST(1000, );
    printf("bench width %u\n", (unsigned)sizeof(long) * 8);
    if (argc > 1 && strcmp(argv[1], "domains") == 0)
        bench_domains();
    else if (argc > 1 && strcmp(argv[1], "wake") == 0)
        bench_wake();
    else if (argc > 1 && strcmp(argv[1], "crowd") == 0)
        bench_crowd();
    else
        one_domain();
    printf("bench done\n");
    pv_shutdown(SHUTDOWN_poweroff);
}
