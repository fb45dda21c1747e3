/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that the hypervisor carries out for the guest. It reads them from the guest's memory, computes where their
 * operands lie, and reads and writes there, all with its own rights and a moment after the processor refused.
 */
#include "attack.h"

static volatile unsigned char *code; /* a page that can be written and executed */

struct run {
    unsigned long ax, cx, dx, si, di, bx;
};

static void run_code(void *arg)
{
    struct run *r = arg;

    __asm__ volatile("call *%6"
                     : "+a"(r->ax), "+c"(r->cx), "+d"(r->dx), "+S"(r->si), "+D"(r->di), "+b"(r->bx)
                     : "m"(code)
                     : "memory", "cc");
}

/* One instruction, then a return; what it raised, 255 for nothing. */
static unsigned int execute(const void *bytes, unsigned int length, unsigned int at, struct run *r)
{
    struct fault fault = {.vector = 255};
    volatile unsigned char *page = code;
    struct run copy = *r;

    for (unsigned int i = 0; i < length; i++)
        page[at + i] = ((const unsigned char *)bytes)[i];
    page[at + length] = 0xc3;
    code = page + at;
    fault_catch(run_code, &copy, &fault);
    code = page;
    *r = copy;
    return fault.vector;
}

#define EXECUTE(r, ...)                                                                                                \
    ({                                                                                                                 \
        static const unsigned char bytes_[] = {__VA_ARGS__};                                                           \
        execute(bytes_, sizeof(bytes_), 0, r);                                                                         \
    })

#ifdef __x86_64__
static const unsigned long bad_places[] = {0xffff800000000000UL, 0xffff828000000000UL, 0xffff830000000000UL,
                                           NON_CANONICAL,        NON_CANONICAL - 1,    ~0UL,
                                           0xffff87ffffffffffUL};
#else
static const unsigned long bad_places[] = {0xf5800000UL, 0xf57fffffUL, 0xfc000000UL, 0xffffffffUL, 0xfffffffeUL};
#endif
#define PLACES (sizeof(bad_places) / sizeof(bad_places[0]))

/* String instructions on ports move memory: their pointers are the guest's, the access is the hypervisor's. The kernel
 * may use ports as far as its I/O level goes; behind them is nothing, so all ones would be written to the address. */
static void string_io(void)
{
    struct physdev_set_iopl iopl = {.iopl = 3};

    check_group("strings to and from ports");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0, "ports are open to the kernel");
    for (unsigned int i = 0; i < PLACES; i++) {
        struct run r = {.dx = 0x80, .cx = 4, .si = bad_places[i], .di = bad_places[i]};
        unsigned int vector;
        vector = EXECUTE(&r, 0x6c);
        CHECK(vector == TRAP_PF || vector == TRAP_GP || vector == TRAP_SS, "insb to the hypervisor is a fault");
        CHECK_EQ(r.di, bad_places[i], "and goes nowhere");
        r = (struct run){.dx = 0x80, .cx = ~0UL, .si = bad_places[i], .di = bad_places[i]};
        vector = EXECUTE(&r, 0xf3, 0x6d);
        CHECK(vector == TRAP_PF || vector == TRAP_GP || vector == TRAP_SS, "repeated too");
        r = (struct run){.dx = 0x80, .cx = 8, .si = bad_places[i], .di = bad_places[i]};
        vector = EXECUTE(&r, 0xf3, 0x6e);
        if (sizeof(long) == 8 || bad_places[i] >= 0xfc000000UL)
            CHECK(vector == TRAP_PF || vector == TRAP_GP || vector == TRAP_SS || vector == 255,
                  "reading has no effect");
    }
}

static bool refused_or_nothing(unsigned int vector)
{
    return vector == 255 || vector == TRAP_UD || vector == TRAP_GP || vector == TRAP_PF || vector == TRAP_SS;
}

