/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A kernel that shares no code with any other here: it believes the interface's description alone, as kernels written
 * elsewhere do. It looks at the registers, tables and pages that it starts with, then makes itself at home step by step:
 * shared page, exceptions, segments, user mode, grants, the store. Bugs in how a kernel is loaded hide from kernels that were written
 * beside the loader. What it sees is compared with genuine Xen, too.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <abi/event_channel.h>
#include <abi/grant_table.h>
#include <abi/sched.h>
#include <abi/version.h>
#include <abi/xen.h>
#include <abi/io/console.h>
#include <abi/io/xs_wire.h>

#define BASE          ((unsigned long)VIRT_BASE)
#define PAGE          4096UL
#define PRESENT       1UL
#define WRITABLE      2UL
#define OWN_FLAGS     0x63UL /* present, writable, accessed, dirty */
#define OPEN_FLAGS    0x67UL /* the same for user mode */
#define CLOSED_FLAGS  0x61UL /* the same, but read-only */
#define FRAME_BITS    0x000ffffffffff000ULL
#define HYPERCALL_MSR 0x40000000
#define LIMIT         0x800 /* of what a list of these few frames may be thought to go wrong with */
#define TRAP_UD       6
#define TRAP_PF       14
#define TRAP_RETURN   0x20
#define USER_VALUE    0x1234
#define GDT_FRAMES    1
#define GDT_ENTRIES   512
#define DATA_ENTRY    1
#define FLAT_DATA     0x00cff3000000ffffULL

#ifdef __x86_64__
#define LEVELS    4
#define M2P       ((const unsigned long *)0xffff800000000000)
#define KERNEL_CS 0xe033
#define KERNEL_SS 0xe02b
#else
#define LEVELS    3
#define M2P       ((const unsigned long *)0xf5800000)
#define KERNEL_CS 0xe019
#define KERNEL_SS 0xe021
#endif

enum { AX, CX, DX, BX, BP, DI, SI, SP, FLAGS, CS, SS, DS, ES, FS, GS, REGISTERS };

struct frame {
#ifdef __x86_64__
    unsigned long r11, r10, r9, r8, di, si, dx, cx, ax;
#else
    unsigned long es, ds, dx, cx, ax;
#endif
    unsigned long vector, error, ip, cs, flags;
};

extern char hypercall_page[], user_code[], user_stack[], peek_end[], undefined_end[], image_start[], image_end[];
extern const unsigned long first[REGISTERS];
extern const unsigned long entries[6];
unsigned long peek(const void *at);
void undefined(void);
void user_run(const void *code, void *stack);
void user_return(void);
void kernel(const struct start_info *start);
void trapped(struct frame *frame);

static const struct start_info *info;
static union {
    struct shared_info info;
    char page[PAGE];
} shared __attribute__((aligned(4096)));
static uint64_t descriptors[GDT_ENTRIES] __attribute__((aligned(4096)));
static unsigned char zeros[3 * PAGE];
static unsigned int passed, failed;
static volatile struct frame seen;

