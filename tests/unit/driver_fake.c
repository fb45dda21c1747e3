/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The world of a virtio driver under test. Waiting for ever leaves the thread by a jump, and the next run begins it anew:
 * a driver's thread keeps nothing on its stack from one turn to the next.
 */
#include <check.h>
#include <setjmp.h>

#include <pv/threads.h>

#include "dom0-tools/machine/interrupts.h"
#include "dom0-tools/machine/virtio.h"
#include "driver_fake.h"

struct driver_fake transport;
static interrupt_handler_t *handler;
static void *handler_data, *server_data;
static void (*server)(void *);
static jmp_buf asleep;

bool virtio_open(struct virtio_device *device, const struct pci_function *pci)
{
    device->interrupt_status = &transport.interrupt_status;
    return true;
}

bool virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
    device->features = transport.features & wanted;
    return true;
}

bool virtio_start(struct virtio_device *device)
{
    return true;
}

void virtio_give_up(struct virtio_device *device)
{
    transport.given_up = true;
}

int interrupt_attach(unsigned int gsi, interrupt_handler_t *fn, void *data)
{
    handler = fn;
    handler_data = data;
    return 0;
}

void driver_interrupt(uint8_t status)
{
    transport.interrupt_status = status;
    ck_assert(handler(handler_data));
}

struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg)
{
    server = fn;
    server_data = arg;
    return (struct thread *)&server;
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
    if (deadline_ns != WAIT_FOREVER)
        return false;
    longjmp(asleep, 1);
}

void driver_run(void)
{
    if (setjmp(asleep) == 0)
        server(server_data);
}