/* Port 0x20 is the interrupt controller's, 0xcf9 resets the machine, 0x604 switches it off, 0x3f8 is the console. */
static void ports(void)
{
    static const unsigned int hostile[] = {0x20,  0x21,  0x40,  0x43,  0x61,  0x64,  0x70, 0x92,   0xa1,
                                           0xcf8, 0xcf9, 0xcfc, 0x3f8, 0x604, 0x600, 0xb2, 0xffff, 0xfffd};

    check_group("ports");
    for (unsigned int i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct run r = {.dx = hostile[i], .ax = 0xfe};
        CHECK(refused_or_nothing(EXECUTE(&r, 0xee)), "a byte to a port is refused or goes nowhere");
        r = (struct run){.dx = hostile[i], .ax = 0x2001};
        CHECK(refused_or_nothing(EXECUTE(&r, 0xef)), "and so does a word");
        r = (struct run){.dx = hostile[i]};
        if (EXECUTE(&r, 0xec) == 255)
            CHECK_EQ(r.ax & 0xff, 0xff, "nothing is behind a port");
    }
}

#define TIMES 0x174 /* and a register of the model */

/* Prefixes: LOCK where it is not allowed, segment overrides, sizes, and more of them than an instruction can have. */
static void prefixes(void)
{
    static const unsigned char prefix[] = {0xf0, 0x66, 0x67, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    static const unsigned char tails[][3] = {{0x0f, 0x20, 0xc0}, {0x0f, 0x22, 0xc0}, {0x0f, 0x30, 0x90},
                                             {0x0f, 0x32, 0x90}, {0x0f, 0x23, 0xf8}, {0xec, 0x90, 0x90},
                                             {0x6c, 0x90, 0x90}, {0xfa, 0x90, 0x90}};
    static char buffer[TIMES]; /* for an INS that is repeated */
    unsigned int strange = 0;

    check_group("prefixes");
    for (unsigned int t = 0; t < sizeof(tails) / sizeof(tails[0]); t++)
        for (unsigned int p = 0; p < sizeof(prefix); p++)
            for (unsigned int count = 1; count < 16; count += 6) {
                unsigned char bytes[20];
                struct run r = {.dx = 0x80, .cx = TIMES, .di = (unsigned long)buffer, .si = (unsigned long)buffer};
                memset(bytes, prefix[p], count);
                memcpy(bytes + count, tails[t], 3);
                strange += !refused_or_nothing(execute(bytes, count + 3, 0, &r));
            }
    CHECK_EQ(strange, 0, "each was carried out or refused");
}

/* An instruction whose bytes run into a page that is not there, or into the hypervisor's part: fetching them must fault
 * for the guest, at the first byte that is missing. */
static void across_pages(void)
{
    static const unsigned char bytes[] = {0x66, 0x66, 0x66, 0x66, 0x0f, 0x20, 0xc0};
    struct fault fault;
    struct run r = {0};

    check_group("instructions across pages");
    for (unsigned int i = 0; i < sizeof(bytes); i++)
        code[PAGE_SIZE - 7 + i] = bytes[i];
    set_pte((void *)(code + PAGE_SIZE), 0);
    for (unsigned int at = PAGE_SIZE - 7; at < PAGE_SIZE; at++) {
        volatile unsigned char *page = code;
        code = page + at;
        CHECK(!fault_catch(run_code, &r, &fault), "a fault");
        CHECK(fault.vector == TRAP_PF || fault.vector == TRAP_GP || fault.vector == TRAP_UD, "of the guest's");
        code = page;
    }
}

/* Numbers that select registers: of control, of debugging, of the model, of the extended state. Values that would be
 * accepted by the processor and change it for everybody. */
static void registers(void)
{
    static const uint32_t msrs[] = {0x10,       0x1b,       0x174,      0x175,      0x176,      0x277,      0x2ff,
                                    0x3a,       0x79,       0x1d9,      0x48,       0x49,       0x8b,       0xc0000080,
                                    0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102,
                                    0xc0000103, 0xc0010015, 0xc0011029, 0x40000000, 0xffffffff, 0x800,      0x830};
    static const unsigned long values[] = {0, 1, ~0UL, HV_DATA, 1UL << 31};
    struct run r;

    check_group("registers of all kinds");
    for (unsigned int i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        for (unsigned int j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            if (msrs[i] >= 0xc0000100 && msrs[i] <= 0xc0000103)
                continue; /* the guest's own, below */
            r = (struct run){
                .cx = msrs[i], .ax = values[j] & 0xffffffff, .dx = sizeof(long) == 8 ? (uint64_t)values[j] >> 32 : 1};
            EXECUTE(&r, 0x0f, 0x30);
        }
        r = (struct run){.cx = msrs[i]};
        EXECUTE(&r, 0x0f, 0x32);
    }
#ifdef __x86_64__
    for (uint32_t msr = 0xc0000100; msr < 0xc0000103; msr++) {
        r = (struct run){.cx = msr, .ax = 0, .dx = 0x8000};
        CHECK_EQ(EXECUTE(&r, 0x0f, 0x30), TRAP_GP, "a segment base that is no address");
        r = (struct run){.cx = msr};
        CHECK_EQ(EXECUTE(&r, 0x0f, 0x30), 255, "zero is one");
    }
#endif
    for (unsigned int i = 0; i < 3; i++) {
        static const uint32_t low[] = {0, 0xffffffff, 4};
        r = (struct run){.ax = low[i], .dx = i == 1 ? 0xffffffff : 0};
        CHECK(EXECUTE(&r, 0x0f, 0x01, 0xd1) != 255, "state components that do not exist are not switched on");
        r = (struct run){.ax = 7, .cx = i + 1};
        CHECK(EXECUTE(&r, 0x0f, 0x01, 0xd1) != 255, "nor in a register that does not exist");
    }
    for (unsigned char reg = 0; reg < 8; reg++) {
        unsigned char read[] = {0x0f, 0x20, (unsigned char)(0xc0 | reg << 3)};
        unsigned char write[] = {0x0f, 0x22, (unsigned char)(0xc0 | reg << 3)};
        r = (struct run){0};
        execute(read, 3, 0, &r);
        r = (struct run){.ax = reg == 3 ? foreign_mfn() << 12 : 0};
        if (reg == 0 || reg == 3)
            CHECK(execute(write, 3, 0, &r) != 255, "control registers take no value that is not the guest's to give");
        else if (reg != 2 && reg != 4)
            CHECK(execute(write, 3, 0, &r) != 255, "nor exist where there are none");
    }
}

static volatile unsigned char *raced;

static void rewrite_on(void *arg)
{
    struct race *race = arg;

    while (race->running) { /* mov cr0 -> rax; mov rax -> cr3; insb; outsb */
        raced[0] = 0x0f;
        raced[1] = 0x20;
        raced[1] = 0x22;
        raced[2] = 0xd8;
        raced[0] = 0x6c;
        raced[0] = 0x0f;
        raced[2] = 0xc0;
        race->rounds++;
    }
}

/* The instruction that faulted is not the one that is read a moment later: another vCPU writes there meanwhile. What is
 * carried out must be allowed by itself, not by what the processor complained of. */
static void rewritten_between(void)
{
    struct race race;
    uint64_t end = time_monotonic_ns() + 200000000ULL;
    unsigned long root = top_mfn(), other = 0;

    check_group("an instruction that changes meanwhile");
    raced = code;
    raced[0] = 0x0f;
    raced[1] = 0x20;
    raced[2] = 0xc0;
    raced[3] = 0xc3;
    if (!race_start(&race, rewrite_on))
        return;
    while (time_monotonic_ns() < end) {
        struct run r = {.ax = foreign_mfn() << 12, .dx = 0x80, .di = HV_DATA};
        struct fault fault;
        fault_catch(run_code, &r, &fault);
        other += top_mfn() != root;
    }
    race_stop(&race);
    CHECK_EQ(other, 0, "the address space is the guest's");
}

struct table_write {
    volatile char *at;
    pte_t value;
};

#ifdef __x86_64__
static void write_16(void *arg)
{
    struct table_write *w = arg;
    unsigned long a = 0, d = 0;

    __asm__ volatile("lock cmpxchg16b %0" : "+m"(*w->at), "+a"(a), "+d"(d) : "b"(w->value), "c"(w->value) : "cc");
}
#endif

static void write_askew(void *arg)
{
    struct table_write *w = arg;

    *(volatile unsigned long *)w->at = (unsigned long)w->value;
}

static void write_string(void *arg)
{
    struct table_write *w = arg;
    unsigned long count = 1024, at = (unsigned long)w->at;

    __asm__ volatile("rep stosl" : "+c"(count), "+D"(at) : "a"((uint32_t)w->value) : "memory");
}

static void write_byte(void *arg)
{
    struct table_write *w = arg;

    *w->at = (char)w->value;
}

/* A write to a page table is looked at as the entry it makes. Written askew, in pieces, two entries at once, or by a
 * string instruction that runs off the end of the page, the pieces may make an entry that nobody looked at. */
static void writes_to_tables(void)
{
    pte_t *pages = pages_alloc(2), *table = pages, evil = pte_make(foreign_mfn(), PTE_KERNEL_RW);
    unsigned long mfn = virt_to_mfn(table), bad = 0;
    struct table_write w;
    struct fault fault;

    check_group("writes to page tables");
    pages_protect(table, 1, false);
    CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0, "a table");
    for (unsigned int offset = 0; offset < 16; offset++) {
        w = (struct table_write){(volatile char *)table + offset, evil};
        fault_catch(write_askew, &w, &fault);
        w.value = evil >> 8 * (offset & 7);
        fault_catch(write_byte, &w, &fault);
    }
    for (unsigned int offset = PAGE_SIZE - 8; offset < PAGE_SIZE; offset++) {
        w = (struct table_write){(volatile char *)table + offset, evil};
        fault_catch(write_askew, &w, &fault);
    }
    w = (struct table_write){(volatile char *)table + 64, evil};
    fault_catch(write_string, &w, &fault);
#ifdef __x86_64__
    w = (struct table_write){(volatile char *)table + 32, evil};
    fault_catch(write_16, &w, &fault);
#endif
    for (unsigned int i = 0; i < 512; i++)
        bad += (table[i] & PTE_P) && pte_mfn(table[i]) != mfn && mfn_to_pfn(pte_mfn(table[i])) == INVALID_P2M;
    CHECK_EQ(bad, 0, "no entry names another's frame");
    CHECK_EQ(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0, "gone");
    pages_protect(table, 1, true);
    pages_free(pages, 2);
}

