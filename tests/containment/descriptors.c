/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Descriptors and selectors. The processor believes what a descriptor says about privilege; a guest writes its own GDT
 * and LDT. None may lead to a ring above the guest's, and none to the hypervisor's memory by way of the tables.
 */
#include "attack.h"

#define D_P         (1ULL << 47)
#define D_DPL(n)    ((uint64_t)(n) << 45)
#define D_S         (1ULL << 44)
#define D_TYPE(t)   ((uint64_t)(t) << 40)
#define D_LONG      (1ULL << 53)
#define D_BIG       (1ULL << 54)
#define D_FLAT      0x008f00000000ffffULL
#define SEL(n)      ((unsigned int)(n)*8)
#define KERNEL_RING (sizeof(long) == 8 ? 3U : 1U)

static uint64_t *gdt;
static unsigned long gdt_mfn;

static long put(unsigned int slot, uint64_t descriptor)
{
    return HYPERVISOR_update_descriptor((uint64_t)gdt_mfn << 12 | slot * 8, descriptor);
}

static void take_gdt(void)
{
    unsigned long frames[1];

    gdt = pages_alloc(1);
    gdt_mfn = virt_to_mfn(gdt);
    pages_protect(gdt, 1, false);
    frames[0] = gdt_mfn;
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 512), 0, "a descriptor table of ours");
}

struct segment_try {
    unsigned int selector;
    int how;
};

/* Where code segments of any width are made to lead to: an exception at once, whose handler puts our own back. */
#ifdef __x86_64__
#define OUR_CS 0xe030
#else
#define OUR_CS 0xe019
#endif
extern char landing[];
__asm__(".text\nlanding: ud2\n ud2\n ud2\n ud2");

static bool back_to_our_code(struct trap_frame *frame)
{
    frame->cs = (frame->cs & ~0xffffUL) | OUR_CS;
    return false;
}

static void load(void *arg)
{
    struct segment_try *t = arg;
    unsigned long target[2] = {(unsigned long)landing, t->selector};

    switch (t->how) {
    case 0:
        __asm__ volatile("mov %0, %%es\n\tmov %1, %%es" : : "r"(t->selector), "r"(sizeof(long) == 8 ? 0 : 0xe021));
        break;
    case 1:
        __asm__ volatile("mov %0, %%fs\n\tmov %1, %%fs" : : "r"(t->selector), "r"(0));
        break;
#ifdef __x86_64__
    case 2:
        __asm__ volatile("rex.W lcall *%0" : : "m"(*(char(*)[10])target) : "memory");
        break;
    case 3:
        __asm__ volatile("push %0\n\tpush %1\n\tlretq" : : "r"(target[1]), "r"(target[0]) : "memory");
        break;
    default: /* a stack of the wrong kind is the kernel's own trouble: in 64-bit mode none is */
        __asm__ volatile("mov %%ss, %%ecx\n\tmov %0, %%ss\n\tmov %%ecx, %%ss" : : "r"(t->selector) : "ecx");
#else
    case 2:
        __asm__ volatile("lcall *%0" : : "m"(*(char(*)[6])target) : "memory");
        break;
    default:
        __asm__ volatile("push %0\n\tpush %1\n\tlret" : : "r"(target[1]), "r"(target[0]) : "memory");
#endif
    }
}

static unsigned int ring(void)
{
    unsigned int cs;

    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    return cs & 3;
}

/* Loads it in every way; what the ring is afterwards is what counts. */
static void use(unsigned int selector)
{
    struct fault fault;

    for (int how = 0; how < (sizeof(long) == 8 ? 5 : 4); how++)
        for (unsigned int rpl = 0; rpl < 4; rpl++) {
            struct segment_try t = {selector | rpl, how};
            if (sizeof(long) == 4 && how == 3 && rpl > 1)
                continue; /* a return to our own outer rings is nobody's business */
            fault_catch(load, &t, &fault);
        }
    CHECK_EQ(ring(), KERNEL_RING, "the ring is the guest's");
}

/* As it stands in the table, it would lift the guest above its ring. */
static bool is_above_us(uint64_t descriptor)
{
    unsigned int type = descriptor >> 40 & 15, dpl = descriptor >> 45 & 3;

    if (!(descriptor & D_P))
        return false;
    if (descriptor & D_S)
        return dpl < KERNEL_RING || (sizeof(long) == 4 && descriptor & D_LONG);
    return type != 0 && (type != 12 || dpl != 0); /* with another dpl the processor itself would take the gate */
}

