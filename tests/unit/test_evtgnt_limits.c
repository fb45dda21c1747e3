/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants and event channels where a guest's memory, a table or a batch ends; what an operator's dump says of them; and
 * which frames a save must take for written though no entry of the guest's says so.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include "evtgnt_fake.h"
#include "guest_faults.h"
#include "domain/evtchn_internal.h"
#include "domain/grant_internal.h"
#include "tests/unit/run_suite.h"

static struct domain *granter;
static mfn_t page;

static void setup(void)
{
    fake_setup(3);
    guest_faults_catch();
    granter = fake_domains[1];
    page = fake_guest_frame(granter);
    ck_assert_int_eq(grant_grow(granter, 1), 0);
    ck_assert_int_eq(grant_grow(fake_domains[0], 1), 0);
}

/* A structure that starts in the last bytes of what is mapped, and one that is not there at all. */
static unsigned long unreadable(unsigned bytes_there)
{
    unsigned long end = (unsigned long)fake_guest_memory() + PAGE_SIZE;

    ck_assert_int_eq(mprotect((void *)end, PAGE_SIZE, PROT_NONE), 0);
    return end - bytes_there;
}

static void readable_again(void)
{
    ck_assert_int_eq(mprotect((char *)fake_guest_memory() + PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
}

/* Every operation reads its argument before it does anything: a bad pointer costs a guest an error, not us a crash. */
START_TEST(no_argument_no_operation)
{
    static const unsigned ops[] = {
        GNTTABOP_map_grant_ref, GNTTABOP_unmap_grant_ref,   GNTTABOP_setup_table,       GNTTABOP_transfer,
        GNTTABOP_copy,          GNTTABOP_query_size,        GNTTABOP_unmap_and_replace, GNTTABOP_set_version,
        GNTTABOP_get_version,   GNTTABOP_get_status_frames, GNTTABOP_swap_grant_ref,    GNTTABOP_cache_flush};

    if (_i)
        fake_make_32bit(fake_domains[0]);
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        ck_assert_int_eq(do_grant_table_op(ops[i], _i ? 0xFFFFFFF0 : HV_VIRT_START, 1), -EFAULT);
        for (unsigned there = 0; there < 2; there++) {
            ck_assert_int_eq(do_grant_table_op(ops[i], unreadable(there), 1), -EFAULT);
            readable_again();
        }
    }
    ck_assert_uint_gt(guest_faults, 0);
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_dump_table, 0, 1), -ENOSYS);
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_copy | 1 << 12, 0, 1), -EINVAL);
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_copy, 0, 1UL << 31), -EINVAL);
}
END_TEST

static int swap(unsigned a, unsigned b)
{
    struct gnttab_swap_grant_ref op = {.ref_a = a, .ref_b = b};
    ck_assert_int_eq(gnttab_op(swap_grant_ref, &op, 1), 0);
    return op.status;
}

static long set_version(unsigned version)
{
    struct gnttab_set_version op = {.version = version};
    return gnttab_op(set_version, &op, 1);
}

/* In version 2 an entry's status lies elsewhere: left behind, it would belong to the other's grant. */
START_TEST(swapped_entries_take_their_status_along)
{
    struct domain_grant *g = &fake_domains[0]->grant;

    ck_assert_int_eq(set_version(2), 0);
    entry_v2(g, 9)->full_page.frame = 77;
    entry_v2(g, 9)->hdr.domid = 5;
    *entry_status(g, 9) = 0x100;
    ck_assert_int_eq(swap(9, 10), GNTST_okay);
    ck_assert_uint_eq(entry_v2(g, 10)->full_page.frame, 77);
    ck_assert_uint_eq(*entry_status(g, 10), 0x100);
    ck_assert_uint_eq(entry_v2(g, 9)->full_page.frame | *entry_status(g, 9), 0);
    ck_assert_int_eq(swap(10, 10), GNTST_okay);
    ck_assert_int_eq(swap(g->entries, 9), GNTST_bad_gntref);
    ck_assert_int_eq(swap(9, g->entries), GNTST_bad_gntref);
    ck_assert_int_eq(set_version(2), 0); /* as it is: nothing is cleared */
    ck_assert_uint_eq(entry_v2(g, 10)->full_page.frame, 77);
}
END_TEST

