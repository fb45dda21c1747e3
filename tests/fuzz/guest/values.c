/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Values by kind: seven of eight are such as a kernel would use at this moment, the rest edges and noise. Pointers are
 * mostly to this vCPU's arena, whose end is the end of mapped memory, sometimes to memory that other vCPUs write
 * meanwhile, and now and then to where no argument may be.
 */
#include <string.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/time.h>
#include "fuzz.h"
#include "risky.h"

static const uint64_t edges[] = {0,
                                 1,
                                 2,
                                 7,
                                 8,
                                 63,
                                 64,
                                 511,
                                 512,
                                 1023,
                                 1024,
                                 4095,
                                 4096,
                                 4097,
                                 0x7fff,
                                 0x7ff0,
                                 0x7ff1,
                                 0x7ff4,
                                 0x7ffffffe,
                                 0x7fffffff,
                                 0x80000000,
                                 0xfffffff0,
                                 0xffffffff,
                                 0x100000000,
                                 1ULL << 40,
                                 1ULL << 46,
                                 1ULL << 47,
                                 1ULL << 52,
                                 1ULL << 63,
                                 ~0ULL,
                                 ~0ULL - 4095,
                                 0xf5800000,
                                 0xffff800000000000,
                                 0xffff880000000000,
                                 0x7fffffffffff};

uint64_t wild(struct player *p)
{
    uint64_t high = draw(p, 0xffffffff);

    return draw(p, 2) ? edges[draw(p, sizeof(edges) / sizeof(edges[0]))] : high << 32 | draw(p, 0xffffffff);
}

static char *page(struct player *p)
{
    return playground + draw(p, PAGES) * PAGE_SIZE;
}

static uint64_t frame(struct player *p)
{
    return draw(p, 48) ? frames[draw(p, PAGES)] : draw(p, 1 << 18);
}

static uint64_t table_entry(struct player *p)
{
    static const uint64_t flags[] = {PTE_KERNEL_RO,          PTE_KERNEL_RO,           PTE_KERNEL_RW,
                                     PTE_KERNEL_RW,          PTE_P | PTE_US,          PTE_P,
                                     PTE_KERNEL_RW | PTE_NX, PTE_KERNEL_RW | PTE_PSE, PTE_P | PTE_RW,
                                     PTE_KERNEL_RO | PTE_G,  PTE_KERNEL_RW | PTE_PCD, 0};
    uint64_t entry = frame(p) << PAGE_SHIFT | flags[draw(p, sizeof(flags) / sizeof(flags[0]))];

    if (draw(p, 6) == 0)
        return 0;
    return draw(p, 16) ? entry : entry ^ 1ULL << draw(p, 64);
}

static uint64_t address(struct player *p)
{
    unsigned long at = draw(p, 2) ? (unsigned long)page(p) : (unsigned long)window + draw(p, WINDOW) * PAGE_SIZE;

    return draw(p, 8) ? at : at + draw(p, PAGE_SIZE);
}

/* An entry of a table: of those that map the playground, or of a page that may be a table. */
static uint64_t slot(struct player *p)
{
    uint64_t at = draw(p, 4) ? frames[draw(p, TABLES)] << PAGE_SHIFT | draw(p, 512) * 8
                             : pte_slot((void *)(unsigned long)(address(p) & PAGE_MASK));

    return at | (draw(p, 8) ? p->sub : draw(p, 8));
}

static uint64_t recent(struct player *p, const uint32_t *list, uint32_t below)
{
    return draw(p, 4) ? list[draw(p, RECENT)] : 4 + draw(p, below);
}

static uint64_t descriptor(struct player *p)
{
    static const uint64_t some[] = {
        0x00cf9a000000ffff, 0x00cfba000000ffff, 0x00cffa000000ffff, 0x00affa000000ffff, 0x00cf92000000ffff,
        0x00cff2000000ffff, 0x0000e90000000000, 0x0000ec0000080000, 0x00afba000000ffff, 0};
    uint64_t value = some[draw(p, sizeof(some) / sizeof(some[0]))];

    return draw(p, 2) ? value : value ^ 1ULL << draw(p, 64);
}

static uint64_t selector(struct player *p)
{
    static const uint16_t some[] = {0xe019, 0xe021, 0xe02b, 0xe033, 0xe023, 0xe008, 0xe010, 0, 3, 0x7, 0xf, 0x1b};

    return some[draw(p, sizeof(some) / sizeof(some[0]))];
}

/* Frame numbers in the arena, as a list of 64 of them. */
static uint64_t frame_list(struct player *p)
{
    xen_pfn_t *list = (xen_pfn_t *)(p->arena + 1024);
    bool guest_frames = draw(p, 2);

    for (int i = 0; i < 64; i++)
        list[i] = (xen_pfn_t)(guest_frames ? virt_to_pfn(page(p)) : frame(p));
    return (unsigned long)list;
}

