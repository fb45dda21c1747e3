/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a save believes of a guest: its P2M, its page tables, its registers; and when a live migration stops copying. The
 * machine here is an array of frames, some of which are the guest's.
 */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/builder/wire.h"
#include "dom0-tools/migration/canonical.h"
#include "dom0-tools/migration/p2m.h"
#include "dom0-tools/migration/policy.h"
#include "dom0-tools/migration/shared_info.h"
#include "tests/unit/run_suite.h"

#define FRAMES  4096u
#define GUESTS  100u /* the guest's frames begin here; its pfn n has frame 100 + n, which is easy to read */
#define PAGES   2000u
#define LIMIT   10000u
#define PRESENT 1ull
#define LARGE   0x80ull

static uint64_t machine[FRAMES][512];
static uint64_t m2p[FRAMES];
static uint8_t shared_info[VIEW_PAGE];
static struct stream_error error;

static bool is_guests(uint32_t mfn)
{
    return mfn >= GUESTS && mfn < GUESTS + PAGES;
}

/* Copies, so that a test finds out whoever reads past what it asked for. */
void *view_map(const struct view *view, const uint32_t *mfns, size_t count, bool writable, int *errors)
{
    char *copy;

    ck_assert_uint_gt(count, 0);
    ck_assert_uint_le(count, VIEW_BATCH);
    for (size_t i = 0; i < count; i++)
        if (!is_guests(mfns[i])) {
            errno = EINVAL;
            return NULL;
        }
    copy = malloc(count * VIEW_PAGE);
    for (size_t i = 0; i < count; i++)
        memcpy(copy + i * VIEW_PAGE, machine[mfns[i]], VIEW_PAGE);
    return copy;
}

void view_unmap(const struct view *view, void *pages, size_t count)
{
    free(pages);
}

int view_read(const struct view *view, const uint32_t *mfns, size_t count, void *pages)
{
    void *mapped = view_map(view, mfns, count, false, NULL);

    if (mapped == NULL)
        return -1;
    memcpy(pages, mapped, count * VIEW_PAGE);
    free(mapped);
    return 0;
}

uint64_t view_pfn_of(uint64_t mfn)
{
    return mfn < FRAMES ? m2p[mfn] : UINT64_MAX;
}

int migration_fail(struct stream_error *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why->text, sizeof(why->text), format, args);
    va_end(args);
    return -1;
}

static void start(void)
{
    memset(machine, 0, sizeof(machine));
    memset(shared_info, 0, sizeof(shared_info));
    for (uint32_t i = 0; i < FRAMES; i++)
        m2p[i] = is_guests(i) ? i - GUESTS : 7; /* other guests have a frame 7, too */
}

static void set_long(void *page, unsigned int bits, size_t index, uint64_t value)
{
    set_guest_long(page, (unsigned int)(index * bits / 8), bits / 8, value);
}

/* A P2M in the guest's last frames: `pages` entries, frame 5 ballooned out. Returns how many frames it takes. */
static unsigned int build_p2m(unsigned int bits, uint32_t first_frame)
{
    size_t per_page = VIEW_PAGE / (bits / 8);

    for (size_t pfn = 0; pfn < PAGES; pfn++)
        set_long(machine[first_frame + pfn / per_page], bits, pfn % per_page, pfn == 5 ? UINT64_MAX : GUESTS + pfn);
    return (unsigned int)((PAGES + per_page - 1) / per_page);
}

static void set_shared(unsigned int bits, uint64_t max_pfn, uint64_t list, uint64_t cr3, uint64_t vaddr)
{
    const struct shared_info_layout *at = shared_info_layout(bits);

    set_guest_long(shared_info, at->max_pfn, at->width, max_pfn);
    set_guest_long(shared_info, at->frame_list_list, at->width, list);
    set_guest_long(shared_info, at->p2m_cr3, at->width, cr3);
    set_guest_long(shared_info, at->p2m_vaddr, at->width, vaddr);
}

#define TABLE   (GUESTS + 1900u) /* of the P2M */
#define LISTS   (GUESTS + 1950u)
#define TOP     (GUESTS + 1951u)
#define VADDR64 0xFFFFC90000200000ull
#define VADDR32 0xC0400000ull

