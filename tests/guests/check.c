/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The harness of the guest tests.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/sysctl.h>
#include <abi/xen.h>
#include <hypercall_stubs.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/paging.h>
#include <pv/pv.h>
#include <pv/time.h>
#include "check.h"
#include "watch.h"

#define WHOLE      0xffffU
#define MAX_COVER  1024U
#define BIT(n)     (1ULL << (n))
#define SLEEP_NS   20000000ULL
#define SLEEPS     50U
#define KEPT_PAGES 192U
#define PIECE      512U
#define PATIENCE   10U

/* How a call names its sub-operation: as its first argument, or as the first word behind it. */
#define BY_ARGUMENT                                                                                                    \
    (BIT(__HYPERVISOR_memory_op) | BIT(__HYPERVISOR_xen_version) | BIT(__HYPERVISOR_console_io) |                      \
     BIT(__HYPERVISOR_grant_table_op) | BIT(__HYPERVISOR_vcpu_op) | BIT(__HYPERVISOR_nmi_op) |                         \
     BIT(__HYPERVISOR_sched_op) | BIT(__HYPERVISOR_callback_op) | BIT(__HYPERVISOR_event_channel_op) |                 \
     BIT(__HYPERVISOR_physdev_op))
#define BY_POINTER                                                                                                     \
    (BIT(__HYPERVISOR_platform_op) | BIT(__HYPERVISOR_sysctl) | BIT(__HYPERVISOR_domctl) | BIT(__HYPERVISOR_mmuext_op))

static unsigned int passed, failed;
static bool armed;

struct answer {
    unsigned int call, sub;
    long result;
};

/* Those that a CHECK_EQ expected and got, and every error that any call got. */
static struct answer last;
static struct answers {
    unsigned int count;
    struct answer list[MAX_COVER];
} covered, refused;

static char *kept;
static size_t kept_used;
static bool kept_all = true;

static bool asked_for(const char *word)
{
    return strstr((const char *)start_info->cmd_line, word) != NULL;
}

static bool verdicts(void)
{
    return asked_for("verdicts");
}

/* A list or structure that was read may be looked at again; the two lists are read behind the domain's number. */
static unsigned int sub_operation(unsigned long number, unsigned long first, long result)
{
    bool list = number == __HYPERVISOR_mmu_update || number == __HYPERVISOR_mmuext_op;
    bool readable = first != 0 && result != -XEN_EFAULT && !(list && result == -XEN_ESRCH);

    if (number < 64 && BY_ARGUMENT >> number & 1)
        return (unsigned int)first & 0xfff;
    if (number < 64 && BY_POINTER >> number & 1 && readable)
        return *(const volatile uint32_t *)first;
    if (number == __HYPERVISOR_mmu_update && readable)
        return *(const volatile uint32_t *)first & 3;
    return WHOLE;
}

static void note(struct answers *a, const struct answer *new)
{
    unsigned int i = 0;

    while (i < a->count && memcmp(&a->list[i], new, sizeof(*new)) != 0)
        i++;
    if (i == a->count && i < MAX_COVER)
        a->list[a->count++] = *new;
}

/* Where nobody waits for the answer, the pointer may be one that is not to be followed, and a command any number. */
long check_watch(unsigned long number, unsigned long first, long result)
{
    bool by_pointer = number < 64 && (BY_POINTER | BIT(__HYPERVISOR_mmu_update)) >> number & 1;
    bool error = (unsigned long)result > -PAGE_SIZE;

    if (armed || (error && !by_pointer && result != -XEN_ENOSYS)) {
        struct answer new = {(unsigned int)number, sub_operation(number, first, result), result};

        if (armed)
            last = new;
        if (error)
            note(&refused, &new);
    }
    return result;
}

void check_begin(void)
{
    armed = true;
    last.call = WHOLE;
}

static void cover(void)
{
    if (last.result > 0)
        last.result = 0;
    note(&covered, &last);
}

/* Each line that a guest prints brings it events, and its subject may be just those: it keeps verdicts for the end. */
static void tell(const char *format, ...)
{
    size_t room = KEPT_PAGES * PAGE_SIZE - kept_used;
    va_list arguments;
    int length;

    va_start(arguments, format);
    if (pv_is_dom0()) {
        vprintf(format, arguments);
    } else if (kept != NULL || (kept = pages_alloc(KEPT_PAGES)) != NULL) {
        length = vsnprintf(kept + kept_used, room, format, arguments);
        kept_used += length >= 0 && (size_t)length < room ? (size_t)length : 0;
        kept_all = kept_all && length >= 0 && (size_t)length < room;
    }
    va_end(arguments);
}

