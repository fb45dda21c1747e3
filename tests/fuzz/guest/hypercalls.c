/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The fuzzer's main loop. Options: seed=N, calls=N (of the first vCPU), players=N, peer=DOMID (lends to it, borrows
 * from it), trace=N (print every step from the N-th on), skip=NAME (leaves one call out). Prints "fuzz: at CALLS" now
 * and then, "fuzz: new CALL CODE" for each answer not seen before, and "fuzz: ended after CALLS". With one player a seed
 * replays the same steps.
 */
#include <stdio.h>
#include <string.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/time.h>
#include "fuzz.h"
#include "risky.h"

#define CALLS      (sizeof(grammar_calls) / sizeof(grammar_calls[0]))
#define CODES      160 /* 0: success, 1: a number, n + 1: error n */
#define REPORT     1024
#define AUDITED    32 /* reports from one audit in dom0 to the next */
#define STALLED_NS 20000000000ULL
#define BATCH      16
#define UNDONE     0x5a5a5a5aUL /* the result of a step that a multicall did not get to */

char *playground, *window;
unsigned long frames[PAGES];
uint16_t peer;
bool trace_calls;

static struct player players[PLAYERS];
static unsigned int player_count = 1;
static unsigned long call_limit = 200000, trace_from = ~0UL;
static const char *skipped;
static volatile bool stopping, something_new;
static volatile unsigned char seen[CALLS][CODES], told[CALLS][CODES];
static struct grant_entry_v1 *grants;

static unsigned int code_of(long result)
{
    if (result >= 0)
        return result != 0;
    return result > -(CODES - 1) ? (unsigned int)-result + 1 : 1;
}

static void note(const struct grammar_call *call, long result)
{
    volatile unsigned char *mark = &seen[call - grammar_calls][code_of(result)];

    if (*mark)
        return;
    *mark = 1;
    something_new = true;
}

static const struct grammar_call *call_of(unsigned int number, unsigned int sub)
{
    const struct grammar_call *call = grammar_calls;

    while (call->call != number || call->sub != sub)
        call++;
    return call;
}

/* Refused for want of power, or the end of this guest: both are worth an attempt, but not many. */
static bool passed_over(struct player *p, const struct grammar_call *call)
{
    if (skipped != NULL && strncmp(call->name, skipped, strlen(skipped)) == 0)
        return true;
    return (call->rare && draw(p, call->call == __HYPERVISOR_iret ? 65536 : 8192)) ||
           (call->control && !pv_is_dom0() && draw(p, 16));
}

static const struct grammar_call *choose(struct player *p)
{
    const struct grammar_call *call;

    do {
        call = &grammar_calls[draw(p, CALLS)];
    } while (passed_over(p, call));
    return call;
}

/* The first vCPU, which wakes the others, must neither sleep nor be taken down. */
static bool sleeps(const struct player *p, const struct grammar_call *call, const unsigned long *args)
{
    if (strcmp(call->name, "vcpu_op.down") == 0)
        return (unsigned int)args[1] == 0;
    return p->number == 0 && (strcmp(call->name, "sched_op.block") == 0 || strcmp(call->name, "sched_op.poll") == 0 ||
                              strcmp(call->name, "sched_op_compat") == 0);
}

static void prepare(struct player *p, const struct grammar_call *call, unsigned long *args)
{
    p->sub = call->sub;
    p->argument = NULL;
    memset(args, 0, 5 * sizeof(args[0]));
    for (unsigned int i = 0; i < call->args; i++)
        args[i] = (unsigned long)make_value(p, call->arg[i].kind, call->arg[i].structure);
}

static void trace(const struct player *p, const char *how, const struct grammar_call *call, const unsigned long *args)
{
    pv_printk("fuzz: %lu %s%s(%lx, %lx, %lx, %lx, %lx)\n", p->calls, how, call->name, args[0], args[1], args[2],
              args[3], args[4]);
}

