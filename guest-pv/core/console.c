/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The console. In a domU a page with two byte rings shared with dom0's console daemon; its indices are read once and
 * never trusted to be less than a ring apart. In dom0 the hypervisor's console, by hypercall.
 */
#include <string.h>
#include <abi/io/console.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/time.h>
#include "internal.h"
#include "thread.h"

#define GIVE_UP_NS 2000000000ULL /* a dom0 that is busy, or has stopped us for printing too much, is not dead */

static struct xencons_interface *ring;
static evtchn_port_t ring_port;
static bool threads_up;

/* Input of dom0, taken from the hypervisor in the interrupt; when it is full the rest stays there until there is room. */
static char input[1024];
static unsigned int input_head, input_tail;
static bool input_left;

struct waitq console_input_waitq;
static struct waitq output_waitq;
static struct mutex output_lock;

static uint32_t load(const uint32_t *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void publish(uint32_t *index, uint32_t value)
{
    __atomic_store_n(index, value, __ATOMIC_SEQ_CST);
}

/* Room in the output ring; a lying consumer index gives none. */
static uint32_t ring_room(void)
{
    uint32_t used = ring->out_prod - load(&ring->out_cons);

    return used <= sizeof(ring->out) ? sizeof(ring->out) - used : 0;
}

static size_t ring_put(const char *text, size_t length)
{
    uint32_t room = ring_room(), prod = ring->out_prod;
    size_t count = length < room ? length : room;

    for (size_t i = 0; i < count; i++)
        ring->out[MASK_XENCONS_IDX(prod + i, ring->out)] = text[i];
    publish(&ring->out_prod, prod + (uint32_t)count);
    if (count > 0)
        event_notify(ring_port);
    return count;
}

static void hypervisor_put(const char *text, size_t length)
{
    while (length > 0) {
        unsigned int chunk = length < 1024 ? (unsigned int)length : 1024;
        char part[1024];

        memcpy(part, text, chunk);
        HYPERVISOR_console_io(CONSOLEIO_write, chunk, part);
        text += chunk;
        length -= chunk;
    }
}

static void put_all(const char *text, size_t length, bool may_wait)
{
    uint64_t give_up = 0;

    if (ring == NULL) {
        hypervisor_put(text, length);
        return;
    }
    while (length > 0) {
        size_t count = ring_put(text, length);

        text += count;
        length -= count;
        if (length == 0)
            return;
        if (may_wait) {
            wait_event(&output_waitq, ring_room() > 0);
        } else {
            uint64_t now = time_monotonic_ns();

            give_up = give_up == 0 || count > 0 ? now + GIVE_UP_NS : give_up;
            if (now > give_up)
                return;
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        }
    }
}

/* Sends pieces between newlines, each newline as carriage return and newline. */
static void write_lines(const char *text, size_t length, bool may_wait)
{
    char out[256];
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            out[used++] = '\r';
        out[used++] = text[i];
        if (used >= sizeof(out) - 1 || i + 1 == length) {
            put_all(out, used, may_wait);
            used = 0;
        }
    }
}

void console_write(const char *text, size_t length)
{
    if (!threads_up) {
        write_lines(text, length, false);
        return;
    }
    mutex_lock(&output_lock);
    write_lines(text, length, true);
    mutex_unlock(&output_lock);
}

void console_write_raw(const char *bytes, size_t length)
{
    mutex_lock(&output_lock);
    put_all(bytes, length, true);
    mutex_unlock(&output_lock);
}

void console_write_now(const char *text, size_t length)
{
    write_lines(text, length, false);
}

void console_flush(void)
{
    uint64_t give_up = time_monotonic_ns() + GIVE_UP_NS;

    while (ring != NULL && ring_room() < sizeof(ring->out) && time_monotonic_ns() < give_up)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
}

static void ring_event(evtchn_port_t port, void *data)
{
    waitq_wake(&output_waitq);
    if (console_input_pending())
        waitq_wake(&console_input_waitq);
}

/* With events masked, or in the handler. */
static void take_input(void)
{
    char text[64];
    long count = 1;

    while (count > 0) {
        unsigned int room = sizeof(input) - (input_head - input_tail);

        input_left = room == 0;
        if (input_left)
            return;
        count = HYPERVISOR_console_io(CONSOLEIO_read, room < sizeof(text) ? room : sizeof(text), text);
        for (long i = 0; i < count; i++)
            input[input_head++ % sizeof(input)] = text[i];
    }
}

static void virq_console(evtchn_port_t port, void *data)
{
    take_input();
    waitq_wake(&console_input_waitq);
}

bool console_input_pending(void)
{
    if (ring != NULL)
        return load(&ring->in_prod) != ring->in_cons;
    return __atomic_load_n(&input_head, __ATOMIC_ACQUIRE) != input_tail;
}

static size_t ring_get(char *buffer, size_t size)
{
    uint32_t cons = ring->in_cons;
    uint32_t available = load(&ring->in_prod) - cons;
    size_t count;

    if (available > sizeof(ring->in))
        available = sizeof(ring->in);
    count = size < available ? size : available;
    for (size_t i = 0; i < count; i++)
        buffer[i] = ring->in[MASK_XENCONS_IDX(cons + i, ring->in)];
    publish(&ring->in_cons, cons + (uint32_t)count);
    if (count > 0)
        event_notify(ring_port);
    return count;
}

size_t console_read_now(char *buffer, size_t size)
{
    size_t count = 0;
    bool enabled;

    if (ring != NULL)
        return ring_get(buffer, size);
    enabled = irq_save();
    while (count < size && input_tail != input_head)
        buffer[count++] = input[input_tail++ % sizeof(input)];
    if (input_left)
        take_input();
    irq_restore(enabled);
    return count;
}

size_t console_read(char *buffer, size_t size, uint64_t deadline_ns)
{
    if (!wait_event_until(&console_input_waitq, console_input_pending(), deadline_ns))
        return 0;
    return console_read_now(buffer, size);
}

/* Enough to print: the ring is in the builder's mapping. */
void console_init_early(void)
{
    unsigned long pfn;

    if (pv_is_dom0() || start_info->console.domU.mfn == 0)
        return;
    pfn = mfn_to_pfn(start_info->console.domU.mfn);
    if (pfn == INVALID_P2M)
        return;
    ring = pfn_to_virt(pfn);
    ring_port = start_info->console.domU.evtchn;
}

void console_init(void)
{
    if (ring != NULL)
        event_set_handler(ring_port, ring_event, NULL);
    else if (pv_is_dom0())
        event_bind_virq(VIRQ_CONSOLE, 0, virq_console, NULL);
    threads_up = true;
}

bool console_hold(uint64_t deadline_ns)
{
    while (!mutex_trylock(&output_lock))
        if (!wait_event_until(&output_lock.waiters, output_lock.owner == NULL, deadline_ns))
            return false;
    if (ring != NULL)
        (void)wait_event_until(&output_waitq, ring_room() == sizeof(ring->out), deadline_ns);
    return true;
}

void console_release(bool held)
{
    if (held)
        mutex_unlock(&output_lock);
}

void console_touch(void)
{
    if (ring != NULL)
        publish(&ring->out_prod, ring->out_prod);
}

void console_resume(bool restored)
{
    if (ring == NULL || !restored)
        return;
    ring_port = start_info->console.domU.evtchn;
    event_set_handler(ring_port, ring_event, NULL);
}