static void build_tree(unsigned int bits)
{
    unsigned int count = build_p2m(bits, TABLE);

    for (unsigned int i = 0; i < count; i++)
        set_long(machine[LISTS], bits, i, TABLE + i);
    set_long(machine[TOP], bits, 0, LISTS);
    set_shared(bits, PAGES, TOP, 0, 0);
}

static uint64_t entry(uint32_t frame)
{
    return (uint64_t)frame << 12 | PRESENT;
}

static void build_linear(unsigned int bits)
{
    unsigned int count = build_p2m(bits, TABLE), level = bits == 64 ? 3 : 2;
    uint64_t vaddr = bits == 64 ? VADDR64 : VADDR32;

    for (uint32_t table = TOP; level > 0; level--, table++)
        machine[table][vaddr >> (12 + 9 * level) & 511] = entry(table + 1);
    for (unsigned int i = 0; i < count; i++)
        machine[TOP + (bits == 64 ? 3 : 2)][(vaddr >> 12 & 511) + i] = entry(TABLE + i);
    set_shared(bits, PAGES, UINT64_MAX, p2m_frame_cr3(bits, TOP), vaddr);
}

static int read_p2m(unsigned int bits, struct p2m *p2m)
{
    struct view view = {.domid = 3, .bits = bits};

    return p2m_read(&view, shared_info, LIMIT, p2m, &error);
}

static void check_p2m(unsigned int bits)
{
    struct p2m p2m;

    ck_assert_msg(read_p2m(bits, &p2m) == 0, "%s", error.text);
    ck_assert_uint_eq(p2m.pages, PAGES);
    ck_assert_uint_eq(p2m.mfns[0], GUESTS);
    ck_assert_uint_eq(p2m.mfns[5], VIEW_NO_FRAME);
    ck_assert_uint_eq(p2m.mfns[PAGES - 1], GUESTS + PAGES - 1);
    ck_assert_uint_eq(p2m.frame_count, PAGES * (bits / 8) / VIEW_PAGE + 1);
    ck_assert_uint_eq(p2m.frames[p2m.frame_count - 1], TABLE + p2m.frame_count - 1);
    ck_assert_uint_eq(p2m_pfn_of(&p2m, GUESTS + 9), 9);
    ck_assert_uint_eq(p2m_pfn_of(&p2m, 50), UINT64_MAX); /* another guest's frame 7 is not our frame 7 */
    ck_assert_uint_eq(p2m_pfn_of(&p2m, UINT64_MAX), UINT64_MAX);
    p2m_free(&p2m);
}

/* Guards against one of the two ways to a P2M, or one of the two widths, being read with the other's layout. */
START_TEST(p2m_is_found)
{
    static const unsigned int widths[] = {32, 64};

    for (size_t i = 0; i < 2; i++) {
        start();
        build_tree(widths[i]);
        check_p2m(widths[i]);
        start();
        build_linear(widths[i]);
        check_p2m(widths[i]);
    }
}
END_TEST

static void refuse_p2m(unsigned int bits, const char *words)
{
    struct p2m p2m = {.mfns = (void *)1};

    error.text[0] = '\0';
    ck_assert_int_eq(read_p2m(bits, &p2m), -1);
    ck_assert_msg(strstr(error.text, words) != NULL, "\"%s\" is not in \"%s\"", words, error.text);
    ck_assert_ptr_null(p2m.mfns);
}

