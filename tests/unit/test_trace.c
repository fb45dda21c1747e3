/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is made of trace records: who did what for how long, and the texts and pictures of that.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <abi/xen.h>
#include "dom0-tools/trace/write.h"
#include "tests/unit/run_suite.h"

#define KHZ 1000000u /* one TSC tick is a nanosecond */

static struct account sums;
static struct trace_story story;
static char text[1 << 20];
static size_t length;

static int put_text(void *own, const void *data, size_t size)
{
    ck_assert_uint_lt(length + size, sizeof(text));
    memcpy(text + length, data, size);
    length += size;
    text[length] = '\0';
    return 0;
}

static const char *name_of(void *own, unsigned int domid)
{
    return domid == 1 ? "first" : domid == 2 ? "a<&\"b;" : NULL;
}

static struct trace_out out;
static const struct trace_names names = {name_of, NULL};

static void on_span(void *own, const struct trace_span *span)
{
    account_add(own, span);
}

static void begin(void)
{
    memset(&sums, 0, sizeof(sums));
    story_begin(&story, on_span, &sums);
    out = (struct trace_out){put_text, NULL, 0, 0};
    length = 0;
    text[0] = '\0';
}

static trace_who add(unsigned int cpu, uint64_t tsc, uint32_t event, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    struct trace_record record = {tsc, event, (uint8_t)cpu, 4, {a, b, c, d}};

    return story_add(&story, &record);
}

static void returns(unsigned int cpu, uint64_t tsc, unsigned int domid, uint32_t user)
{
    (void)add(cpu, tsc, PARAVANE_ABI_TRC_RETURN, domid << 16, user, 0x1000, 0);
}

static void calls(unsigned int cpu, uint64_t tsc, uint32_t op, uint32_t sub)
{
    (void)add(cpu, tsc, TRC_PV_HYPERCALL_V2, op | TRC_PV_HYPERCALL_V2_ARG_32(0), sub, 0, 0);
}

static const char *folded(void)
{
    account_sort(&sums);
    flame_folded(&out, &sums, &names, KHZ);
    return text;
}

/* Guards against time that is counted twice, not at all, or for the wrong one: a call that blocks, another domain, idle. */
START_TEST(time_goes_to_who_had_it)
{
    begin();
    calls(0, 50, __HYPERVISOR_sched_op, 1); /* nobody knows yet whose */
    returns(0, 100, 1, 0);
    calls(0, 300, __HYPERVISOR_sched_op, 1);
    (void)add(0, 340, TRC_SCHED_SWITCH, 1, 0, TRACE_IDLE, 0);
    (void)add(0, 1340, TRC_SCHED_SWITCH, TRACE_IDLE, 0, 3, 1);
    (void)add(0, 1345, PARAVANE_ABI_TRC_RETURN, 3 << 16 | 1, PARAVANE_ABI_TRC_USER, 0, 0);
    (void)add(0, 1400, TRC_PV_PAGE_FAULT | TRC_64_FLAG, 0, 0, 0, 0);
    (void)add(0, 1407, PARAVANE_ABI_TRC_RETURN, 3 << 16 | 1, 0, 0, 0);
    story_end(&story, 1500);
    ck_assert_str_eq(folded(), "first;v0;kernel 200\n"
                               "first;v0;hypervisor;sched_op.block 40\n"
                               "d3;v1;kernel 93\n"
                               "d3;v1;user 55\n"
                               "d3;v1;hypervisor;page_fault 7\n"
                               "d3;v1;hypervisor;switch_to_it 5\n"
                               "idle;cpu0 1000\n");
    ck_assert_uint_eq(sums.total, 1400);
}
END_TEST

/* Guards against one CPU's records that change what another is thought to do. */
START_TEST(processors_are_apart)
{
    begin();
    returns(0, 100, 1, 0);
    returns(1, 110, 3, 0);
    calls(1, 120, __HYPERVISOR_xen_version, 0);
    calls(0, 130, __HYPERVISOR_iret, 0xc0001000);
    returns(1, 160, 3, 0);
    story_end(&story, 200);
    ck_assert_str_eq(folded(), "first;v0;kernel 30\nfirst;v0;hypervisor;iret 70\n"
                               "d3;v0;kernel 50\nd3;v0;hypervisor;xen_version.version 40\n");
}
END_TEST

/* Guards against time that is given to whoever was there before records were lost. */
START_TEST(after_a_loss_nobody_is_known)
{
    begin();
    returns(0, 100, 1, 0);
    (void)add(0, 500, TRC_LOST_RECORDS, 77, 1 << 16, 0, 0);
    calls(0, 600, __HYPERVISOR_xen_version, 0);
    story_end(&story, 700);
    ck_assert_uint_eq(sums.total, 0);
}
END_TEST

/* Guards against a table that runs over when a guest makes up call numbers. */
START_TEST(more_things_than_fit)
{
    begin();
    for (uint32_t i = 0; i < 20000; i++) {
        returns(0, 10 * i, i & 0x7fff, 0);
        calls(0, 10 * i + 5, i, i);
    }
    ck_assert_uint_le(sums.used, ACCOUNT_MAX);
    ck_assert_uint_eq(sums.total, 199995);
    ck_assert_ptr_nonnull(folded());
}
END_TEST

