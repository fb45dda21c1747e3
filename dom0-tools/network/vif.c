/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An interface at work; see vif.h. A turn takes a batch of packets off the transmit ring: one hypercall copies the first
 * bytes of all, so that the switch can decide, one more copies the rest from page to page to wherever it goes, and then
 * the guest has its answers.
 */
#include "vif.h"

#include <stdio.h>
#include <string.h>

#include "copy.h"
#include "platform.h"

#define BATCH 32u
#define BATCH_BYTES                                                                                                    \
    (256u * 1024) /* and no more packets than that, so that a turn is short even when all ports get all */
#define SEGMENT_WORTH 1024u

struct outgoing {
    struct tx_packet packet;
    enum tx_outcome outcome;
    struct frame frame;
    bool unreadable;
};

static struct outgoing batch[BATCH];
static struct gnttab_copy header_copies[BATCH * TX_SLOTS_MAX * 2];
static uint8_t header_of[BATCH * TX_SLOTS_MAX * 2]; /* whose copy it is */
static unsigned int header_copy_count;

/* A guest that filters hears only the groups it named, and what is for everybody. */
static bool wants(const struct vif *vif, const uint8_t address[6])
{
    static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};

    if (!vif->filters || (address[0] & 1) == 0 || memcmp(address, everybody, 6) == 0)
        return true;
    for (unsigned int i = 0; i < vif->group_count; i++)
        if (memcmp(vif->groups[i], address, 6) == 0)
            return true;
    return false;
}

/* What was delivered may come from a card's thread, while the network thread sleeps. */
static void want_turn(struct vif *vif)
{
    if (!vif->kicked && vif->wake != NULL)
        vif->wake();
    vif->kicked = true;
}

static void deliver(struct switch_port *port, const struct frame *frame)
{
    struct vif *vif = (struct vif *)port;

    if (!vif->connected || vif->broken[0] != '\0' || !wants(vif, frame->header) || !rx_frame(&vif->rx, frame)) {
        if (vif->connected && vif->rx.lied) /* its next turn ends it */
            want_turn(vif);
        port->dropped++;
        return;
    }
    if (vif->rx.first != NULL) /* its next turn sees to it that nothing waits for ever */
        want_turn(vif);
    port->delivered++;
    port->delivered_bytes += frame->bytes;
}

static void flush(struct switch_port *port)
{
    struct vif *vif = (struct vif *)port;

    copy_flush();
    if (vif->connected && rx_push(&vif->rx))
        network_notify((unsigned int)vif->rx_port);
}

void vif_init(struct vif *vif)
{
    vif->port.deliver = deliver;
    vif->port.flush = flush;
    vif->credit = (int64_t)vif->rate_bytes;
}

void vif_start(struct vif *vif)
{
    vif->broken[0] = '\0';
    vif->group_count = 0;
    vif->credit_until_ns = network_now_ns() + vif->rate_ns;
    vif->kicked = true; /* what is in the rings already */
    vif->connected = true;
}

void vif_stop(struct vif *vif)
{
    if (!vif->connected)
        return;
    vif->connected = false;
    rx_clear(&vif->rx);
}

/* True: it may send. Otherwise the moment when it may again. A packet may exceed what is left; the debt is kept. */
static bool has_credit(struct vif *vif, uint64_t *deadline_ns)
{
    uint64_t now, periods;

    if (vif->rate_bytes == 0)
        return true;
    now = network_now_ns();
    if (now >= vif->credit_until_ns) {
        periods = (now - vif->credit_until_ns) / vif->rate_ns + 1;
        vif->credit_until_ns += periods * vif->rate_ns;
        vif->credit += (int64_t)(periods < 1000 ? periods * vif->rate_bytes : vif->rate_bytes * 1000);
        if (vif->credit > (int64_t)vif->rate_bytes)
            vif->credit = (int64_t)vif->rate_bytes;
    }
    if (vif->credit > 0)
        return true;
    if (*deadline_ns > vif->credit_until_ns)
        *deadline_ns = vif->credit_until_ns;
    return false;
}

