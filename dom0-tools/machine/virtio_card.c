/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A virtio network card as a port of the switch: how it is set up and followed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "interrupts.h"

#define CONFIG_ADDRESS 0
#define CONFIG_STATUS  6
#define LINK_UP        1
#define ADDRESS_BYTES  6u
#define ISR_CONFIG     2

static bool on_interrupt(void *data)
{
    struct card *card = data;
    uint8_t status = virtio_interrupt_status(&card->virtio);

    if (status == 0)
        return false;
    card->device.interrupts++;
    card->interrupted = true;
    if (status & ISR_CONFIG)
        card->changed = true;
    waitq_wake(&card->wake);
    return true;
}

void card_notify(struct card *card, enum card_queue which)
{
    if (virtqueue_must_notify(&card->queue[which]) && !card->queue[which].broken) {
        card->device.notifications++;
        virtio_notify(card->doorbell[which], (uint16_t)which);
    }
}

static void read_link(struct card *card)
{
    card->changed = false;
    card->device.link = !(card->virtio.features & CARD_FEATURE_STATUS) ||
                        (virtio_config(&card->virtio, CONFIG_STATUS, 2) & LINK_UP) != 0;
}

/* A card that broke the rules is silenced; its port stays and drops what comes. */
static bool is_sane(struct card *card)
{
    if (!card->queue[CARD_RECEIVE].broken && !card->queue[CARD_SEND].broken)
        return true;
    virtio_give_up(&card->virtio);
    card->device.link = false;
    snprintf(card->device.problem, sizeof(card->device.problem),
             "it broke the rules of its queues and was switched off");
    fprintf(stderr, "%s: %s\n", card->device.name, card->device.problem);
    return false;
}

static void serve(void *data)
{
    struct card *card = data;

    while (is_sane(card)) {
        virtqueue_quiet(&card->queue[CARD_RECEIVE]);
        do {
            card->interrupted = false;
            card_receive(card);
            if (card->changed)
                read_link(card);
            thread_yield(); /* a flood of frames is not to stop everybody else */
        } while (!virtqueue_arm(&card->queue[CARD_RECEIVE]));
        if (!card->queue[CARD_RECEIVE].broken)
            wait_event(&card->wake, card->interrupted);
    }
}

static bool trouble(struct card *card, const char *text)
{
    snprintf(card->virtio.problem, sizeof(card->virtio.problem), "%s", text);
    return false;
}

/* Large frames come only where they can be spread over our pages, and only when their checksum may be left open. */
static bool negotiate(struct card *card)
{
    struct virtio_device *virtio = &card->virtio;
    uint64_t offered = virtio_offered(virtio);
    uint64_t wanted = CARD_FEATURE_CHECKSUM | CARD_FEATURE_ADDRESS | CARD_FEATURE_STATUS | CARD_FEATURE_MERGEABLE |
                      VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;

    if ((offered & CARD_FEATURE_MERGEABLE) && (offered & CARD_FEATURE_GUEST_CHECKSUM))
        wanted |= CARD_FEATURE_GUEST_CHECKSUM | CARD_FEATURE_GUEST_TSO4 | CARD_FEATURE_GUEST_TSO6;
    if (offered & CARD_FEATURE_CHECKSUM)
        wanted |= CARD_FEATURE_HOST_TSO4 | CARD_FEATURE_HOST_TSO6;
    return virtio_negotiate(virtio, wanted);
}

static void read_properties(struct card *card)
{
    uint64_t features = card->virtio.features;

    for (unsigned int i = 0; i < ADDRESS_BYTES; i++)
        card->device.address[i] = (uint8_t)virtio_config(&card->virtio, CONFIG_ADDRESS + i, 1);
    card->port.takes_checksum_blank = card->port.takes_checksum_blank6 = (features & CARD_FEATURE_CHECKSUM) != 0;
    card->port.takes_gso = (features & CARD_FEATURE_HOST_TSO4) != 0;
    card->port.takes_gso6 = (features & CARD_FEATURE_HOST_TSO6) != 0;
    read_link(card);
}

static bool start_queues(struct card *card)
{
    for (uint16_t i = 0; i < CARD_QUEUES; i++)
        if (!virtio_queue_start(&card->virtio, i, &card->queue[i], &card->doorbell[i]))
            return false;
    if (virtqueue_buffers_max(&card->queue[CARD_SEND]) < CARD_FRAME_PAGES ||
        card->queue[CARD_RECEIVE].size < CARD_FRAME_PAGES)
        return trouble(card, "its queues are too short for a frame");
    card_send_start(card);
    return card_receive_start(card) || trouble(card, "there is no memory for its frames");
}

static bool set_up(struct card *card)
{
    const struct pci_function *pci = &card->device.pci;

    if (!virtio_open(&card->virtio, pci) || !negotiate(card) || !start_queues(card))
        return false;
    if (!pci_has_interrupt(pci) || interrupt_attach(pci->interrupt_line, on_interrupt, card) != 0)
        return trouble(card, "it has no interrupt that reaches us");
    if (!virtio_start(&card->virtio))
        return false;
    read_properties(card);
    return thread_create(card->device.name, serve, card) != NULL || trouble(card, "there is no memory for its thread");
}

struct machine_device *virtio_card_start(const struct pci_function *pci, unsigned int number)
{
    struct card *card = calloc(1, sizeof(*card));

    if (card == NULL)
        return NULL;
    card->device.kind = "network card";
    card->device.pci = *pci;
    card->port.deliver = card_deliver;
    card->port.flush = card_flush;
    snprintf(card->device.name, sizeof(card->device.name), "eth%u", number);
    snprintf(card->port.name, sizeof(card->port.name), "%s", card->device.name);
    if (set_up(card)) {
        switch_attach(&card->port);
    } else {
        virtio_give_up(&card->virtio);
        memcpy(card->device.problem, card->virtio.problem, sizeof(card->device.problem));
    }
    return &card->device;
}
