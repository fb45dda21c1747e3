/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pins that devices share: each of them is asked, every interrupt is ended exactly once, and one that no device claims
 * cannot keep dom0 in its handler for ever.
 */
#include <check.h>
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <pv/event.h>
#include <pv/threads.h>

#include "dom0-tools/machine/interrupts.h"
#include "dom0-tools/machine/pirq.h"
#include "tests/unit/run_suite.h"

static event_handler_t *bound_handler;
static void *bound_data;
static unsigned int bound_gsi, binds, ended;
static int prepare_result, bind_result;
static void (*slow)(void *);
static void *slow_data;
static bool without_threads;
static uint64_t slept;
static jmp_buf asleep;

int pirq_prepare(unsigned int gsi)
{
    return prepare_result;
}

void pirq_end(unsigned int gsi)
{
    ck_assert_uint_eq(gsi, bound_gsi);
    ended++;
}

int event_bind_pirq(unsigned int pirq, bool shared, event_handler_t *handler, void *data)
{
    if (bind_result < 0)
        return bind_result;
    bound_handler = handler;
    bound_data = data;
    bound_gsi = pirq;
    binds++;
    return 5;
}

struct thread *thread_create_stack(const char *name, void (*fn)(void *arg), void *arg, size_t stack_size)
{
    slow = fn;
    slow_data = arg;
    return without_threads ? NULL : (struct thread *)&slow;
}

void thread_sleep_ns(uint64_t ns)
{
    slept += ns;
}

void waitq_wake(struct waitq *q)
{
}

void waiter_enter(struct waiter *w, struct waitq *q)
{
}

void waiter_leave(struct waiter *w)
{
}

bool thread_block(uint64_t deadline_ns)
{
    longjmp(asleep, 1);
}

static void run_slow(void)
{
    if (setjmp(asleep) == 0)
        slow(slow_data);
}

struct device {
    bool claims;
    unsigned int asked;
};

static bool on_device(void *data)
{
    struct device *device = data;

    device->asked++;
    return device->claims;
}

static void fire(unsigned int times)
{
    while (times-- > 0)
        bound_handler(5, bound_data);
}

/* A device behind one that claims the interrupt may have raised it, too: a level that stays up would come again. */
START_TEST(test_shared_pin)
{
    static struct device devices[2];

    ck_assert_int_eq(interrupt_attach(11, on_device, &devices[0]), 0);
    ck_assert_int_eq(interrupt_attach(11, on_device, &devices[1]), 0);
    ck_assert_uint_eq(binds, 1);
    devices[0].claims = devices[1].claims = true;
    fire(3);
    ck_assert_uint_eq(devices[0].asked, 3);
    ck_assert_uint_eq(devices[1].asked, 3);
    ck_assert_uint_eq(ended, 3);
    ck_assert_int_eq(interrupt_attach(10, on_device, &devices[1]), 0);
    ck_assert_uint_eq(binds, 2);
}
END_TEST

/* A pin that nobody's device lets go of: threads get their turn between two, and a device's own interrupt still counts. */
START_TEST(test_storm)
{
    static struct device device;
    unsigned int before;

    ck_assert_int_eq(interrupt_attach(11, on_device, &device), 0);
    fire(999);
    ck_assert_uint_eq(ended, 999);
    fire(1);
    ck_assert_uint_eq(ended, 999);
    run_slow();
    ck_assert_uint_eq(ended, 1000);
    ck_assert_uint_ge(slept, 100000);
    before = device.asked;
    fire(1);
    run_slow();
    ck_assert_uint_eq(ended, 1001);
    ck_assert_uint_eq(device.asked, before + 1);
    device.claims = true;
    fire(1);
    ck_assert_uint_eq(ended, 1002);
    device.claims = false;
    fire(999);
    ck_assert_uint_eq(ended, 2001);
}
END_TEST

/* Without memory for its thread a pin works all the same; a pin that the hypervisor refuses is an error. */
START_TEST(test_refusals)
{
    static struct device device = {.claims = true};

    prepare_result = -EPERM;
    ck_assert_int_eq(interrupt_attach(11, on_device, &device), -EPERM);
    prepare_result = 0;
    bind_result = -EINVAL;
    ck_assert_int_eq(interrupt_attach(11, on_device, &device), -EINVAL);
    bind_result = 0;
    without_threads = true;
    ck_assert_int_eq(interrupt_attach(11, on_device, &device), 0);
    device.claims = false;
    fire(2000);
    ck_assert_uint_eq(ended, 2000);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("interrupts");
    TCase *pins = tcase_create("pins");

    tcase_add_test(pins, test_shared_pin);
    tcase_add_test(pins, test_storm);
    tcase_add_test(pins, test_refusals);
    suite_add_tcase(suite, pins);
    return run_suite(suite);
}
