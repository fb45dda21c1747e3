/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine below event channels and grants: frames with owners and counts, domains, and what they ask of others.
 * Everything is counted, so that a test can say at its end that nothing was kept and nothing dropped twice.
 */
#ifndef TESTS_UNIT_EVTGNT_FAKE_H
#define TESTS_UNIT_EVTGNT_FAKE_H

#include "domain.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

#define FAKE_FRAMES  4096
#define FAKE_DOMAINS 4
#define FAKE_VCPUS   4

struct fake_frame {
    struct domain *owner; /* NULL: ours or free */
    bool allocated, is_table, shared;
    int refs, writable;
    pfn_t place; /* its machine-to-guest entry */
};

extern struct fake_frame fake_frames[FAKE_FRAMES];
extern struct domain *fake_domains[FAKE_DOMAINS];
extern unsigned fake_kicks[FAKE_DOMAINS][FAKE_VCPUS], fake_wakes[FAKE_DOMAINS][FAKE_VCPUS];
extern int fake_allocations_left; /* -1: no limit */
extern unsigned fake_flushes, fake_messages, fake_written_count;
extern mfn_t fake_written_last;
extern char fake_log[4096]; /* what was logged, as far as it fits */
extern int fake_map_host_status, fake_unmap_host_status, fake_pirq_error;
extern void (*fake_at_flush)(void);

/* Domains 0 (privileged) to count - 1, FAKE_VCPUS vCPUs each; the caller is vCPU 0 of domain 0. */
void fake_setup(unsigned count);
/* Destroys the domains, then checks that frames, references and our own memory are all back. */
void fake_teardown(void);
void fake_make_32bit(struct domain *d);
void fake_run(unsigned domid, unsigned vcpu); /* it is the caller from now on */
void fake_kill(struct domain *d);             /* as domain_kill does, up to the last reference */
mfn_t fake_guest_frame(struct domain *d);     /* RAM of d, until fake_teardown */
void *fake_guest_memory(void);                /* a page of the caller's address space, below 4 GiB, zeroed */
unsigned fake_host_mappings(mfn_t mfn);       /* page-table entries made by grant_map_host */

/* event_channel_op and grant_table_op with a structure that is copied to guest memory and back. */
#define evtchn_op(name, args)                                                                                          \
    ({                                                                                                                 \
        memcpy(fake_guest_memory(), args, sizeof(*(args)));                                                            \
        long fake_result = do_event_channel_op(EVTCHNOP_##name, (unsigned long)fake_guest_memory());                   \
        memcpy(args, fake_guest_memory(), sizeof(*(args)));                                                            \
        fake_result;                                                                                                   \
    })
#define gnttab_op(name, args, count)                                                                                   \
    ({                                                                                                                 \
        memcpy(fake_guest_memory(), args, sizeof(*(args)) * (count));                                                  \
        long fake_result = do_grant_table_op(GNTTABOP_##name, (unsigned long)fake_guest_memory(), count);              \
        memcpy(args, fake_guest_memory(), sizeof(*(args)) * (count));                                                  \
        fake_result;                                                                                                   \
    })

#endif