static uint64_t buffer(struct player *p)
{
    switch (draw(p, 8)) {
    case 0:
        return (unsigned long)page(p) + draw(p, PAGE_SIZE);
    case 1:
        return wild(p);
    case 2:
        return (unsigned long)p->arena + ARENA * PAGE_SIZE - draw(p, 128);
    default:
        return (unsigned long)p->arena + 2048;
    }
}

static uint64_t sensible_memory(struct player *p, unsigned int kind)
{
    switch (kind) {
    case KIND_vaddr:
        return address(p);
    case KIND_mapped:
        return p->mapped[p->last_mapped = draw(p, RECENT)];
    case KIND_handle:
        return draw(p, 4) ? p->handles[p->last_mapped] : draw(p, 64);
    case KIND_pte:
        return table_entry(p);
    case KIND_mfn:
        return frame(p);
    case KIND_table:
        return draw(p, 4) ? frames[draw(p, TABLES)] : p->sub == 6 || p->sub == 7 || p->sub >= 9 ? address(p) : frame(p);
    case KIND_cr3:
        return frame(p) << PAGE_SHIFT;
    case KIND_gfn:
        return draw(p, 2) ? virt_to_pfn(page(p)) : frame(p);
    case KIND_gref:
        return 8 + draw(p, 32);
    case KIND_gref_or_mfn:
        return draw(p, 2) ? 8 + draw(p, 32) : frame(p);
    case KIND_slot:
        return slot(p);
    case KIND_maddr:
        return frame(p) << PAGE_SHIFT | draw(p, 512) * 8;
    case KIND_frames:
        return frame_list(p);
    case KIND_buffer:
        return buffer(p);
    case KIND_code:
        return (unsigned long)risky_landing;
    case KIND_callback: /* the 32-bit structure begins with the selector */
        return sizeof(long) == 8 ? (unsigned long)risky_landing : (uint64_t)(unsigned long)risky_landing << 32 | 0xe019;
    default:
        return draw(p, 16);
    }
}

static uint64_t sensible_number(struct player *p, unsigned int kind)
{
    static const uint8_t nested[] = {1, 5, 9, 12, 13, 14, 17, 20, 24, 33, 34, 37, 55, 63};

    switch (kind) {
    case KIND_sub:
        return p->sub;
    case KIND_zero:
        return 0;
    case KIND_entries:
        return draw(p, 15) * 512;
    case KIND_domid:
        return draw(p, 3) ? DOMID_SELF : draw(p, 3) ? either_of_us(p) : draw(p, 2) ? draw(p, 8) : DOMID_IO + draw(p, 5);
    case KIND_foreign:
        return draw(p, 8) ? DOMID_SELF : draw(p, 4) ? peer : draw(p, 8) | draw(p, 8) << 16;
    case KIND_uvmf:
        return draw(p, 8) ? draw(p, 8) : buffer(p) | draw(p, 8);
    case KIND_port:
        return recent(p, p->ports, 40);
    case KIND_vcpu:
        return draw(p, PLAYERS + 1);
    case KIND_offset:
        return draw(p, 4) ? draw(p, 64) * 64 : draw(p, 4097);
    case KIND_time:
        return p->system_time = time_monotonic_ns() + draw(p, 200000);
    case KIND_selector:
        return selector(p);
    case KIND_vector:
        return 32 + draw(p, 224);
    case KIND_descriptor:
        return descriptor(p);
    case KIND_virq:
        return draw(p, 24);
    case KIND_order:
        return draw(p, 8) ? 0 : draw(p, 12);
    case KIND_period:
        return 1000000 + draw(p, 100000000);
    case KIND_version:
        return 1 + draw(p, 3);
    case KIND_watchdog:
        return 60 + draw(p, 1000);
    case KIND_number: /* of a call that does not end us with such arguments */
        return nested[draw(p, sizeof(nested))];
    case KIND_interface:
        return draw(p, 8) ? 0x15 : 0x03000001;
    default:
        return draw(p, 16);
    }
}

static bool of_memory(unsigned int kind)
{
    static const uint64_t memory = 1ULL << KIND_vaddr | 1ULL << KIND_mapped | 1ULL << KIND_handle | 1ULL << KIND_pte |
                                   1ULL << KIND_mfn | 1ULL << KIND_table | 1ULL << KIND_cr3 | 1ULL << KIND_gfn |
                                   1ULL << KIND_gref | 1ULL << KIND_gref_or_mfn | 1ULL << KIND_slot |
                                   1ULL << KIND_maddr | 1ULL << KIND_frames | 1ULL << KIND_buffer | 1ULL << KIND_code |
                                   1ULL << KIND_callback;

    return memory >> kind & 1;
}

/* Times without end and ports of the console's kind are for rare moments: the wild ones. */
static uint64_t make_number(struct player *p, unsigned int kind)
{
    if (kind != KIND_sub && kind != KIND_zero && kind != KIND_number &&
        draw(p, kind == KIND_time || kind == KIND_port ? 512 : 16) == 0)
        return wild(p);
    return of_memory(kind) ? sensible_memory(p, kind) : sensible_number(p, kind);
}