/* A swap needs the records of both entries; without memory for them nothing moves. */
START_TEST(no_memory_for_a_swap)
{
    struct domain_grant *g = &fake_domains[0]->grant;

    entry_v1(g, 300)->frame = 77;
    fake_allocations_left = 0;
    ck_assert_int_eq(swap(300, 9), GNTST_general_error);
    ck_assert_uint_eq(entry_v1(g, 300)->frame, 77);
    fake_allocations_left = -1;
    ck_assert_int_eq(swap(300, 9), GNTST_okay);
    ck_assert_uint_eq(entry_v1(g, 9)->frame, 77);
}
END_TEST

/* The table grows for whoever asks within its limit, in both versions, and not for the dying. */
START_TEST(a_table_grows_to_its_limit)
{
    struct domain *d = fake_domains[0];
    unsigned long mfn = 0;

    ck_assert_int_eq(grant_grow(d, 5), -EINVAL);
    ck_assert_int_eq(grant_frame_mfn(d, 4, false, &mfn), -EINVAL);
    ck_assert_int_eq(grant_frame_mfn(d, 0, true, &mfn), -EINVAL); /* there are no status frames in version 1 */
    ck_assert_int_eq(grant_frame_mfn(d, 0, false, &mfn), 0);
    ck_assert_int_eq(set_version(2), 0);
    fake_allocations_left = 0;
    ck_assert_int_eq(grant_frame_mfn(d, 2, false, &mfn), -ENOMEM);
    fake_allocations_left = -1;
    ck_assert_int_eq(grant_frame_mfn(d, 0, true, &mfn), 0);
    ck_assert_uint_eq(mfn, virt_to_mfn(d->grant.status[0]).value);
    ck_assert_int_eq(grant_frame_mfn(d, 1, true, &mfn), -EINVAL);
    ck_assert_int_eq(grant_frame_mfn(d, 3, false, &mfn), 0);
    ck_assert_uint_eq(d->grant.frames, 4);
    d->dying = DOMAIN_DYING;
    ck_assert_int_eq(grant_grow(d, 4), -EINVAL);
    d->dying = 0;
}
END_TEST

/* However few pages there are, the change of versions succeeds whole or leaves the table as it was. */
START_TEST(a_version_needs_its_memory)
{
    struct domain_grant *g = &fake_domains[0]->grant;

    entry_v1(g, 9)->frame = 77;
    fake_allocations_left = 0;
    ck_assert_int_lt(set_version(2), 0);
    ck_assert_uint_eq(g->version, 1);
    ck_assert_uint_eq(entry_v1(g, 9)->frame, 77);
    fake_allocations_left = -1;
    ck_assert_int_eq(set_version(2), 0);
    ck_assert_int_eq(set_version(3), -EINVAL);
}
END_TEST

START_TEST(a_table_of_impossible_size)
{
    static const unsigned sizes[][2] = {{0, 4}, {MAX_GRANT_FRAMES + 1, 4}, {4, MAX_MAPTRACK_FRAMES + 1}};
    struct domain d = {0};

    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
        ck_assert_int_eq(grant_init(&d, sizes[i][0], sizes[i][1]), -EINVAL);
    for (int left = 0; left < 3; left++) {
        memset(&d, 0, sizeof(d));
        fake_allocations_left = left;
        ck_assert_int_eq(grant_init(&d, 4, 4), -ENOMEM);
    }
    fake_allocations_left = -1;
    memset(&d, 0, sizeof(d));
    ck_assert_int_eq(grant_init(&d, ~0U, ~0U), 0); /* the defaults */
    ck_assert_uint_gt(d.grant.max_frames, 0);
    grant_free(&d);
}
END_TEST

static struct gnttab_map_grant_ref map(unsigned ref, unsigned flags)
{
    struct gnttab_map_grant_ref op = {.host_addr = 0x700000 + ref * PAGE_SIZE, .flags = flags, .ref = ref, .dom = 1};

