/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest's interface as dom0 holds it: a port of a switch whose other side is a pair of rings. netback.c follows the
 * store and connects it, vif.c moves frames. The network thread alone touches the rings.
 */
#ifndef NETWORK_VIF_H
#define NETWORK_VIF_H

#include "rx.h"
#include "tx.h"

#define VIF_GROUPS_MAX 64u

struct vif {
    struct switch_port port; /* first: deliver gets its address */
    struct vif *next;
    void *device; /* netback.c's */
    domid_t domid;
    uint16_t mtu;       /* netback.c's: the largest that the toolstack allows */
    void (*wake)(void); /* a turn is wanted that the guest gave no signal for; may be NULL */

    /* While connected. */
    bool connected;
    struct netif_tx_back_ring tx;
    struct rx rx;
    int tx_port, rx_port; /* event channels; the same one when the guest offers only one */
    void *pages[2];
    uint32_t handles[2];

    volatile bool kicked; /* by the guest, since its last turn */
    char broken[96];      /* the rule it broke; "": none */

    /* The limit on what the guest may send: `credit` bytes now, and so many more each interval. */
    uint64_t rate_bytes, rate_ns, credit_until_ns;
    int64_t credit;
    bool spent; /* waits for credit */

    /* Groups it wants to hear, when it filters. */
    bool filters, watched; /* watched: netback.c's */
    unsigned int group_count;
    uint8_t groups[VIF_GROUPS_MAX][6];

    uint64_t tx_errors; /* packets answered as errors */
    char notice[96];    /* of the last of them, for the log, each time their number has doubled; "": nothing new */
};

/* Called once, before the port is attached. */
void vif_init(struct vif *vif);

/* The rings are mapped, the ports bound: frames flow from now on. And no more. */
void vif_start(struct vif *vif);
void vif_stop(struct vif *vif);

/* The guest gave a signal, or time may have brought something to do. */
bool vif_wants_turn(const struct vif *vif);

/*
 * Serves the guest for a bounded time. True: there is more to do now. Otherwise *deadline_ns becomes less when something
 * is to be done then without a signal of the guest's.
 */
bool vif_turn(struct vif *vif, uint64_t *deadline_ns);

#endif