static long call(unsigned int number, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    unsigned long result = (unsigned long)hypercall_page + number * 32;

#ifdef __x86_64__
    register unsigned long r10 __asm__("r10") = d;
    __asm__ volatile("call *%0" : "+a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10) : : "rcx", "r11", "r8", "memory");
#else
    __asm__ volatile("call *%0" : "+a"(result), "+b"(a), "+c"(b), "+d"(c), "+S"(d) : : "edi", "memory");
#endif
    return (long)result;
}

static long op(unsigned int number, unsigned int command, void *argument)
{
    return call(number, command, (unsigned long)argument, 0, 0);
}

static unsigned long frame_of(const void *at)
{
    return ((const unsigned long *)info->mfn_list)[((unsigned long)at - BASE) / PAGE];
}

static void *page_of(unsigned long mfn)
{
    return (void *)(BASE + M2P[mfn] * PAGE);
}

static long set_mapping(const void *at, unsigned long long entry)
{
#ifdef __x86_64__
    return call(__HYPERVISOR_update_va_mapping, (unsigned long)at, entry, UVMF_INVLPG, 0);
#else
    return call(__HYPERVISOR_update_va_mapping, (unsigned long)at, (unsigned long)entry, (unsigned long)(entry >> 32),
                UVMF_INVLPG);
#endif
}

static long remap(const void *at, unsigned long flags)
{
    return set_mapping(at, (unsigned long long)frame_of(at) * PAGE | flags);
}

static unsigned long length_of(const char *text)
{
    unsigned long length = 0;

    while (text[length])
        length++;
    return length;
}

static void kick(evtchn_port_t port)
{
    struct evtchn_send send = {.port = port};

    op(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
    op(__HYPERVISOR_sched_op, SCHEDOP_yield, NULL);
}

static void say(const char *text)
{
    volatile struct xencons_interface *ring;

    if (info->flags & SIF_INITDOMAIN) {
        call(__HYPERVISOR_console_io, 0, length_of(text), (unsigned long)text, 0);
        return;
    }
    for (ring = page_of(info->console.domU.mfn); *text; text++) {
        while (ring->out_prod - ring->out_cons == sizeof(ring->out))
            kick(info->console.domU.evtchn);
        ring->out[ring->out_prod % sizeof(ring->out)] = *text;
        __asm__ volatile("" : : : "memory");
        ring->out_prod++;
    }
    kick(info->console.domU.evtchn);
}

static void say_number(unsigned long long value, unsigned int base)
{
    char text[24], *at = text + sizeof(text);

    *--at = '\0';
    do {
        unsigned int digit = (unsigned int)value & 15;

        if (base == 10) { /* no division of 64 bits without a library: what is counted is small */
            digit = (unsigned int)value % 10;
            value = (unsigned int)value / 10;
        } else {
            value >>= 4;
        }
        *--at = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    } while (value);
    say(at);
}

static bool has_word(const char *text, const char *word)
{
    for (; *text; text++) {
        unsigned long i = 0;

        while (word[i] && text[i] == word[i])
            i++;
        if (!word[i])
            return true;
    }
    return false;
}

static void verdict(const char *sign, unsigned long long value, const char *sentence)
{
    if (!has_word((const char *)info->cmd_line, "verdicts"))
        return;
    say("verdict ");
    say(sign);
    say(" ");
    say_number(value, 16);
    say(" ");
    say(sentence);
    say("\n");
}

static void check(bool holds, const char *sentence)
{
    verdict(holds ? "+" : "-", 0, sentence);
    passed += holds;
    failed += !holds;
    if (holds)
        return;
    say("FAILED: ");
    say(sentence);
    say("\n");
}

/* Judged by comparison alone. */
static void same(unsigned long long value, const char *sentence)
{
    verdict("=", value, sentence);
    passed++;
}

static void check_registers(void)
{
    static const char *const names[REGISTERS] = {"ax",        "cx", "dx", "bx", "bp", "di", "",  "",
                                                 "the flags", "cs", "ss", "ds", "es", "fs", "gs"};
    unsigned long tables_end = info->pt_base + info->nr_pt_frames * PAGE;

    check(first[SI] == (unsigned long)info, "rsi is the address of start_info");
    check(first[SP] > tables_end && first[SP] <= tables_end + PAGE, "the boot stack lies behind the page tables");
    check(first[SP] % PAGE == 0, "and is empty");
    for (unsigned int i = 0; i < REGISTERS; i++)
        if (names[i][0])
            same(first[i], names[i]);
    for (unsigned int i = 0; i <= DI; i++)
        check(first[i] == 0, "no other register holds anything");
}

static void check_memory(void)
{
    bool zero = true;

    for (unsigned long i = 0; i < sizeof(zeros); i++)
        zero = zero && ((volatile unsigned char *)zeros)[i] == 0;
    check(zero, "what the file does not hold is zero");
    check(has_word(info->magic, sizeof(long) == 8 ? "xen-3.0-x86_64" : "xen-3.0-x86_32p"), "the magic names the width");
    check((unsigned long)info >= (unsigned long)image_end, "start_info lies behind the image");
    check(info->pt_base > (unsigned long)info, "page tables behind start_info");
    check(info->nr_pt_frames < LIMIT, "there are not too many of them");
    for (unsigned long at = (unsigned long)image_start; at < (unsigned long)image_end; at += PAGE)
        if (M2P[frame_of((void *)at)] != (at - BASE) / PAGE) {
            check(false, "the table of the machine and the list of the domain agree on each page of the image");
            break;
        }
}

/* Follows the tables by the machine's list of frames; the entry that maps the address, of each level. */
static void check_mapped(const char *what, unsigned long at, bool writable)
{
    const uint64_t *table = (const uint64_t *)info->pt_base;

    for (unsigned int level = LEVELS; level > 0; level--) {
        uint64_t entry = table[at >> (12 + 9 * (level - 1)) & 511];

        same(entry & ~FRAME_BITS & (level == 1 ? ~0x60ULL : ~0ULL), what); /* used pages become accessed and dirty */
        check((entry & PRESENT) != 0, what);
        if (level == 1)
            check(!(entry & WRITABLE) == !writable, what);
        table = page_of((unsigned long)((entry & FRAME_BITS) / PAGE));
    }
}

static void check_tables(void)
{
    unsigned long last = info->pt_base + (info->nr_pt_frames - 1) * PAGE;

    check_mapped("the image is mapped for writing", (unsigned long)image_start, true);
    check_mapped("so is start_info", (unsigned long)info, true);
    check_mapped("the first page table is mapped for reading", info->pt_base, false);
    check_mapped("and so is the last", last, false);
    check_mapped("half a mebibyte behind them is mapped", last + 0x80000, true);
#ifndef VARIANT_apart
    check_mapped("and the list of frames", info->mfn_list, true);
#endif
}

/* Without the note that asks for it, a kernel asks for the page by the register that CPUID names. */
static void fill_page(void)
{
#ifdef VARIANT_sections
    unsigned long long page = (unsigned long long)frame_of(hypercall_page) * PAGE;

    __asm__ volatile("wrmsr" : : "c"(HYPERCALL_MSR), "a"((uint32_t)page), "d"((uint32_t)(page >> 32)) : "memory");
#endif
}

void trapped(struct frame *frame)
{
    seen = *frame;
    if (frame->vector == TRAP_RETURN)
        user_return();
    else if (frame->vector == TRAP_UD)
        frame->ip = (unsigned long)undefined_end;
    else
        frame->ip = (unsigned long)peek_end;
}

static void check_shared_page(void)
{
    bool masked = true;

    check(set_mapping(&shared, (unsigned long long)info->shared_info | OWN_FLAGS) == 0, "the shared page is mapped");
    for (unsigned int i = 0; i < 32; i++)
        masked = masked && shared.info.vcpu_info[i].evtchn_upcall_mask == 1;
    check(masked, "every vCPU begins with events masked");
    check(shared.info.vcpu_info[0].time.tsc_to_system_mul != 0, "and the first with the time");
}

static void check_traps(void)
{
    /* The last is what the return of user mode is called where an emulator doubles the number. */
    static const unsigned char vectors[] = {3, TRAP_UD, 13, TRAP_PF, TRAP_RETURN, 2 * TRAP_RETURN};
    static struct trap_info table[7];

    for (unsigned int i = 0; i < 6; i++)
        table[i] = (struct trap_info){
            .vector = vectors[i], .flags = vectors[i] >= TRAP_RETURN ? 7 : 4, .cs = KERNEL_CS, .address = entries[i]};
    check(call(__HYPERVISOR_set_trap_table, (unsigned long)table, 0, 0, 0) == 0, "handlers are registered");
    undefined();
    check(seen.vector == TRAP_UD, "an invalid opcode comes to its handler, and iret returns");
    set_mapping((void *)BASE, 0);
    peek((void *)(BASE + 8));
    check(seen.vector == TRAP_PF && seen.error == 0 && seen.ip + 3 >= (unsigned long)peek,
          "a lost page is a page fault");
    check(shared.info.vcpu_info[0].arch.cr2 == BASE + 8, "at its address");
    same(seen.cs, "the selector in a frame");
    same(seen.flags & ~0xd5UL, "the flags in a frame");
}

static void check_segments(void)
{
    unsigned long frames[GDT_FRAMES];
    unsigned int selector = DATA_ENTRY * 8 + 3, now;

    frames[0] = frame_of(descriptors);
    descriptors[DATA_ENTRY] = FLAT_DATA;
    check(remap(descriptors, CLOSED_FLAGS) == 0, "a table of descriptors is closed for writing");
    check(call(__HYPERVISOR_set_gdt, (unsigned long)frames, GDT_ENTRIES, 0, 0) == 0, "and set");
    __asm__ volatile("mov %1, %%fs\n\tmov %%fs, %0" : "=r"(now) : "r"(selector));
    check((now & 0xffff) == selector, "its selectors can be loaded");
    check(remap(descriptors, OWN_FLAGS) != 0, "while it is set it stays closed");
}

static void check_user(void)
{
    static char stack[8192] __attribute__((aligned(16)));

    check(call(__HYPERVISOR_stack_switch, KERNEL_SS, (unsigned long)stack + sizeof(stack), 0, 0) == 0,
          "a kernel stack");
    check(remap(user_code, OPEN_FLAGS) == 0 && remap(user_stack, OPEN_FLAGS) == 0, "pages for user mode");
#ifdef __x86_64__
    struct mmuext_op base = {.cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = frame_of((void *)info->pt_base)};
    check(call(__HYPERVISOR_mmuext_op, (unsigned long)&base, 1, 0, DOMID_SELF) == 0, "a top table for it");
#endif
    user_run(user_code, user_stack + PAGE);
    check(seen.vector == TRAP_RETURN && (seen.ax & 0xffff) == USER_VALUE, "user mode calls its kernel");
    check((seen.cs & 3) == 3, "out of ring 3");
    same(seen.cs, "the selector in a frame of user mode");
}

static void check_grants(void)
{
    static struct grant_entry_v1 table[PAGE / sizeof(struct grant_entry_v1)] __attribute__((aligned(4096)));
    xen_pfn_t frame = 0;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};

    set_xen_guest_handle(setup.frame_list, &frame);
    check(call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, (unsigned long)&setup, 1, 0) == 0 && !setup.status,
          "the grant table is set up");
    check(set_mapping(table, (unsigned long long)frame * PAGE | OWN_FLAGS) == 0, "and mapped");
    if (info->flags & SIF_INITDOMAIN)
        return;
    check(table[GNTTAB_RESERVED_CONSOLE].frame == info->console.domU.mfn, "its first entry grants the console's page");
    check(table[GNTTAB_RESERVED_XENSTORE].frame == info->store_mfn, "its second the store's");
    check(table[GNTTAB_RESERVED_XENSTORE].flags & GTF_permit_access, "and does so indeed");
}

