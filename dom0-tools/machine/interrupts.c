/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pins shared by devices. An interrupt that no device on its pin claims comes from one that nobody drives and would
 * come for ever: after a while such a pin is served at a bounded rate.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <pv/event.h>
#include <pv/threads.h>

#include "interrupts.h"
#include "pirq.h"

#define UNCLAIMED_MAX    1000u
#define SLOW_INTERVAL_NS 1000000u
#define SLOW_STACK_BYTES 8192u

struct listener {
    interrupt_handler_t *handler;
    void *data;
    struct listener *next;
};

struct pin {
    unsigned int gsi, unclaimed;
    bool slow, waits; /* slow: a thread ends the interrupts; one waits for it */
    struct waitq wake;
    struct listener *listeners;
    struct pin *next;
};

static struct pin *pins;

static void on_interrupt(evtchn_port_t port, void *data)
{
    struct pin *pin = data;
    bool claimed = false;

    for (struct listener *listener = pin->listeners; listener != NULL; listener = listener->next)
        claimed |= listener->handler(listener->data);
    pin->unclaimed = claimed ? 0 : pin->unclaimed + 1;
    if (pin->unclaimed >= UNCLAIMED_MAX && pin->slow) {
        pin->waits = true;
        waitq_wake(&pin->wake);
    } else {
        pirq_end(pin->gsi);
    }
}

static void serve_slowly(void *data)
{
    struct pin *pin = data;

    for (;;) {
        wait_event(&pin->wake, pin->waits);
        thread_sleep_ns(SLOW_INTERVAL_NS);
        pin->waits = false;
        pirq_end(pin->gsi);
    }
}

static struct pin *pin_find(unsigned int gsi)
{
    struct pin *pin = pins;

    while (pin != NULL && pin->gsi != gsi)
        pin = pin->next;
    return pin;
}

static int pin_open(unsigned int gsi, struct listener *listener)
{
    struct pin *pin = calloc(1, sizeof(*pin));
    int rc = pin != NULL ? pirq_prepare(gsi) : -ENOMEM;

    if (rc == 0) {
        pin->gsi = gsi;
        pin->listeners = listener;
        rc = event_bind_pirq(gsi, true, on_interrupt, pin);
    }
    if (rc < 0) {
        free(pin);
        return rc;
    }
    pin->slow = thread_create_stack("interrupts", serve_slowly, pin, SLOW_STACK_BYTES) != NULL;
    pin->next = pins;
    pins = pin;
    return 0;
}

int interrupt_attach(unsigned int gsi, interrupt_handler_t *handler, void *data)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    struct pin *pin = pin_find(gsi);
    int rc = 0;

    if (listener == NULL)
        return -ENOMEM;
    listener->handler = handler;
    listener->data = data;
    if (pin == NULL) {
        rc = pin_open(gsi, listener);
    } else {
        listener->next = pin->listeners;
        __atomic_store_n(&pin->listeners, listener, __ATOMIC_RELEASE);
    }
    if (rc != 0)
        free(listener);
    return rc;
}