static void one_call(struct player *p)
{
    const struct grammar_call *call = choose(p);
    unsigned long args[5];
    long result;

    prepare(p, call, args);
    if (sleeps(p, call, args))
        return;
    if (trace_calls)
        trace(p, "", call, args);
    p->doing = call;
    result = pv_hypercall5(call->call, args[0], args[1], args[2], args[3], args[4]);
    p->doing = NULL;
    p->calls++;
    note(call, result);
    if (result >= 0)
        harvest(p, call);
}

/* Several at once, whose arguments lie wherever they were made: the later ones overwrite those of the earlier. */
static void many_calls(struct player *p)
{
    struct multicall_entry entries[BATCH];
    const struct grammar_call *calls[BATCH];
    unsigned int count = 2 + draw(p, BATCH - 1), made = 0;

    memset(entries, 0, sizeof(entries));
    for (unsigned int i = 0; i < BATCH; i++)
        entries[i].result = UNDONE;
    while (made < count) {
        unsigned long args[5];

        calls[made] = choose(p);
        prepare(p, calls[made], args);
        if (sleeps(p, calls[made], args))
            continue;
        if (trace_calls)
            trace(p, "in a multicall: ", calls[made], args);
        entries[made].op = calls[made]->call;
        for (int i = 0; i < 5; i++)
            entries[made].args[i] = args[i];
        made++;
    }
    p->doing = calls[0];
    HYPERVISOR_multicall(entries, count);
    p->doing = NULL;
    p->calls += count + 1;
    for (unsigned int i = 0; i < count; i++)
        if (entries[i].result != UNDONE)
            note(calls[i], (long)entries[i].result);
}

static void scribble_grant(struct player *p)
{
    struct grant_entry_v1 entry = {.flags = (uint16_t)(draw(p, 3) ? GTF_permit_access : draw(p, 0xffff)),
                                   .domid = draw(p, 8) ? either_of_us(p) : (uint16_t)draw(p, 0xffff),
                                   .frame = (uint32_t)make_value(p, KIND_mfn, 0)};

    risky_copy((char *)&grants[8 + draw(p, 32)], (char *)&entry, sizeof(entry));
}

/* A table page gets entries that are right, is made read-only, and becomes a table of some level. */
static void build_table(struct player *p)
{
    unsigned int number = draw(p, TABLES), level = draw(p, 2) ? 0 : draw(p, sizeof(long) == 8 ? 4 : 3);
    char *page = playground + number * PAGE_SIZE;
    struct mmuext_op op;
    unsigned int slots = draw(p, 16);

    for (unsigned int i = 0; i < slots; i++) {
        pte_t entry = (pte_t)frames[level == 0 ? TABLES + draw(p, PAGES - TABLES) : draw(p, TABLES)] << PAGE_SHIFT;

        entry |= level > 1 && sizeof(long) == 4 ? PTE_P : level == 0 ? PTE_KERNEL_RW : PTE_P | PTE_RW | PTE_US | PTE_A;
        risky_copy(page + draw(p, level == 2 && sizeof(long) == 4 ? 4 : 512) * 8, (char *)&entry, 8);
    }
    HYPERVISOR_update_va_mapping((unsigned long)page, (uint64_t)frames[number] << PAGE_SHIFT | PTE_KERNEL_RO,
                                 UVMF_INVLPG | UVMF_ALL);
    memset(&op, 0, sizeof(op));
    op.cmd = MMUEXT_PIN_L1_TABLE + level;
    op.arg1.mfn = frames[number];
    if (trace_calls)
        pv_printk("fuzz: %lu table %u of level %u\n", p->calls, number, level + 1);
    note(call_of(__HYPERVISOR_mmuext_op, op.cmd), HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF));
    p->calls += 2;
}