static void change_groups(struct vif *vif, struct tx_packet *packet)
{
    const struct netif_extra_info *add = &packet->extras[XEN_NETIF_EXTRA_TYPE_MCAST_ADD];
    const struct netif_extra_info *drop = &packet->extras[XEN_NETIF_EXTRA_TYPE_MCAST_DEL];

    for (unsigned int i = 0; drop->type != 0 && i < vif->group_count; i++)
        if (memcmp(vif->groups[i], drop->u.mcast.addr, 6) == 0)
            memcpy(vif->groups[i--], vif->groups[--vif->group_count], 6);
    if (add->type == 0)
        return;
    packet->failed = vif->group_count == VIF_GROUPS_MAX;
    if (!packet->failed)
        memcpy(vif->groups[vif->group_count++], add->u.mcast.addr, 6);
}

static void refuse(struct vif *vif, struct tx_packet *packet, const char *why)
{
    packet->failed = true;
    vif->tx_errors++;
    if ((vif->tx_errors & (vif->tx_errors - 1)) == 0)
        snprintf(vif->notice, sizeof(vif->notice), "%s", why);
}

/* Copies into frame->header what the first slots hold of it. */
static void add_header_copies(struct vif *vif, unsigned int index)
{
    struct outgoing *out = &batch[index];
    uint32_t done = 0;

    for (unsigned int i = 0; i < out->packet.slot_count && done < sizeof(out->frame.header); i++) {
        const struct netif_tx_request *slot = &out->packet.slots[i];

        for (uint32_t from = 0; from < slot->size && done < sizeof(out->frame.header);) {
            uint8_t *to = out->frame.header + done;
            uint32_t offset = (uint32_t)((uintptr_t)to % COPY_PAGE_BYTES), part = slot->size - from;
            struct gnttab_copy *copy = &header_copies[header_copy_count];

            if (part > sizeof(out->frame.header) - done)
                part = sizeof(out->frame.header) - done;
            if (part > COPY_PAGE_BYTES - offset)
                part = COPY_PAGE_BYTES - offset;
            memset(copy, 0, sizeof(*copy));
            copy->source.u.ref = slot->gref;
            copy->source.domid = vif->domid;
            copy->source.offset = (uint16_t)(slot->offset + from);
            copy->dest.u.gmfn = network_frame(to);
            copy->dest.domid = DOMID_SELF;
            copy->dest.offset = (uint16_t)offset;
            copy->len = (uint16_t)part;
            copy->flags = GNTCOPY_source_gref;
            header_of[header_copy_count++] = (uint8_t)index;
            from += part;
            done += part;
        }
    }
    out->frame.header_bytes = done;
}

/* The header as we read it, and by reference what lies behind it in the guest's pages. */
static void make_frame(struct vif *vif, struct outgoing *out)
{
    const struct tx_packet *packet = &out->packet;
    const struct netif_extra_info *gso = &packet->extras[XEN_NETIF_EXTRA_TYPE_GSO];
    struct frame *frame = &out->frame;
    uint32_t skip = frame->header_bytes;

    frame->bytes = packet->bytes;
    frame->pieces[0] = (struct frame_piece){.data = frame->header, .bytes = frame->header_bytes};
    frame->piece_count = 1;
    for (unsigned int i = 0; i < packet->slot_count; i++) {
        const struct netif_tx_request *slot = &packet->slots[i];
        uint32_t gone = skip < slot->size ? skip : slot->size;

        skip -= gone;
        if (gone == slot->size)
            continue;
        frame->pieces[frame->piece_count++] = (struct frame_piece){.gref_domid = vif->domid,
                                                                   .gref = slot->gref,
                                                                   .by_grant = true,
                                                                   .offset = (uint16_t)(slot->offset + gone),
                                                                   .bytes = slot->size - gone};
    }
    frame->checksum_blank = (packet->slots[0].flags & NETTXF_csum_blank) != 0;
    frame->data_validated = (packet->slots[0].flags & (NETTXF_csum_blank | NETTXF_data_validated)) != 0;
    frame->gso_type = gso->type != 0 ? gso->u.gso.type : 0;
    frame->gso_size = gso->type != 0 ? gso->u.gso.size : 0;
    frame->unreadable = &out->unreadable;
}