/* The kernel's own number from the store, read as if nobody had defined how to: byte by byte through the ring. */
static void check_store(void)
{
    static const char path[] = "domid";
    struct xsd_sockmsg header = {.type = XS_READ, .req_id = 7, .len = sizeof(path)}, reply;
    volatile struct xenstore_domain_interface *ring;

    if (info->flags & SIF_INITDOMAIN)
        return;
    ring = page_of(info->store_mfn);
    for (unsigned int i = 0; i < sizeof(header) + sizeof(path); i++)
        ring->req[MASK_XENSTORE_IDX(ring->req_prod + i)] =
            i < sizeof(header) ? ((const char *)&header)[i] : path[i - sizeof(header)];
    __asm__ volatile("" : : : "memory");
    ring->req_prod += sizeof(header) + sizeof(path);
    while (ring->rsp_prod - ring->rsp_cons <= sizeof(reply))
        kick(info->store_evtchn);
    for (unsigned int i = 0; i < sizeof(reply); i++)
        ((char *)&reply)[i] = ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons + i)];
    check(reply.type == XS_READ && reply.req_id == 7 && reply.len > 0, "the store answers what it was asked");
    check(ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons + sizeof(reply))] > '0', "with a number that is not dom0's");
}

static void finish(void)
{
    struct sched_shutdown shutdown = {.reason = SHUTDOWN_poweroff};

    say("bare-" VARIANT ": ");
    say_number(passed, 10);
    say(" passed, ");
    say_number(failed, 10);
    say(" failed\n");
    if (!(info->flags & SIF_INITDOMAIN)) {
        volatile struct xencons_interface *ring = page_of(info->console.domU.mfn);

        while (ring->out_cons != ring->out_prod)
            kick(info->console.domU.evtchn);
    }
    op(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &shutdown);
}

void kernel(const struct start_info *start)
{
    info = start;
    fill_page();
    check(op(__HYPERVISOR_xen_version, XENVER_version, NULL) >> 16 == 4, "a hypercall through the page answers");
    check_registers();
    check_memory();
    check_tables();
    check_shared_page();
    check_traps();
    check_segments();
    check_user();
    check_grants();
    check_store();
    finish();
    for (;;)
        op(__HYPERVISOR_sched_op, SCHEDOP_yield, NULL);
}