/* A table page becomes memory again, if nothing holds it. */
static void unbuild_table(struct player *p)
{
    unsigned int number = draw(p, TABLES);
    struct mmuext_op op;

    memset(&op, 0, sizeof(op));
    op.cmd = MMUEXT_UNPIN_TABLE;
    op.arg1.mfn = frames[number];
    HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
    HYPERVISOR_update_va_mapping((unsigned long)playground + number * PAGE_SIZE,
                                 (uint64_t)frames[number] << PAGE_SHIFT | PTE_KERNEL_RW, UVMF_INVLPG | UVMF_ALL);
    p->calls += 2;
}

/* Looks which frame is behind a page of the playground by now; one without any gets a new frame at times. */
static void look_again(struct player *p)
{
    unsigned int number = draw(p, PAGES);
    char *page = playground + number * PAGE_SIZE;
    pte_t entry = pte_read(page);

    if (entry & PTE_P)
        frames[number] = pte_mfn(entry);
    else
        HYPERVISOR_update_va_mapping((unsigned long)page, (uint64_t)frames[number] << PAGE_SHIFT | PTE_KERNEL_RW,
                                     UVMF_INVLPG | UVMF_ALL);
}

static void step(struct player *p)
{
    switch (draw(p, 32)) {
    case 0:
        scribble_grant(p);
        break;
    case 1:
        build_table(p);
        break;
    case 2:
        unbuild_table(p);
        break;
    case 3:
        look_again(p);
        break;
    case 4:
    case 5:
    case 6:
        misbehave(p);
        break;
    case 7:
    case 8:
    case 9:
        many_calls(p);
        break;
    default:
        one_call(p);
    }
    irq_disable();
}

static unsigned long all_calls(void)
{
    unsigned long sum = 0;

    for (unsigned int i = 0; i < player_count; i++)
        sum += players[i].calls;
    return sum;
}

/* Whoever cannot be heard any more has nothing left to say: the port of the console was closed. */
static bool deaf(void)
{
    struct evtchn_status status = {.dom = DOMID_SELF, .port = start_info->console.domU.evtchn};

    return !pv_is_dom0() &&
           (HYPERVISOR_event_channel_op(EVTCHNOP_status, &status) != 0 || status.status != EVTCHNSTAT_interdomain);
}

/* Ends the sleep of a vCPU in a block or a poll: nothing else may be pending, or the event would not count as news. */
static void wake(unsigned int vcpu)
{
    struct evtchn_send send = {.port = (evtchn_port_t)players[vcpu].alarm};
    unsigned long bit = 1UL << send.port % (8 * sizeof(long)), word = send.port / (8 * sizeof(long));

    __atomic_and_fetch(&shared_info->evtchn_mask[word], ~bit, __ATOMIC_SEQ_CST);
    __atomic_and_fetch(&shared_info->evtchn_pending[word], ~bit, __ATOMIC_SEQ_CST);
    __atomic_store_n(&shared_info->vcpu_info[vcpu].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&shared_info->vcpu_info[vcpu].evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
}

static void wake_others(void)
{
    for (unsigned int i = 1; i < player_count; i++) {
        if (!stopping)
            HYPERVISOR_vcpu_op(VCPUOP_up, i, NULL);
        wake(i);
    }
}

static void tell_news(void)
{
    something_new = false;
    for (unsigned int call = 0; call < CALLS; call++)
        for (unsigned int code = 0; code < CODES; code++)
            if (seen[call][code] && !told[call][code]) {
                told[call][code] = 1;
                pv_printk("fuzz: new %s %d\n", grammar_calls[call].name, code < 2 ? (int)code : 1 - (int)code);
            }
}

/* In dom0's place nobody else can ask for it. */
static void audit_frames(void)
{
    char key = 'f';
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_debug_keys, .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    set_xen_guest_handle(op.u.debug_keys.keys, &key);
    op.u.debug_keys.nr_keys = 1;
    pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&op);
}