/* Guards against a guest that makes dom0 allocate, loop or read where it likes by what it writes into its shared_info. */
START_TEST(hostile_p2m_is_refused)
{
    start();
    refuse_p2m(64, "has not said how many frames");
    build_linear(64);
    set_shared(64, LIMIT + 1, UINT64_MAX, entry(TOP) - 1, VADDR64);
    refuse_p2m(64, "at most 10000 are believed");
    set_shared(64, UINT64_MAX, UINT64_MAX, entry(TOP) - 1, VADDR64);
    refuse_p2m(64, "at most 10000 are believed");
    set_shared(64, PAGES, 0, 0, 0);
    refuse_p2m(64, "has not said where its P2M is");
    set_shared(64, PAGES, 0, entry(TOP) - 1, 0x7FFFFFFFF000);
    refuse_p2m(64, "is no address");
    set_shared(64, PAGES, 0, entry(TOP) - 1, 0xFFFF800000000000);
    refuse_p2m(64, "is no address");
    set_shared(64, PAGES, 0, entry(TOP) - 1, UINT64_MAX - 4095);
    refuse_p2m(64, "is no address");
    set_shared(64, PAGES, 0, entry(TOP) - 1, VADDR64 + 8);
    refuse_p2m(64, "is no address");
    set_shared(64, PAGES, 0, entry(50) - 1, VADDR64);
    refuse_p2m(64, "reading the page tables");
    set_shared(64, PAGES, 0, UINT64_MAX, VADDR64);
    refuse_p2m(64, "reading the page tables");
    set_shared(64, PAGES, UINT64_MAX, 0, 0);
    refuse_p2m(64, "reading the frame lists");
    build_tree(32);
    set_shared(32, PAGES, 50, 0, 0);
    refuse_p2m(32, "reading the frame lists");
    set_shared(32, PAGES, 0, p2m_frame_cr3(32, TOP), 0xF5800000 - 4096);
    refuse_p2m(32, "is no address");
}
END_TEST

/* Guards against following an entry that is absent, maps a large page, or leads into another guest. */
START_TEST(hostile_tables_of_the_p2m_are_refused)
{
    uint64_t *last = &machine[TOP + 3][VADDR64 >> 12 & 511], *middle = &machine[TOP + 2][VADDR64 >> 21 & 511];

    start();
    build_linear(64);
    *last = 0;
    refuse_p2m(64, "reading the page tables");
    *last = entry(50);
    refuse_p2m(64, "reading the P2M");
    *last = entry(TABLE) | 1ull << 51;
    refuse_p2m(64, "reading the page tables");
    *last = entry(TABLE);
    *middle |= LARGE;
    refuse_p2m(64, "reading the page tables");
    *middle &= ~LARGE;
    check_p2m(64);
    build_tree(64);
    machine[LISTS][1] = 50;
    refuse_p2m(64, "reading the P2M");
}
END_TEST

/* The map of the tables below: frame n and frame n + 1000 are each other's. */
static uint64_t other(void *own, uint64_t frame)
{
    return frame < 500 ? frame + 1000 : CANONICAL_NONE;
}

static const struct frame_map map = {other, NULL};
static uint64_t in[512], out[512];
static struct table_fault fault;

static int convert(unsigned int bits, unsigned int level, uint64_t mark)
{
    struct table_kind kind = {bits, level, mark};

    memset(out, 0xee, sizeof(out));
    return canonical_table(&kind, &map, in, out, &fault);
}

/* Guards against flags lost, absent entries changed, and the hypervisor's slots leaking into the stream. */
START_TEST(tables_are_made_canonical)
{
    memset(in, 0, sizeof(in));
    in[0] = 7ull << 12 | 0x8000000000000067;
    in[1] = 0x1234000; /* not present: anything */
    in[300] = 499ull << 12 | PRESENT;
    ck_assert_int_eq(convert(64, 1, CANONICAL_NONE), 0);
    ck_assert_uint_eq(out[0], 1007ull << 12 | 0x8000000000000067);
    ck_assert_uint_eq(out[1], 0x1234000);
    ck_assert_uint_eq(out[300], 1499ull << 12 | PRESENT);
    ck_assert_uint_eq(out[511], 0);
    in[300] = 0;
    in[256] = in[271] = 0xdead000 | PRESENT; /* the hypervisor's */
    in[272] = 3ull << 12 | PRESENT;
    ck_assert_int_eq(convert(64, 4, CANONICAL_NONE), 0);
    ck_assert_uint_eq(out[256], 0);
    ck_assert_uint_eq(out[271], 0);
    ck_assert_uint_eq(out[272], 1003ull << 12 | PRESENT);
    ck_assert_int_eq(convert(64, 3, CANONICAL_NONE), -1);
    ck_assert_uint_eq(fault.index, 256);
    ck_assert_int_eq(convert(32, 3, CANONICAL_NONE), 0); /* four entries, the rest of the page is nobody's */
    ck_assert_uint_eq(out[256], 0);
}
END_TEST