static void print_answers(const char *word, const struct answers *a)
{
    for (unsigned int i = 0; i < a->count; i++)
        tell("%s %u %u %ld\n", word, a->list[i].call, a->list[i].sub, a->list[i].result);
}

static void show(char verdict, long value, const char *sentence)
{
    if (verdicts())
        tell("verdict %c %ld %s\n", verdict, value, sentence);
}

bool check_record(bool holds, const char *sentence, const char *condition, const char *file, int line)
{
    show(holds ? '+' : '-', 0, sentence);
    if (holds) {
        passed++;
    } else {
        failed++;
        printf("FAILED: %s [%s] %s:%d\n", sentence, condition, file, line);
    }
    return holds;
}

bool check_equal(long actual, long expected, const char *sentence, const char *what, const char *file, int line)
{
    armed = false;
    show(actual == expected ? '+' : '-', actual == expected ? 0 : actual, sentence);
    if (actual == expected) {
        passed++;
        if (last.call != WHOLE && last.result == actual)
            cover();
        return true;
    }
    failed++;
    printf("FAILED: %s [%s is %ld, not %ld] %s:%d\n", sentence, what, actual, expected, file, line);
    return false;
}

void check_same(unsigned long long value, const char *sentence)
{
    if (verdicts())
        tell("verdict = %llx %s\n", value, sentence);
}

/* With "traced" on its command line a kernel in dom0's place switches tracing on, which must change nothing. */
static void trace_if_asked(void)
{
    static struct xen_sysctl sysctl;
    static bool looked;

    if (looked || !asked_for("traced"))
        return;
    looked = true;
    sysctl.cmd = XEN_SYSCTL_tbuf_op;
    sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    sysctl.u.tbuf_op.cmd = XEN_SYSCTL_TBUFOP_set_size;
    sysctl.u.tbuf_op.size = 4;
    CHECK_EQ(HYPERVISOR_sysctl(&sysctl), 0, "there are trace rings");
    sysctl.u.tbuf_op.cmd = XEN_SYSCTL_TBUFOP_enable;
    CHECK_EQ(HYPERVISOR_sysctl(&sysctl), 0, "tracing is on");
}

void check_open_to_programs(void)
{
#ifndef __x86_64__
    extern char _text[], _end[];

    for (char *page = _text; page < _end; page += PAGE_SIZE)
        if (pte_write(page, pte_read(page) | PTE_US) != 0)
            CHECK(false, "a page of ours can be opened to programs");
#endif
}

long check_sleep(long (*nap)(uint64_t until), uint64_t *until)
{
    const volatile struct vcpu_info *vcpu = &shared_info->vcpu_info[0];
    long rc = 0;

    for (unsigned int i = 0; i < SLEEPS; i++) {
        unsigned long upcalls;

        irq_disable();
        upcalls = event_upcalls();
        *until = time_monotonic_ns() + SLEEP_NS;
        rc = nap(*until);
        if (time_monotonic_ns() >= *until || (event_upcalls() == upcalls && !vcpu->evtchn_upcall_pending))
            break;
        irq_enable();
    }
    return rc;
}

void check_group(const char *name)
{
    trace_if_asked();
    printf("  %s\n", name);
    if (verdicts())
        tell("verdict group %s\n", name);
}

/* Without waiting for events, which may come no more: the ring is seen empty before each piece that it then holds. */
static void print_kept(void)
{
    fflush(stdout);
    for (size_t at = 0; at < kept_used; at += PIECE) {
        console_write_now(kept + at, kept_used - at < PIECE ? kept_used - at : PIECE);
        for (unsigned int i = 0; i < PATIENCE; i++)
            console_flush();
    }
}

int check_summary(const char *name)
{
    if (!kept_all)
        CHECK(false, "there is room for all verdicts");
    if (asked_for("covers")) {
        print_answers("covered", &covered);
        print_answers("refused", &refused);
    }
    print_kept();
    printf("%s: %u passed, %u failed\n", name, passed, failed);
    return (int)failed;
}