    *entry_v1(&granter->grant, ref) =
        (struct grant_entry_v1){.frame = (u32)page.value, .domid = 0, .flags = GTF_permit_access};
    ck_assert_int_eq(gnttab_op(map_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    return op;
}

static void unmap(const struct gnttab_map_grant_ref *m)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = m->host_addr, .handle = m->handle};
    ck_assert_int_eq(gnttab_op(unmap_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
}

/* Another domain writes through a grant without a fault of the granter's: saving the granter must send that page. */
START_TEST(what_others_may_write_is_written)
{
    struct gnttab_map_grant_ref reading = map(9, GNTMAP_host_map | GNTMAP_readonly), writing;

    grant_frames_written(granter);
    ck_assert_uint_eq(fake_written_count, 0);
    writing = map(10, GNTMAP_host_map);
    grant_frames_written(granter);
    ck_assert_uint_eq(fake_written_count, 1);
    ck_assert_uint_eq(fake_written_last.value, page.value);
    unmap(&reading);
    unmap(&writing);
    grant_frames_written(granter);
    ck_assert_uint_eq(fake_written_count, 1);
}
END_TEST

START_TEST(the_dump_names_users)
{
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map);

    grant_dump(granter);
    ck_assert_msg(strstr(fake_log, "version 1, 1 of 4 frames, 1 entries in use, 0 mappings of others"), "%s", fake_log);
    ck_assert_msg(strstr(fake_log, "used by d0, 0 reading, 1 writing"), "%s", fake_log);
    grant_warn_leaks(granter); /* it maps nothing: no warning */
    ck_assert_ptr_null(strstr(fake_log, "still holds"));
    grant_warn_leaks(fake_domains[0]);
    ck_assert_ptr_nonnull(strstr(fake_log, "d0 still holds grant mappings"));
    unmap(&m);
}
END_TEST

static int copy(struct gnttab_copy op)
{
    ck_assert_int_eq(gnttab_op(copy, &op, 1), 0);
    return op.status;
}

#define GMFN(frame, of)                                                                                                \
    {                                                                                                                  \
        .u.gmfn = (frame), .domid = (of)                                                                               \
    }
#define GREF(number, of)                                                                                               \
    {                                                                                                                  \
        .u.ref = (number), .domid = (of)                                                                               \
    }

/* A copy by frame number is for one's own frames alone, and a page table is nobody's to write. */
START_TEST(copies_refused)
{
    mfn_t own = fake_guest_frame(fake_domains[0]), table = fake_guest_frame(fake_domains[0]);
    struct gnttab_copy op = {.source = GMFN(own.value, DOMID_SELF), .dest = GMFN(own.value, DOMID_SELF), .len = 8};

    ck_assert_int_eq(copy(op), GNTST_okay);
    op.dest.domid = 1;
    ck_assert_int_eq(copy(op), GNTST_permission_denied);
    op.dest.domid = DOMID_SELF;
    op.source.domid = 2;
    ck_assert_int_eq(copy(op), GNTST_permission_denied);
    op.source.domid = DOMID_SELF;
    fake_frames[table.value].is_table = true;
    op.dest.u.gmfn = table.value;
    ck_assert_int_lt(copy(op), 0);
    op.dest.u.gmfn = page.value; /* exists, of another */
    ck_assert_int_lt(copy(op), 0);
    op.dest.u.gmfn = FAKE_FRAMES;
    ck_assert_int_lt(copy(op), 0);
    op.dest.u.gmfn = own.value;
    op.source.u.gmfn = page.value;
    ck_assert_int_lt(copy(op), 0);
    op = (struct gnttab_copy){
        .source = GREF(9, 3), .dest = GMFN(own.value, DOMID_SELF), .len = 8, .flags = GNTCOPY_source_gref};
    ck_assert_int_eq(copy(op), GNTST_bad_domain);
    fake_frames[table.value].is_table = false;
}
END_TEST

/* Both ends by grant of one domain, through its own table too. */
START_TEST(copies_by_reference)
{
    mfn_t own = fake_guest_frame(fake_domains[0]);
    struct gnttab_copy op = {
        .source = GREF(9, 1), .dest = GMFN(own.value, DOMID_SELF), .len = 16, .flags = GNTCOPY_source_gref};

    *entry_v1(&granter->grant, 9) = (struct grant_entry_v1){GTF_permit_access, 0, (u32)page.value};
    *entry_v1(&fake_domains[0]->grant, 11) = (struct grant_entry_v1){GTF_permit_access, 0, (u32)own.value};
    memcpy(mfn_to_virt(page), "fifteen letters", 16);
    ck_assert_int_eq(copy(op), GNTST_okay);
    ck_assert_str_eq(mfn_to_virt(own), "fifteen letters");
    op = (struct gnttab_copy){.source = GREF(11, DOMID_SELF),
                              .dest = GREF(9, 1),
                              .len = 16,
                              .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};
    op.dest.offset = 32;
    ck_assert_int_eq(copy(op), GNTST_okay);
    ck_assert_str_eq((char *)mfn_to_virt(page) + 32, "fifteen letters");
    op.dest.offset = PAGE_SIZE - 8;
    ck_assert_int_lt(copy(op), 0);
    op.dest.offset = 0;
    entry_v1(&granter->grant, 9)->flags = GTF_permit_access | GTF_readonly;
    ck_assert_int_lt(copy(op), 0);
}
END_TEST

/* A batch whose second element lies beyond memory: the first is done, the call says that not all were. */
START_TEST(a_batch_that_ends_early)
{
    mfn_t own = fake_guest_frame(fake_domains[0]);
    struct gnttab_copy *op = (void *)unreadable(sizeof(*op) + 8);

    *op = (struct gnttab_copy){
        .source = GMFN(own.value, DOMID_SELF), .dest = GMFN(own.value, DOMID_SELF), .len = 8, .status = 77};
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_copy, (unsigned long)op, 2), -EFAULT);
    ck_assert_int_eq(op->status, GNTST_okay);
    readable_again();
}
END_TEST

