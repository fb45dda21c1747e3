/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Two interfaces on a switch whose front ends write what they like into their rings and pages. Whatever they say, the
 * back end reads and writes granted pages within their bounds only, and goes on or calls the interface broken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/network/copy.h"
#include "dom0-tools/network/vif.h"
#include "tests/unit/network_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct guest {
    struct vif vif;
    _Alignas(4096) uint8_t tx_page[4096];
    _Alignas(4096) uint8_t rx_page[4096];
};

static struct guest *guests[2];

static struct guest *new_guest(unsigned int domid, uint8_t features)
{
    struct guest *guest = aligned_alloc(4096, (sizeof(*guest) + 4095) / 4096 * 4096);

    memset(guest, 0, sizeof(*guest));
    guest->vif.domid = (domid_t)domid;
    snprintf(guest->vif.port.name, sizeof(guest->vif.port.name), "vif%u.0", domid);
    guest->vif.port.address[0] = 2;
    guest->vif.port.address[5] = (uint8_t)domid;
    vif_init(&guest->vif);
    switch_attach(&guest->vif.port);
    guest->vif.port.takes_gso = features & 1;
    guest->vif.port.takes_gso6 = features & 2;
    guest->vif.port.takes_checksum_blank = features & 4;
    guest->vif.port.takes_checksum_blank6 = features & 8;
    BACK_RING_ATTACH(&guest->vif.tx, (struct netif_tx_sring *)guest->tx_page, 0, 4096);
    rx_init(&guest->vif.rx, (struct netif_rx_sring *)guest->rx_page, guest->vif.domid);
    guest->vif.tx_port = (int)domid;
    guest->vif.rx_port = (int)domid + 4;
    vif_start(&guest->vif);
    return guest;
}

struct step {
    uint8_t who, what, slot, length;
};

/* Requests of both kinds: fields as they come, but for grants that mostly exist. */
static void change(struct guest *guest, const struct step *step, const uint8_t *bytes, size_t size)
{
    struct netif_tx_sring *tx = (struct netif_tx_sring *)guest->tx_page;
    struct netif_rx_sring *rx = (struct netif_rx_sring *)guest->rx_page;
    struct fake_page *page = &fake_pages[guest->vif.domid - 1][step->slot % 64];
    uint64_t deadline = UINT64_MAX;

    switch (step->what % 8) {
    case 0:
    case 1:
        memcpy(&tx->ring[tx->req_prod++ % 256], bytes, size < 12 ? size : 12);
        break;
    case 2:
        for (unsigned int i = 0; i < 1u + step->length % 32; i++, rx->req_prod++)
            rx->ring[rx->req_prod % 256].req =
                (struct netif_rx_request){.id = (uint16_t)i, .gref = (step->slot + i) % 128};
        break;
    case 3:
        memcpy(page->bytes + step->slot * 7 % 3000, bytes, size);
        break;
    case 4:
        page->granted = step->length & 1;
        page->writable = step->length & 2;
        break;
    case 5:
        if (size >= 4)
            memcpy(step->slot & 1 ? &tx->req_prod : &rx->req_prod, bytes, 4);
        break;
    default:
        fake_now_ns += step->length * 1000000ull;
        for (unsigned int turns = 0; turns < 64 && vif_turn(&guest->vif, &deadline); turns++)
            ;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step step;

    if (size == 0)
        return 0;
    fake_reset();
    for (unsigned int domid = 1; domid <= 2; domid++) {
        guests[domid - 1] = new_guest(domid, data[0]);
        for (unsigned int i = 0; i < 128; i++)
            fake_pages[domid - 1][i].granted = fake_pages[domid - 1][i].writable = true;
    }
    data++, size--;
    while (size >= sizeof(step)) {
        size_t length;

        memcpy(&step, data, sizeof(step));
        data += sizeof(step), size -= sizeof(step);
        length = step.length < size ? step.length : size;
        change(guests[step.who & 1], &step, data, length);
        data += length, size -= length;
    }
    for (unsigned int i = 0; i < 2; i++)
        vif_stop(&guests[i]->vif);
    for (unsigned int i = 0; i < 2; i++) {
        switch_detach(&guests[i]->vif.port);
        free(guests[i]);
    }
    return 0;
}