/* Each kind of descriptor with each privilege level: accepted or not, it may not be one of ring 0 in the table, nor
 * a system segment, nor for a 32-bit guest one of 64-bit code. */
static void every_kind(void)
{
    unsigned int harmful = 0;

    check_group("descriptors of every kind");
    for (unsigned int type = 0; type < 32; type++)
        for (unsigned int dpl = 0; dpl < 4; dpl++)
            for (unsigned int mode = 0; mode < 4; mode++) {
                uint64_t d =
                    D_FLAT | D_P | D_DPL(dpl) | D_TYPE(type) | (mode & 1 ? D_LONG : 0) | (mode & 2 ? D_BIG : 0);
                if (put(20, d) != 0)
                    continue;
                harmful += is_above_us(((volatile uint64_t *)gdt)[20]);
                use(SEL(20));
            }
    CHECK_EQ(harmful, 0, "none in the table is above the guest");
    put(20, 0);
}

/* Call gates are the one descriptor that leads from ring to ring. To each target: the hypervisor's code, our own, nothing;
 * in 64-bit mode the address has 64 bits and the gate two slots, the second of which looks like a descriptor itself. */
static void call_gates(void)
{
    static const uint16_t targets[] = {0xe008, 0xe00b, 0xe010, 0xe019, 0xe033, 0xe040, 0xe050, 0, 8, 4, 0xfff8, 0xfffc};

    check_group("call gates");
    for (unsigned int i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        for (unsigned int dpl = 0; dpl < 4; dpl++)
            for (unsigned int type = 4; type < 16; type += 8) {
                put(22, 0x1000 | (uint64_t)targets[i] << 16 | D_P | D_DPL(dpl) | D_TYPE(type));
                put(23, 0xffff8280ULL);
                use(SEL(22));
            }
    for (unsigned int type = 1; type < 16; type++) { /* both slots full: the upper as a descriptor of its own */
        put(22, 0x1000 | (uint64_t)0xe008 << 16 | D_P | D_DPL(3) | D_TYPE(type));
        put(23, 0xffff8280ULL | D_P | D_DPL(3) | D_TYPE(type));
        use(SEL(22));
        use(SEL(23));
    }
    put(22, 0);
    put(23, 0);
}

/* The hypervisor's own descriptors stand behind the guest's in the same table: its code, its data, the task segment. */
static void selectors_of_the_hypervisor(void)
{
    check_group("the hypervisor's selectors");
    for (unsigned int selector = 0xe000; selector < 0xe080; selector += 8)
        if (!(sizeof(long) == 4 ? selector == 0xe018 || selector == 0xe020 || selector == 0xe028 || selector == 0xe030
                                : selector == 0xe020 || selector == 0xe028 || selector == 0xe030))
            use(selector);
    for (unsigned int selector = 0xe080; selector < 0x10000; selector += 0x3f8)
        use(selector & ~7U);
    for (unsigned int selector = 4; selector < 0x10000; selector += 0xff8)
        use((selector & ~7U) | 4);
}

static void look(void *arg)
{
    unsigned long selector = *(unsigned long *)arg, rights = 0, limit = 0;

    __asm__ volatile("lar %1, %0" : "+r"(rights) : "r"(selector) : "cc");
    __asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(selector) : "cc");
    __asm__ volatile("verr %w0\n\tverw %w0" : : "r"(selector) : "cc");
}

/* Instructions that only ask about a selector touch the tables too, with nothing mapped behind most of them. */
static void questions(void)
{
    struct fault fault;
    unsigned int faults = 0;

    check_group("questions about selectors");
    for (unsigned long selector = 0; selector < 0x10000; selector += 0x7c)
        faults += !fault_catch(look, &selector, &fault) && fault.vector != TRAP_GP && fault.vector != TRAP_PF;
    CHECK_EQ(faults, 0, "no strange faults");
    CHECK_EQ(ring(), KERNEL_RING, "and we are where we were");
}

#ifdef __x86_64__
#define WINDOWS 0xffff828028000000UL

static void read_word(void *at)
{
    (void)*(volatile char *)at;
}

/* The tables that a processor looks at lie at addresses of the hypervisor's. What it finds missing there is the guest's
 * affair; what a program reads there is not: taken for a look at a descriptor, it would be told of another address, or
 * put a page into the table. */