/* What is to become of the packet that was just read. */
static void sort(struct vif *vif, unsigned int index, const char *why)
{
    struct outgoing *out = &batch[index];

    out->unreadable = false;
    if (out->outcome == TX_PACKET)
        add_header_copies(vif, index);
    else if (out->outcome == TX_NOTICE)
        change_groups(vif, &out->packet);
    else
        refuse(vif, &out->packet, why);
    if (vif->rate_bytes != 0)
        vif->credit -= out->packet.bytes;
}

/* What a packet may cost, in bytes: a port that takes no large packets gets one to segment in as many as its sender likes. */
static uint32_t worth(const struct tx_packet *packet)
{
    const struct netif_extra_info *gso = &packet->extras[XEN_NETIF_EXTRA_TYPE_GSO];
    uint32_t segments = gso->type != 0 ? packet->bytes / gso->u.gso.size + 1 : 0;

    return segments * SEGMENT_WORTH > packet->bytes ? segments * SEGMENT_WORTH : packet->bytes;
}

/* Takes packets off the ring until the batch is full, the ring empty or the credit spent; how many. */
static unsigned int gather(struct vif *vif, bool *empty, uint64_t *deadline_ns)
{
    unsigned int count = 0;
    uint32_t bytes = 0;
    char why[sizeof(vif->broken)];

    *empty = false;
    header_copy_count = 0;
    for (; count < BATCH && bytes < BATCH_BYTES; count++) {
        vif->spent = !has_credit(vif, deadline_ns);
        if (vif->spent)
            break;
        batch[count].outcome = tx_next(&vif->tx, &batch[count].packet, why);
        if (batch[count].outcome == TX_LIE)
            memcpy(vif->broken, why, sizeof(why));
        *empty = batch[count].outcome == TX_NONE;
        if (*empty || batch[count].outcome == TX_LIE)
            break;
        sort(vif, count, why);
        bytes += worth(&batch[count].packet);
    }
    return count;
}

static void send_all(struct vif *vif, unsigned int count)
{
    if (header_copy_count > 0)
        network_copy(header_copies, header_copy_count);
    for (unsigned int i = 0; i < header_copy_count; i++)
        if (header_copies[i].status != GNTST_okay)
            batch[header_of[i]].unreadable = true;
    switch_begin();
    for (unsigned int i = 0; i < count; i++) {
        if (batch[i].outcome != TX_PACKET || batch[i].unreadable)
            continue;
        make_frame(vif, &batch[i]);
        switch_frame(&vif->port, &batch[i].frame);
    }
    switch_end();
}

static void answer_all(struct vif *vif, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        struct tx_packet *packet = &batch[i].packet;

        if (batch[i].outcome == TX_PACKET && batch[i].unreadable)
            refuse(vif, packet, "a page of a packet is not granted");
        tx_answer(&vif->tx, packet, packet->failed ? NETIF_RSP_ERROR : NETIF_RSP_OKAY);
    }
    if (count > 0 && tx_push(&vif->tx))
        network_notify((unsigned int)vif->tx_port);
}

static void resume_reception(struct vif *vif, uint64_t *deadline_ns)
{
    unsigned int expired;

    if (vif->rx.first != NULL) {
        rx_resume(&vif->rx);
        if (rx_push(&vif->rx))
            network_notify((unsigned int)vif->rx_port);
    }
    expired = rx_expire(&vif->rx, network_now_ns());
    vif->port.dropped += expired;
    if (vif->rx.first != NULL && *deadline_ns > vif->rx.progress_ns + RX_STALL_NS)
        *deadline_ns = vif->rx.progress_ns + RX_STALL_NS;
    if (vif->rx.lied && vif->broken[0] == '\0')
        strcpy(vif->broken, "its receive ring claims more requests than it has slots");
}

bool vif_wants_turn(const struct vif *vif)
{
    return vif->connected && (vif->kicked || vif->spent || vif->rx.first != NULL);
}

bool vif_turn(struct vif *vif, uint64_t *deadline_ns)
{
    unsigned int count;
    bool empty;

    if (!vif->connected || vif->broken[0] != '\0')
        return false;
    vif->kicked = false;
    resume_reception(vif, deadline_ns);
    count = gather(vif, &empty, deadline_ns);
    send_all(vif, count);
    answer_all(vif, count);
    if (vif->broken[0] != '\0' || vif->spent)
        return false;
    return !empty || tx_rest(&vif->tx);
}
