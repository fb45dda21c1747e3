/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Shared rings: one page (or more) where a front end puts requests and a back end responses. Producer indices run
 * freely and are reduced by the ring's size, a power of two, on use. The other side may write the shared part at any
 * time: copy an entry out before looking at it, and check a producer index against the ring's size.
 * Before including this, code may define its own xen_mb, xen_rmb and xen_wmb. Source of the facts: io/ring.h.
 */
#ifndef PARAVANE_ABI_IO_RING_H
#define PARAVANE_ABI_IO_RING_H

#include <stddef.h>
#include <stdint.h>

#ifndef xen_mb
#define xen_mb() __sync_synchronize()
#endif
#ifndef xen_rmb
#define xen_rmb() __asm__ volatile("" ::: "memory")
#endif
#ifndef xen_wmb
#define xen_wmb() __asm__ volatile("" ::: "memory")
#endif

typedef unsigned int RING_IDX;

/* Entries of an area of so many bytes: the largest power of two that fits. */
#define XEN_RING_FLOOR_POW2_(n) (1U << (31 - __builtin_clz((unsigned int)(n))))
#define __CONST_RING_SIZE(name, bytes)                                                                                 \
    XEN_RING_FLOOR_POW2_(((bytes)-offsetof(struct name##_sring, ring)) / sizeof(((struct name##_sring *)0)->ring[0]))
#define __RING_SIZE(shared, bytes)                                                                                     \
    XEN_RING_FLOOR_POW2_(((bytes) - ((const char *)(shared)->ring - (const char *)(shared))) /                         \
                         sizeof((shared)->ring[0]))

/* Declares the shared layout (64 bytes of indices, then entries) and each side's private view of it. A side wants to
 * be woken once the other's producer reaches its event index. */
/* clang-format off */
#define DEFINE_RING_TYPES(name, request_type, response_type)  \
    union name##_sring_entry {                                \
        request_type req;                                     \
        response_type rsp;                                    \
    };                                                        \
    struct name##_sring {                                     \
        RING_IDX req_prod, req_event;                         \
        RING_IDX rsp_prod, rsp_event;                         \
        union {                                               \
            struct {                                          \
                uint8_t smartpoll_active;                     \
            } netif;                                          \
            struct {                                          \
                uint8_t msg;                                  \
            } tapif_user;                                     \
            uint8_t pvt_pad[4];                               \
        } pvt;                                                \
        uint8_t __pad[44];                                    \
        union name##_sring_entry ring[1];                     \
    };                                                        \
    struct name##_front_ring {                                \
        RING_IDX req_prod_pvt;                                \
        RING_IDX rsp_cons;                                    \
        unsigned int nr_ents;                                 \
        struct name##_sring *sring;                           \
    };                                                        \
    struct name##_back_ring {                                 \
        RING_IDX rsp_prod_pvt;                                \
        RING_IDX req_cons;                                    \
        unsigned int nr_ents;                                 \
        struct name##_sring *sring;                           \
    };                                                        \
    typedef struct name##_sring name##_sring_t;               \
    typedef struct name##_front_ring name##_front_ring_t;     \
    typedef struct name##_back_ring name##_back_ring_t
/* clang-format on */

/* The front end prepares the shared part once, before it tells anybody. */
#define SHARED_RING_INIT(shared)                                                                                       \
    do {                                                                                                               \
        __builtin_memset((shared), 0, offsetof(__typeof__(*(shared)), ring));                                          \
        (shared)->req_event = 1;                                                                                       \
        (shared)->rsp_event = 1;                                                                                       \
    } while (0)

/* Takes up a ring at index idx, e.g. after the other side came back. */
#define FRONT_RING_ATTACH(front, shared, idx, bytes)                                                                   \
    do {                                                                                                               \
        (front)->sring = (shared);                                                                                     \
        (front)->nr_ents = __RING_SIZE(shared, bytes);                                                                 \
        (front)->req_prod_pvt = (front)->rsp_cons = (idx);                                                             \
    } while (0)
#define BACK_RING_ATTACH(back, shared, idx, bytes)                                                                     \
    do {                                                                                                               \
        (back)->sring = (shared);                                                                                      \
        (back)->nr_ents = __RING_SIZE(shared, bytes);                                                                  \
        (back)->rsp_prod_pvt = (back)->req_cons = (idx);                                                               \
    } while (0)
#define FRONT_RING_INIT(front, shared, bytes) FRONT_RING_ATTACH(front, shared, 0, bytes)
#define BACK_RING_INIT(back, shared, bytes)   BACK_RING_ATTACH(back, shared, 0, bytes)
#define XEN_FRONT_RING_INIT(front, shared, bytes)                                                                      \
    do {                                                                                                               \
        SHARED_RING_INIT(shared);                                                                                      \
        FRONT_RING_INIT(front, shared, bytes);                                                                         \
    } while (0)