static long flush(struct gnttab_cache_flush op)
{
    return gnttab_op(cache_flush, &op, 1);
}

START_TEST(cache_lines_of_ones_own_pages)
{
    u64 own = fake_guest_frame(fake_domains[0]).value << PAGE_SHIFT;
    struct gnttab_cache_flush op = {.a.dev_bus_addr = own, .offset = 4000, .length = 96, .op = GNTTAB_CACHE_CLEAN};

    ck_assert_int_eq(flush(op), 0);
    op.length = 97;
    ck_assert_int_eq(flush(op), -EINVAL);
    op.length = 96;
    op.op = 4;
    ck_assert_int_eq(flush(op), -EINVAL);
    op.op = 0;
    ck_assert_int_eq(flush(op), 0);
    op.op = GNTTAB_CACHE_INVAL;
    ck_assert_int_eq(flush(op), -EOPNOTSUPP);
    op.a.dev_bus_addr = page.value << PAGE_SHIFT;
    ck_assert_int_eq(flush(op), -EPERM);
    op.a.dev_bus_addr = (u64)FAKE_FRAMES << PAGE_SHIFT;
    ck_assert_int_eq(flush(op), -EINVAL);
    op.offset = PAGE_SIZE;
    op.length = 0;
    ck_assert_int_eq(flush(op), -EINVAL);
}
END_TEST

static unsigned bind_virq(unsigned virq)
{
    struct evtchn_bind_virq op = {.virq = virq};
    ck_assert_int_eq(evtchn_op(bind_virq, &op), 0);
    return op.port;
}

static unsigned bind_ipi(void)
{
    struct evtchn_bind_ipi op = {.vcpu = 1};
    ck_assert_int_eq(evtchn_op(bind_ipi, &op), 0);
    return op.port;
}

