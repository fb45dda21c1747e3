/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Event channels (2-level ABI) and the mask that keeps event handlers out.
 * A handler runs on the vCPU the port is bound to, in interrupt context: upcalls masked, no waiting, no newlib stdio.
 */
#ifndef PV_EVENT_H
#define PV_EVENT_H

#include <stdbool.h>
#include <abi/event_channel.h>
#include <pv/pv.h>

typedef void event_handler_t(evtchn_port_t port, void *data);

/* Gives an already bound port its handler and unmasks it; -ERANGE past the table, -EBUSY when it has one. */
int event_set_handler(evtchn_port_t port, event_handler_t *handler, void *data);
void event_clear_handler(evtchn_port_t port);

/* Each returns the new port with its handler set, or a negative errno. A NULL handler leaves the port masked. */
int event_alloc_unbound(domid_t remote, event_handler_t *handler, void *data);
int event_bind_interdomain(domid_t remote, evtchn_port_t remote_port, event_handler_t *handler, void *data);
int event_bind_virq(unsigned int virq, unsigned int vcpu, event_handler_t *handler, void *data);
int event_bind_ipi(unsigned int vcpu, event_handler_t *handler, void *data);
int event_bind_pirq(unsigned int pirq, bool shared, event_handler_t *handler,
                    void *data); /* of a pirq that is mapped */
int event_close(evtchn_port_t port);

int event_notify(evtchn_port_t port);
void event_mask(evtchn_port_t port);
void event_unmask(evtchn_port_t port); /* delivers at once when the port was pending */
bool event_test_and_clear(evtchn_port_t port);

/* Upcalls of this vCPU off and back to what they were. irq_restore and irq_enable deliver what came meanwhile. */
bool irq_save(void);
void irq_restore(bool were_enabled);
void irq_enable(void);
void irq_disable(void);

/*
 * While on, an event on vCPU 0 ends a hypercall that the hypervisor has interrupted to go on with it later: it returns
 * -EAGAIN, and the caller repeats it when others have had their turn. Only for hypercalls that keep their progress in the
 * hypervisor.
 */
void event_breaks_hypercall(bool on);

/* How many upcalls this vCPU has taken: for tests. */
unsigned long event_upcalls(void);

#endif