static void reading_the_tables(void)
{
    unsigned int told = 0, pages = 4 * 32;
    struct fault fault;

    check_group("reading where the tables are");
    for (unsigned long at = WINDOWS; at < WINDOWS + pages * PAGE_SIZE; at += PAGE_SIZE)
        told += !fault_catch(read_word, (void *)(at + 8), &fault) && fault.vector == TRAP_PF && fault.address == at + 8;
    CHECK_EQ(told, pages, "is a page fault there");
}
#endif

/* A descriptor table is checked when it becomes one, and may not change behind that: not by a second mapping, not as a
 * page table, not by giving its frame back, not with a frame of somebody else among its frames. */
static void tables_of_descriptors(void)
{
    char *alias = vspace_alloc(1);
    unsigned long frames[16], foreign = foreign_mfn();
    uint64_t *bad = pages_alloc(1);

    check_group("frames of descriptor tables");
    CHECK(pages_protect(gdt, 1, true) != 0, "never writable");
    CHECK(pte_write(alias, pte_make(gdt_mfn, PTE_KERNEL_RW)) != 0, "at no address");
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, gdt_mfn) < 0 && mmuext(PIN_TOP, gdt_mfn) < 0, "never a page table");
    CHECK(mmuext(MMUEXT_CLEAR_PAGE, gdt_mfn) < 0 && mmu_update((uint64_t)gdt_mfn << 12 | 160, D_P) < 0, "never data");
    for (unsigned int i = 0; i < 16; i++)
        frames[i] = gdt_mfn;
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 14 * 512), 0, "one frame may serve for all");
    CHECK(HYPERVISOR_set_gdt(frames, 14 * 512 + 1) < 0, "but not for the hypervisor's part");
    CHECK(HYPERVISOR_set_gdt(frames, ~0U) < 0, "nor for more than there are");
    frames[13] = foreign;
    CHECK(HYPERVISOR_set_gdt(frames, 14 * 512) < 0, "another's frame among them is refused");
    frames[13] = top_mfn();
    CHECK(HYPERVISOR_set_gdt(frames, 14 * 512) < 0, "a page table too");
    frames[13] = ~0UL;
    CHECK(HYPERVISOR_set_gdt(frames, 14 * 512) < 0, "and no frame at all");
    bad[5] = D_FLAT | D_P | D_S | D_TYPE(10) | D_LONG;
    bad[6] = D_FLAT | D_P | D_TYPE(9);
    pages_protect(bad, 1, false);
    frames[0] = virt_to_mfn(bad);
    CHECK(HYPERVISOR_set_gdt(frames, 512) < 0, "a frame with a task segment in it is no descriptor table");
    CHECK_EQ(pages_protect(bad, 1, true), 0, "and stays ours to write");
    frames[0] = gdt_mfn;
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 512), 0, "back to one");
    for (uint64_t at = 0; at < 8; at++)
        CHECK(HYPERVISOR_update_descriptor(((uint64_t)foreign << 12) + at, D_FLAT) < 0, "no descriptor of another's");
    CHECK(HYPERVISOR_update_descriptor((uint64_t)top_mfn() << 12, D_FLAT) < 0, "none in a page table");
    CHECK(HYPERVISOR_update_descriptor(~7ULL, 0) < 0, "none past the end of memory");
    CHECK(HYPERVISOR_update_descriptor(((uint64_t)gdt_mfn << 12) + 4092, 0) < 0, "none across two pages");
    vspace_free(alias, 1);
    pages_free(bad, 1);
}

static long set_ldt(unsigned long base, unsigned long entries)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT, .arg1.linear_addr = base, .arg2.nr_ents = (unsigned int)entries};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* Out of sight first, which ends its use as a table. */
static long retake(void *page)
{
    unsigned long mfn = virt_to_mfn(page);

    set_pte(page, 0);
    return set_pte(page, pte_make(mfn, PTE_KERNEL_RW));
}

/* The LDT lies at an address of the guest's, page by page as it is used: an address of the hypervisor's, one that runs
 * into it, pages that are tables or writable, and pages that are taken away while it is in use. */