START_TEST(the_status_names_what_a_port_is)
{
    unsigned virq = bind_virq(VIRQ_DEBUG), ipi = bind_ipi();
    struct evtchn_status op = {.dom = DOMID_SELF, .port = virq};

    ck_assert_int_eq(evtchn_op(status, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_virq);
    ck_assert_uint_eq(op.u.virq, VIRQ_DEBUG);
    op = (struct evtchn_status){.dom = DOMID_SELF, .port = ipi};
    ck_assert_int_eq(evtchn_op(status, &op), 0);
    ck_assert_uint_eq(op.status, EVTCHNSTAT_ipi);
    ck_assert_uint_eq(op.vcpu, 1);
}
END_TEST

static void go_fifo(void)
{
    struct evtchn_init_control control = {.control_gfn = fake_guest_frame(fake_domains[0]).value};
    struct evtchn_expand_array array = {.array_gfn = fake_guest_frame(fake_domains[0]).value};

    ck_assert_int_eq(evtchn_op(init_control, &control), 0);
    ck_assert_int_eq(evtchn_op(expand_array, &array), 0);
}

/* The dump reads the guest's bits in whichever of the two forms they have. Port 0 counts as in use. */
START_TEST(the_dump_says_what_is_pending)
{
    unsigned virq, ipi;

    if (_i)
        go_fifo();
    virq = bind_virq(VIRQ_DEBUG);
    ipi = bind_ipi();
    send_guest_vcpu_virq(fake_domains[0]->vcpus[0], VIRQ_DEBUG);
    evtchn_dump(fake_domains[0]);
    ck_assert_msg(strstr(fake_log, _i ? "FIFO, 3 in use" : "2-level, 3 in use"), "%s", fake_log);
    char expected[64];
    snprintf(expected, sizeof(expected), "port %u virq vcpu 0 remote d-1", virq);
    char *line = strstr(fake_log, expected);
    ck_assert_msg(line, "%s", fake_log);
    ck_assert(strstr(line, " pending") < strchr(line, '\n'));
    snprintf(expected, sizeof(expected), "port %u ipi vcpu 1", ipi);
    ck_assert_msg(strstr(fake_log, expected), "%s", fake_log);
    evtchn_frames(fake_domains[0], frame_written); /* event words and control block, which we write */
    ck_assert_uint_eq(fake_written_count, _i ? 2 : 0);
    if (_i) {
        ck_assert(!fifo_masked(fake_domains[0], virq));
        ck_assert(fifo_masked(fake_domains[0], 5000)); /* has no word */
        struct evtchn_reset op = {.dom = DOMID_SELF};
        ck_assert_int_eq(evtchn_op(reset, &op), 0);
    }
}
END_TEST

START_TEST(an_event_and_no_mask_are_a_delivery)
{
    struct vcpu *v = fake_domains[0]->vcpus[0];

    for (unsigned i = 0; i < 4; i++) {
        vcpu_upcall_pending(v) = i & 1;
        vcpu_upcall_mask(v) = i >> 1;
        ck_assert_int_eq(vcpu_events_deliverable(v), i == 1);
    }
    vcpu_upcall_mask(v) = 0;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits of grants and events");
    TCase *tc = tcase_create("limits");

    tcase_add_checked_fixture(tc, setup, fake_teardown);
    tcase_add_loop_test(tc, no_argument_no_operation, 0, 2);
    tcase_add_test(tc, swapped_entries_take_their_status_along);
    tcase_add_test(tc, no_memory_for_a_swap);
    tcase_add_test(tc, a_table_grows_to_its_limit);
    tcase_add_test(tc, a_version_needs_its_memory);
    tcase_add_test(tc, a_table_of_impossible_size);
    tcase_add_test(tc, what_others_may_write_is_written);
    tcase_add_test(tc, the_dump_names_users);
    tcase_add_test(tc, copies_refused);
    tcase_add_test(tc, copies_by_reference);
    tcase_add_test(tc, a_batch_that_ends_early);
    tcase_add_test(tc, cache_lines_of_ones_own_pages);
    tcase_add_test(tc, the_status_names_what_a_port_is);
    tcase_add_loop_test(tc, the_dump_says_what_is_pending, 0, 2);
    tcase_add_test(tc, an_event_and_no_mask_are_a_delivery);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