#define RING_SIZE(r)                        ((r)->nr_ents)
#define RING_FREE_REQUESTS(r)               (RING_SIZE(r) - ((r)->req_prod_pvt - (r)->rsp_cons))
#define RING_FULL(r)                        (RING_FREE_REQUESTS(r) == 0)

#define XEN_RING_NR_UNCONSUMED_RESPONSES(r) ((r)->sring->rsp_prod - (r)->rsp_cons)
/* Never more than the slots whose responses are not outstanding, whatever the front end's index claims. */
#define XEN_RING_NR_UNCONSUMED_REQUESTS(r)                                                                             \
    (__extension__({                                                                                                   \
        RING_IDX ring_new_ = (r)->sring->req_prod - (r)->req_cons;                                                     \
        RING_IDX ring_room_ = RING_SIZE(r) - ((r)->req_cons - (r)->rsp_prod_pvt);                                      \
        ring_new_ < ring_room_ ? ring_new_ : ring_room_;                                                               \
    }))
#define RING_HAS_UNCONSUMED_RESPONSES(r) (!!XEN_RING_NR_UNCONSUMED_RESPONSES(r))
#define RING_HAS_UNCONSUMED_REQUESTS(r)  (!!XEN_RING_NR_UNCONSUMED_REQUESTS(r))

#define RING_GET_REQUEST(r, idx)         (&(r)->sring->ring[(idx) & (RING_SIZE(r) - 1)].req)
#define RING_GET_RESPONSE(r, idx)        (&(r)->sring->ring[(idx) & (RING_SIZE(r) - 1)].rsp)

/* Reads each byte of an entry once into private memory. */
#define RING_COPY_REQUEST(r, idx, dest)  ((void)(*(dest) = *(volatile __typeof__(dest))RING_GET_REQUEST(r, idx)))
#define RING_COPY_RESPONSE(r, idx, dest) ((void)(*(dest) = *(volatile __typeof__(dest))RING_GET_RESPONSE(r, idx)))

/* True for an index that only a broken or hostile peer can have produced. */
#define RING_REQUEST_CONS_OVERFLOW(r, cons)  (((cons) - (r)->rsp_prod_pvt) >= RING_SIZE(r))
#define RING_REQUEST_PROD_OVERFLOW(r, prod)  (((prod) - (r)->rsp_prod_pvt) > RING_SIZE(r))
#define RING_RESPONSE_PROD_OVERFLOW(r, prod) (((prod) - (r)->rsp_cons) > RING_SIZE(r))

/* Entries first, index after. */
#define RING_PUSH_REQUESTS(r)                                                                                          \
    do {                                                                                                               \
        xen_wmb();                                                                                                     \
        (r)->sring->req_prod = (r)->req_prod_pvt;                                                                      \
    } while (0)
#define RING_PUSH_RESPONSES(r)                                                                                         \
    do {                                                                                                               \
        xen_wmb();                                                                                                     \
        (r)->sring->rsp_prod = (r)->rsp_prod_pvt;                                                                      \
    } while (0)

/* The peer wants an event if its event index lies in (old, new]. */
#define XEN_RING_PUSH_CHECK_(r, prod, event, notify)                                                                   \
    do {                                                                                                               \
        RING_IDX ring_old_ = (r)->sring->prod;                                                                         \
        RING_IDX ring_next_ = (r)->prod##_pvt;                                                                         \
        xen_wmb();                                                                                                     \
        (r)->sring->prod = ring_next_;                                                                                 \
        xen_mb();                                                                                                      \
        (notify) = (RING_IDX)(ring_next_ - (r)->sring->event) < (RING_IDX)(ring_next_ - ring_old_);                    \
    } while (0)
#define RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(r, notify)  XEN_RING_PUSH_CHECK_(r, req_prod, req_event, notify)
#define RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(r, notify) XEN_RING_PUSH_CHECK_(r, rsp_prod, rsp_event, notify)

/* Before sleeping: ask for an event at the next entry, then look once more for one that came meanwhile. */
#define XEN_RING_FINAL_CHECK_(r, unconsumed, event, cons, work)                                                        \
    do {                                                                                                               \
        (work) = unconsumed(r);                                                                                        \
        if (!(work)) {                                                                                                 \
            (r)->sring->event = (r)->cons + 1;                                                                         \
            xen_mb();                                                                                                  \
            (work) = unconsumed(r);                                                                                    \
        }                                                                                                              \
    } while (0)
#define RING_FINAL_CHECK_FOR_REQUESTS(r, work)                                                                         \
    XEN_RING_FINAL_CHECK_(r, RING_HAS_UNCONSUMED_REQUESTS, req_event, req_cons, work)
#define RING_FINAL_CHECK_FOR_RESPONSES(r, work)                                                                        \
    XEN_RING_FINAL_CHECK_(r, RING_HAS_UNCONSUMED_RESPONSES, rsp_event, rsp_cons, work)

#define XEN_PAGE_SHIFT 12

#endif