static void local_table(void)
{
    uint64_t *ldt = pages_alloc(2);
    struct segment_try t = {SEL(3) | 4 | KERNEL_RING, 1};
    struct fault fault;

    check_group("the local table");
    CHECK(set_ldt((unsigned long)ldt + 8, 16) < 0, "not askew");
    CHECK(set_ldt((unsigned long)ldt, 8193) < 0, "not longer than there are");
#ifdef __x86_64__
    CHECK(set_ldt(HV_DATA, 8192) < 0, "not in the hypervisor");
    CHECK(set_ldt(NON_CANONICAL, 1) < 0, "not at an address that is none");
#else
    if (set_ldt(HV_DATA, 8192) == 0)
        CHECK(!fault_catch(load, &t, &fault), "in the hypervisor there is none");
#endif
    if (set_ldt(HV_START - PAGE_SIZE, 8192) == 0)
        for (unsigned int slot = 500; slot < 8192; slot += 333)
            use(SEL(slot) | 4);
    ldt[3] = D_FLAT | D_P | D_DPL(3) | D_S | D_TYPE(2) | D_BIG;
    CHECK_EQ(set_ldt((unsigned long)ldt, 1024), 0, "a table of ours");
    CHECK(!fault_catch(load, &t, &fault), "while its page is writable it is not used");
    pages_protect(ldt, 2, false);
    CHECK(fault_catch(load, &t, &fault), "read-only it is");
    CHECK(pages_protect(ldt, 1, true) != 0, "while it is used its page cannot be made writable");
    CHECK_EQ(retake(ldt), 0, "but it can be taken away and back");
    ldt[3] = D_FLAT | D_P | D_S | D_TYPE(10);
    CHECK(!fault_catch(load, &t, &fault), "then it is not used any more");
    pages_protect(ldt, 1, false);
    use(SEL(3) | 4);
    CHECK_EQ(set_pte(ldt, 0), 0, "or taken away");
    CHECK(!fault_catch(load, &t, &fault), "which is a fault");
    CHECK_EQ(set_pte(ldt, pte_make(top_mfn(), PTE_KERNEL_RO)), 0, "or a page table put there");
    CHECK(!fault_catch(load, &t, &fault), "which is none of descriptors");
    CHECK_EQ(set_ldt(0, 0), 0, "no table");
}

/* A page that serves as the local table is taken back and written on one processor while another loads selectors from
 * it. If the taking back misses a processor, that one loads what nobody checked. */
static uint64_t *shared_ldt;
static volatile unsigned int above;

struct rights {
    unsigned long selector, rights, valid;
};

static void ask(void *arg)
{
    struct rights *r = arg;

    __asm__ volatile("lar %2, %0\n\tsetz %b1" : "+r"(r->rights), "+q"(r->valid) : "r"(r->selector) : "cc");
}

static void load_on(void *arg)
{
    struct race *race = arg;
    struct segment_try t = {SEL(3) | 4 | KERNEL_RING, 1};
    struct fault fault;

    set_ldt((unsigned long)shared_ldt, 512);
    while (race->running) {
        struct rights r = {t.selector, 0, 0};
        fault_catch(load, &t, &fault);
        if (fault_catch(ask, &r, &fault))
            above += (r.valid & 1) && (r.rights >> 13 & 3) < KERNEL_RING && r.rights;
        race->rounds++;
    }
    set_ldt(0, 0);
}

static void local_table_taken_back(void)
{
    struct race race;
    uint64_t end;

    check_group("a local table taken back");
    shared_ldt = pages_alloc(1);
    shared_ldt[3] = D_FLAT | D_P | D_DPL(3) | D_S | D_TYPE(2) | D_BIG;
    pages_protect(shared_ldt, 1, false);
    if (!race_start(&race, load_on))
        return;
    end = time_monotonic_ns() + 300000000;
    while (time_monotonic_ns() < end)
        if (retake(shared_ldt) == 0) {
            shared_ldt[3] = D_FLAT | D_P | D_DPL(0) | D_S | D_TYPE(10) | D_LONG;
            shared_ldt[3] = D_FLAT | D_P | D_DPL(3) | D_S | D_TYPE(2) | D_BIG;
            pages_protect(shared_ldt, 1, false);
        }
    race_stop(&race);
    CHECK_EQ(above, 0, "what was there while it was writable was never seen by a processor");
}

int main(int argc, char **argv)
{
    static const unsigned int vectors[] = {TRAP_UD, TRAP_TS, TRAP_NP, TRAP_SS, TRAP_GP, TRAP_PF};

    for (unsigned int i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        trap_set_handler(vectors[i], back_to_our_code);
    take_gdt();
    every_kind();
    call_gates();
    selectors_of_the_hypervisor();
    questions();
#ifdef __x86_64__
    reading_the_tables();
#endif
    tables_of_descriptors();
    local_table();
    local_table_taken_back();
    return check_summary("descriptors");
}