static void report(void)
{
    static unsigned int reports;

    if (deaf())
        pv_shutdown(SHUTDOWN_reboot);
    if (pv_is_dom0() && ++reports % AUDITED == 0)
        audit_frames();
    if (something_new)
        tell_news();
    pv_printk("fuzz: at %lu\n", all_calls());
}

static void others(void *arg)
{
    struct player *p = arg;

    irq_disable();
    while (!stopping)
        step(p);
}

static void first(struct player *p)
{
    unsigned long told_at = 0;

    irq_disable();
    while (p->calls < call_limit) {
        trace_calls = p->calls >= trace_from;
        step(p);
        if (p->calls - told_at >= REPORT) {
            told_at = p->calls;
            wake_others();
            report();
        }
    }
}

static const char *state_of(unsigned int vcpu)
{
    static const char *const names[] = {"running", "runnable", "blocked", "offline"};
    struct vcpu_runstate_info info = {.state = 2};

    HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, vcpu, &info);
    return names[info.state & 3];
}

/* The library clears what is pending in the shared page: once a vCPU's information is elsewhere, its upcalls never end. */
static const char *deafened(void)
{
    const struct grammar_call *moving = call_of(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info);

    return seen[moving - grammar_calls][code_of(0)] ? ", in its upcalls" : "";
}

static void wait_for_others(void)
{
    uint64_t limit = time_monotonic_ns() + STALLED_NS;

    stopping = true;
    for (unsigned int i = 1; i < player_count; i++) {
        while (smp_is_up(i) && time_monotonic_ns() < limit)
            wake_others();
        if (smp_is_up(i))
            pv_printk("fuzz: vCPU %u is still in %s, %s%s\n", i, players[i].doing ? players[i].doing->name : "nothing",
                      state_of(i), deafened());
    }
}

static void woken(evtchn_port_t port, void *data)
{
}

static void set_up(uint64_t seed)
{
    unsigned int entries;

    grants = grant_table(&entries);
    playground = pages_alloc(PAGES);
    window = vspace_alloc(WINDOW);
    for (int i = 0; i < PAGES; i++)
        frames[i] = virt_to_mfn(playground + (unsigned long)i * PAGE_SIZE);
    for (int i = 0; i < WINDOW; i++)
        pte_write(window + (unsigned long)i * PAGE_SIZE, 0);
    for (unsigned int i = 0; i < player_count; i++) {
        players[i].number = i;
        players[i].alarm = event_bind_ipi(i, woken, NULL);
        players[i].state = (seed + i) * 0x9e3779b97f4a7c15ULL;
        players[i].arena = vspace_alloc(ARENA);
        for (unsigned long n = 0; n < ARENA; n++)
            pte_write(players[i].arena + n * PAGE_SIZE, pte_make(virt_to_mfn(pages_alloc(1)), PTE_KERNEL_RW));
    }
    install_traps();
}

int main(int argc, char **argv)
{
    unsigned long seed = pv_option_number("seed", 1);

    call_limit = pv_option_number("calls", call_limit);
    peer = (uint16_t)pv_option_number("peer", pv_domid());
    trace_from = pv_option_number("trace", trace_from);
    skipped = pv_option("skip");
    player_count = (unsigned int)pv_option_number("players", smp_cpu_count());
    if (player_count > PLAYERS || player_count > smp_cpu_count())
        player_count = smp_cpu_count() < PLAYERS ? smp_cpu_count() : PLAYERS;
    set_up(seed);
    pv_printk("fuzz: seed %lu, %u vCPUs, %u calls in the grammar\n", seed, player_count, (unsigned int)CALLS);
    for (unsigned int i = 1; i < player_count; i++)
        smp_start(i, others, &players[i]);
    first(&players[0]);
    wait_for_others();
    report();
    pv_printk("fuzz: ended after %lu\n", all_calls());
    pv_shutdown(SHUTDOWN_poweroff);
}
