/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The fake machine below the mm unit tests: its RAM, its domains, and what the files under test asked of other rooms.
 */
#ifndef TESTS_UNIT_MM_FAKE_H
#define TESTS_UNIT_MM_FAKE_H

#include "mm/internal.h"

#define FAKE_FRAMES 4096
#define KERNEL_ONLY (1UL << 52) /* how genuine Xen marks what a 64-bit guest maps for its kernel alone */

struct fake {
    unsigned flushes;       /* flush_tlb_mask calls */
    unsigned preempt_after; /* hypercall_preempt_check: false this often, then true once; 0: never */
    unsigned continuations;
    unsigned long continue_args[6];
    unsigned domains_put;
    unsigned ldt_invalidations;
    bool panicked;
    bool quiet;                /* errors are wanted: fake_log has them, the terminal has not */
    bool threads;              /* several run: whoever finds a lock taken waits */
    void (*on_m2p)(mfn_t mfn); /* called before each m2p_set */
    void (*on_flush)(void);    /* called when frames were taken from the heap, before they have an owner */
};
extern struct fake fake;
extern char fake_log[2048]; /* what was logged, as far as it fits */

extern unsigned long host_m2p[FAKE_FRAMES];
extern unsigned host_m2p_compat[FAKE_FRAMES];

void fake_start(void); /* fresh RAM: all but the first 16 frames are free */
struct domain *fake_domain(unsigned id, bool is_32bit, unsigned long max_pages);
void fake_forget(struct domain *d); /* the newest */
void fake_run(struct domain *d);    /* its vCPU 0 becomes current, on CPU 0, with dirty mask 1 */
mfn_t fake_page(struct domain *d);
u64 *fake_table(mfn_t mfn);
static inline unsigned long refs(mfn_t mfn)
{
    return frame_word(mfn) & FW_REF_MASK;
}

void fake_exhaust(void); /* nobody gets memory any more, until */
void fake_relieve(void);
/* Repeats a preempted call as the hypercall layer would; n counts how often. */
#define UNTIL_DONE(n, call)                                                                                            \
    ({                                                                                                                 \
        long rc_;                                                                                                      \
        for ((n) = 0; (rc_ = (call)) == -ERESTART; (n)++)                                                              \
            ;                                                                                                          \
        rc_;                                                                                                           \
    })

#endif