/* Guards against the last L2 table of a 32-bit guest taken for any other, and any other taken for it. */
START_TEST(last_l2_of_a_32bit_guest)
{
    memset(in, 0, sizeof(in));
    in[428] = 0xabcull << 12 | PRESENT | LARGE;
    in[511] = 0xdefull << 12 | PRESENT | LARGE;
    in[427] = 3ull << 12 | PRESENT;
    ck_assert_int_eq(convert(32, 2, 0xabc), 0);
    ck_assert_uint_eq(out[427], 1003ull << 12 | PRESENT);
    ck_assert_uint_eq(out[428], 0);
    ck_assert_uint_eq(out[511], 0);
    ck_assert_int_eq(convert(32, 2, 0xabd), -1);
    ck_assert_uint_eq(fault.index, 428);
    ck_assert(fault.large);
    ck_assert_int_eq(convert(32, 2, CANONICAL_NONE), -1);
    ck_assert_int_eq(convert(64, 2, 0xabc), -1);
}
END_TEST

/* Guards against a guest, or a stream, whose page tables name memory that is not its own. */
START_TEST(foreign_frames_are_refused)
{
    memset(in, 0, sizeof(in));
    in[100] = 500ull << 12 | PRESENT;
    ck_assert_int_eq(convert(64, 1, CANONICAL_NONE), -1);
    ck_assert_uint_eq(fault.index, 100);
    ck_assert_uint_eq(fault.entry, in[100]);
    ck_assert(!fault.large);
    in[100] = 0x000FFFFFFFFFF000 | PRESENT;
    ck_assert_int_eq(convert(32, 1, CANONICAL_NONE), -1);
    in[100] = 4ull << 12 | PRESENT | LARGE; /* in an L1 the bit is the PAT's */
    ck_assert_int_eq(convert(64, 1, CANONICAL_NONE), 0);
    ck_assert_int_eq(convert(64, 2, CANONICAL_NONE), -1);
    ck_assert(fault.large);
}
END_TEST

/* Guards against a round trip that loses a frame, and against user page tables at frame 0 taken for none. */
START_TEST(contexts_are_made_canonical)
{
    static struct vcpu_guest_context_64 wide;
    static struct vcpu_guest_context_32 narrow;
    struct context_fault bad;

    wide.gdt_ents = 513;
    wide.gdt_frames[0] = 1;
    wide.gdt_frames[1] = 2;
    wide.gdt_frames[2] = 9999; /* beyond the entries: nobody's */
    wide.ctrlreg[3] = 3 << 12;
    wide.ctrlreg[1] = 4 << 12;
    ck_assert_int_eq(canonical_context(64, false, &map, &wide, &bad), 0);
    ck_assert_uint_eq(wide.gdt_frames[1], 1002);
    ck_assert_uint_eq(wide.gdt_frames[2], 9999);
    ck_assert_uint_eq(wide.ctrlreg[3], 1003 << 12);
    ck_assert_uint_eq(wide.ctrlreg[1], 1004 << 12 | 1);
    wide.gdt_ents = 0;
    wide.ctrlreg[3] = 5 << 12;
    wide.ctrlreg[1] = 0 << 12 | 1;
    ck_assert_int_eq(canonical_context(64, true, &map, &wide, &bad), 0);
    ck_assert_uint_eq(wide.ctrlreg[1], 1000 << 12);
    wide.ctrlreg[3] = 5 << 12;
    wide.ctrlreg[1] = 0;
    ck_assert_int_eq(canonical_context(64, true, &map, &wide, &bad), 0);
    ck_assert_uint_eq(wide.ctrlreg[1], 0);
    narrow.ctrlreg[3] = (uint32_t)p2m_frame_cr3(32, 6);
    ck_assert_int_eq(canonical_context(32, false, &map, &narrow, &bad), 0);
    ck_assert_uint_eq(p2m_cr3_frame(32, narrow.ctrlreg[3]), 1006);
}
END_TEST