uint64_t make_value(struct player *p, unsigned int kind, unsigned int structure)
{
    switch (kind) {
    case KIND_high:
        return p->before >> 32;
    case KIND_null:
        return draw(p, 16) ? 0 : buffer(p);
    case KIND_word:
        return draw(p, 2) ? 0 : buffer(p);
    case KIND_structure:
        return make_structures(p, structure, 1);
    case KIND_list:
        p->elements = 1 + draw(p, ELEMENTS);
        return make_structures(p, structure, p->elements);
    case KIND_count:
        return draw(p, 32) ? draw(p, p->elements + 1) : draw(p, 4) ? draw(p, 64) : wild(p);
    default:
        return p->before = make_number(p, kind);
    }
}

/* What may stand in a member of which the grammar knows nothing. */
static uint64_t anything(struct player *p)
{
    switch (draw(p, 16)) {
    case 0:
    case 1:
        return frame(p);
    case 2:
        return virt_to_pfn(page(p));
    case 3:
    case 4:
    case 5:
        return buffer(p);
    case 6:
        return address(p);
    case 7:
        return wild(p);
    case 8:
        return draw(p, 0xffffffff);
    default:
        return draw(p, 16);
    }
}

static void fill_background(struct player *p, char *at, unsigned int size)
{
    unsigned int way = draw(p, 8);

    memset(at, 0, size);
    for (unsigned int i = 0; i + 4 <= size && way == 0; i += 4)
        ((uint32_t *)at)[i / 4] = draw(p, 0xffffffff);
    for (unsigned int i = 0; i + 8 <= size && way > 5; i += 8) {
        uint64_t value = anything(p);

        memcpy(at + i, &value, sizeof(value));
    }
}

static void fill(struct player *p, char *at, const struct grammar_struct *structure)
{
    fill_background(p, at, structure->size);
    for (unsigned int i = 0; i < structure->count; i++) {
        const struct grammar_field *field = &structure->fields[i];
        uint64_t value = make_value(p, field->kind, 0);

        memcpy(at + field->offset, &value, field->size < 8 ? field->size : 8);
    }
}

/* The arguments of the calls of a multicall must not overlap, or each would read another's. */
static char *in_turn(struct player *p, unsigned long size)
{
    if (p->cursor + size > (ARENA - 1) * PAGE_SIZE)
        p->cursor = 0;
    p->cursor += (unsigned int)(size + 15) & ~15U;
    return p->arena + PAGE_SIZE + (p->cursor - ((size + 15) & ~15UL));
}

/* One in eight is where others write, or where it cannot be. */
unsigned long make_structures(struct player *p, unsigned int structure, unsigned int count)
{
    const struct grammar_struct *shape = &grammar_structs[structure];
    static char making[PLAYERS][ARENA * 4096 - 4096] __attribute__((aligned(16)));
    unsigned long size = (unsigned long)shape->size * count, where;
    char *at = making[p->number];

    if (size > sizeof(making[0]))
        count = (unsigned int)(size = shape->size) / shape->size;
    for (unsigned int i = 0; i < count; i++)
        fill(p, at + i * shape->size, shape);
    switch (draw(p, 24)) {
    case 0:
        return (unsigned long)wild(p);
    case 1:
    case 2:
        where = (unsigned long)page(p) + draw(p, PAGE_SIZE);
        break;
    case 3:
        where = (unsigned long)p->arena + ARENA * PAGE_SIZE - draw(p, (uint32_t)size);
        break;
    case 4:
        where = (unsigned long)p->arena + ARENA * PAGE_SIZE - size;
        break;
    case 5:
        where = (unsigned long)p->arena + PAGE_SIZE - draw(p, (uint32_t)size);
        break;
    default:
        where = (unsigned long)in_turn(p, size);
    }
    p->argument = (char *)where;
    risky_copy((char *)where, at, size);
    return where;
}

static void keep(struct player *p, unsigned int kind, unsigned long at, unsigned int offset)
{
    unsigned int slot = draw(p, RECENT);
    uint32_t value;

    memcpy(&value, (char *)at + offset, sizeof(value));
    if (kind == KIND_out_port && value < 4096)
        p->ports[slot] = value;
    if (kind == KIND_out_handle) {
        p->handles[slot] = value;
        memcpy(&p->mapped[slot], (char *)at, sizeof(p->mapped[slot]));
    }
}

/* Results of the first element; a list's others are seldom better. */
void harvest(struct player *p, const struct grammar_call *call)
{
    unsigned int last = call->args > 1 && call->arg[0].kind == KIND_sub ? 1 : 0;
    const struct grammar_struct *shape = &grammar_structs[call->arg[last].structure];
    unsigned long at = (unsigned long)p->argument, end = (unsigned long)p->arena + ARENA * PAGE_SIZE;

    if (call->arg[last].structure == 0 || at < (unsigned long)p->arena || at + shape->size > end)
        return;
    for (unsigned int i = 0; i < shape->count; i++)
        if (shape->fields[i].kind == KIND_out_port || shape->fields[i].kind == KIND_out_handle)
            keep(p, shape->fields[i].kind, at, shape->fields[i].offset);
}