/* The emulator of table writes is for tables of level 1 that are the guest's own. A read-only page of another kind stays
 * read-only: an upper table, a descriptor table, a page of data, the table of frames. */
static void writes_to_others(void)
{
    pte_t *top = (pte_t *)(unsigned long)start_info->pt_base;
    char *page = pages_alloc(1);
    unsigned long frames[1] = {virt_to_mfn(page)};

    check_group("writes to what is no table of level 1");
    CHECK(!probe_write(top, (unsigned long)top[0] | 0x200), "the top table");
    pages_protect(page, 1, false);
    CHECK(!probe_write(page, 1), "data, read-only");
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 512), 0, "descriptors");
    CHECK(!probe_write(page + 8, 1), "read-only too");
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 0), 0, "gone");
    CHECK(!probe_write((void *)MACH2PHYS_VIRT_START, 1), "the table of frames");
    pages_protect(page, 1, true);
    pages_free(page, 1);
}

int main(int argc, char **argv)
{
    code = pages_alloc(2);
    set_pte((void *)code, pte_make(virt_to_mfn((void *)code), PTE_KERNEL_RW));
    string_io();
    ports();
    prefixes();
    registers();
    rewritten_between();
    writes_to_tables();
    writes_to_others();
    across_pages();
    return check_summary("emulator");
}