/* Guards against registers that name other memory, or more GDT frames than there is room for. */
START_TEST(hostile_contexts_are_refused)
{
    static struct vcpu_guest_context_64 wide;
    static struct vcpu_guest_context_32 narrow;
    struct context_fault bad;

    wide.gdt_ents = 7169;
    ck_assert_int_eq(canonical_context(64, false, &map, &wide, &bad), -1);
    ck_assert_str_eq(bad.field, "number of GDT entries");
    wide.gdt_ents = UINT64_MAX;
    ck_assert_int_eq(canonical_context(64, true, &map, &wide, &bad), -1);
    wide.gdt_ents = 1;
    wide.gdt_frames[0] = 700;
    ck_assert_int_eq(canonical_context(64, false, &map, &wide, &bad), -1);
    ck_assert_str_eq(bad.field, "GDT frame");
    ck_assert_uint_eq(bad.frame, 700);
    wide.gdt_ents = 0;
    wide.ctrlreg[3] = 700 << 12;
    ck_assert_int_eq(canonical_context(64, false, &map, &wide, &bad), -1);
    ck_assert_str_eq(bad.field, "ctrlreg[3]");
    wide.ctrlreg[3] = 0;
    wide.ctrlreg[1] = UINT64_MAX;
    ck_assert_int_eq(canonical_context(64, false, &map, &wide, &bad), -1);
    ck_assert_str_eq(bad.field, "ctrlreg[1]");
    narrow.gdt_ents = UINT32_MAX;
    ck_assert_int_eq(canonical_context(32, false, &map, &narrow, &bad), -1);
}
END_TEST

#define RATE (100ull << 20) /* bytes per second: a page takes 40 us */

/* Guards against a migration without end, and one that stops too early or for the wrong reason. */
START_TEST(policy_ends_every_migration)
{
    struct migration_limits limits = {.max_downtime_ms = 50, .rounds = 10};
    struct policy policy;
    const char *why;
    unsigned int rounds = 0;

    policy_start(&policy, &limits, 32768);
    ck_assert_ptr_null(policy_after_round(&policy, 32768, 8000, RATE));
    ck_assert_ptr_null(policy_after_round(&policy, 8000, 800, RATE)); /* the other side is still busy */
    why = policy_after_round(&policy, 800, 790, RATE);                /* 31 ms, and 15 beside */
    ck_assert_str_eq(why, "the rest fits the downtime allowed");
    policy_start(&policy, &limits, 32768);
    ck_assert_ptr_null(policy_after_round(&policy, 32768, 60, 1));
    ck_assert_str_eq(policy_after_round(&policy, 60, 60, 1), "hardly a page was left");
    policy_start(&policy, &limits, 32768);
    ck_assert_ptr_null(policy_after_round(&policy, 32768, 8000, RATE));
    ck_assert_ptr_null(policy_after_round(&policy, 8000, 7900, RATE));
    ck_assert_str_eq(policy_after_round(&policy, 7900, 7000, RATE), "the guest writes as fast as its memory is sent");
    policy_start(&policy, &(struct migration_limits){0}, 32768);
    for (uint64_t dirty = 1 << 30; (why = policy_after_round(&policy, 1, dirty, 1)) == NULL; dirty -= dirty / 3)
        rounds++;
    ck_assert_uint_eq(rounds + 1, POLICY_ROUNDS);
    ck_assert_str_eq(why, "the rounds allowed were used up");
    policy_start(&policy, &limits, 100);
    ck_assert_str_eq(policy_after_round(&policy, 300, 8000, RATE), "three times its memory was sent");
    ck_assert_uint_eq(policy_downtime_ms(1, 0), UINT32_MAX);
    ck_assert_uint_eq(policy_downtime_ms(1ull << 40, 1), UINT32_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("migration");
    TCase *cases = tcase_create("migration");

    tcase_add_test(cases, p2m_is_found);
    tcase_add_test(cases, hostile_p2m_is_refused);
    tcase_add_test(cases, hostile_tables_of_the_p2m_are_refused);
    tcase_add_test(cases, tables_are_made_canonical);
    tcase_add_test(cases, last_l2_of_a_32bit_guest);
    tcase_add_test(cases, foreign_frames_are_refused);
    tcase_add_test(cases, contexts_are_made_canonical);
    tcase_add_test(cases, hostile_contexts_are_refused);
    tcase_add_test(cases, policy_ends_every_migration);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