/* Guards against a record that names an array's end: events, numbers and vectors come from outside. */
START_TEST(any_record_has_words)
{
    struct trace_record record;
    char detail[80];

    begin();
    srand(1);
    for (int i = 0; i < 30000; i++) {
        for (size_t j = 0; j < sizeof(record); j++)
            ((unsigned char *)&record)[j] = (unsigned char)rand();
        record.words %= TRACE_EXTRA_MAX + 1;
        record.event &= 0x0fffffff;
        if (i % 2)
            record.event = TRC_PV_ENTRY | (record.event & 0x10f);
        record_detail(&record, detail, sizeof(detail));
        ck_assert_uint_lt(strlen(detail), sizeof(detail));
        ck_assert_ptr_nonnull(event_name(record.event));
        (void)story_add(&story, &record);
    }
}
END_TEST

START_TEST(records_in_words)
{
    struct trace_record call = {
        0,
        TRC_PV_HYPERCALL_V2,
        0,
        3,
        {__HYPERVISOR_vcpu_op | TRC_PV_HYPERCALL_V2_ARG_32(0) | TRC_PV_HYPERCALL_V2_ARG_32(1), 2, 1}};
    struct trace_record trap = {0, TRC_PV_TRAP | TRC_64_FLAG, 0, 3, {0x1000, 0xffff, 13 | 1 << 15}};
    struct trace_record run = {0, TRC_SCHED_RUNSTATE_CHANGE | 2 << 8, 0, 1, {5 << 16 | 1}};
    char detail[80];

    record_detail(&call, detail, sizeof(detail));
    ck_assert_str_eq(detail, "vcpu_op.down 0x1");
    record_detail(&trap, detail, sizeof(detail));
    ck_assert_str_eq(detail, "general protection at 0xffff00001000");
    record_detail(&run, detail, sizeof(detail));
    ck_assert_str_eq(detail, "blocked to running");
    ck_assert_str_eq(event_name(run.event), "runstate");
    ck_assert_uint_eq(story_add(&story, &run), 5 << 16 | 1);
}
END_TEST

/* Every tag is closed, in order, and nothing of a name is a tag. A whole parser sees them in the system tests. */
static void check_xml(void)
{
    const char *open[16], *at = text;
    unsigned int depth = 0;

    while ((at = strchr(at, '<')) != NULL) {
        const char *end = strchr(at, '>');

        ck_assert_ptr_nonnull(end);
        if (at[1] == '/') {
            ck_assert_uint_gt(depth, 0);
            depth--;
            ck_assert_int_eq(strncmp(open[depth], at + 2, (size_t)(end - at - 2)), 0);
        } else if (at[1] != '?' && end[-1] != '/') {
            ck_assert_uint_lt(depth, 16);
            open[depth++] = at + 1;
        }
        at = end;
    }
    ck_assert_uint_eq(depth, 0);
}

/* Guards against a picture that a domain's name breaks, and one whose widths are not the shares. */
START_TEST(flame_is_a_picture)
{
    begin();
    returns(0, 0, 2, 0);
    returns(0, 750, 1, PARAVANE_ABI_TRC_USER);
    story_end(&story, 1000);
    account_sort(&sums);
    flame_svg(&out, &sums, &names, KHZ);
    check_xml();
    ck_assert_ptr_nonnull(strstr(text, "a&lt;&amp;&quot;b;: 0.000 ms, 75.00 %"));
    ck_assert_ptr_nonnull(strstr(text, "width=\"900.00\""));
    ck_assert_ptr_nonnull(strstr(text, "width=\"300.00\""));
}
END_TEST

/* Guards against a picture as large as the trace: what cannot be seen is not drawn again and again. */
START_TEST(timeline_has_a_size)
{
    static struct timeline line;

    begin();
    timeline_begin(&line, &out, &names, 0, 10000000, 2, KHZ);
    for (uint64_t i = 0; i < 100000; i++) {
        struct trace_span span = {.from = 100 * i, .to = 100 * i + 100, .who = (1 + (uint32_t)(i & 1)) << 16};

        timeline_add(&line, &span);
    }
    timeline_end(&line);
    check_xml();
    ck_assert_uint_gt(length, 100000);
    ck_assert_ptr_nonnull(strstr(text, "10 ms"));
    ck_assert_ptr_nonnull(strstr(text, "first 25.0 %"));
}
END_TEST

START_TEST(texts_are_quoted)
{
    begin();
    out_json(&out, "a\"\\\n\xc3z");
    ck_assert_str_eq(text, "\"a\\\"\\\\\\u000a\\u00c3z\"");
    ck_assert_uint_eq(tsc_ns(UINT64_MAX / 2, 3000000), 3074457345618258602u);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    TCase *cases = tcase_create("trace");

    tcase_add_test(cases, time_goes_to_who_had_it);
    tcase_add_test(cases, processors_are_apart);
    tcase_add_test(cases, after_a_loss_nobody_is_known);
    tcase_add_test(cases, more_things_than_fit);
    tcase_add_test(cases, any_record_has_words);
    tcase_add_test(cases, records_in_words);
    tcase_add_test(cases, flame_is_a_picture);
    tcase_add_test(cases, timeline_has_a_size);
    tcase_add_test(cases, texts_are_quoted);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
