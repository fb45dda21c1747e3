/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The receiver's side of a hand-over; see arriving.h. What was not activated leaves nothing behind.
 */
#include "arriving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arriving {
    struct vane vane;
    struct arrival arrival;
    char name[HANDOVER_NAME_SIZE + 1]; /* that was offered */
    bool paused;
    domid_t domid; /* once it runs */
    uint64_t running_ns;
};

static struct {
    uint8_t transaction[HANDOVER_ID_SIZE];
    domid_t source;
} expected = {.source = DOMID_INVALID};

void arriving_expect_local(const uint8_t transaction[HANDOVER_ID_SIZE], domid_t source)
{
    memcpy(expected.transaction, transaction, sizeof(expected.transaction));
    expected.source = source;
}

/* Before the source stops for anything: memory and name. The disks are looked at when the configuration has come. */
static int prepare(void *own, const struct handover_offer *offer, struct stream_error *error)
{
    struct arriving *arriving = own;
    struct domain_config config = {.memory_kib = offer->memory_kib, .max_vcpus = offer->vcpus};
    char name[HANDOVER_NAME_SIZE + 1];
    struct build_error why;
    int status;

    memcpy(name, offer->name, HANDOVER_NAME_SIZE);
    name[HANDOVER_NAME_SIZE] = '\0';
    config.name = name;
    memcpy(arriving->name, name, sizeof(arriving->name));
    arriving->arrival.offered = arriving->name;
    arriving->paused = offer->paused;
    if (expected.source != DOMID_INVALID &&
        memcmp(offer->transaction, expected.transaction, sizeof(expected.transaction)) == 0) {
        arriving->arrival.source = expected.source;
        expected.source = DOMID_INVALID;
    }
    status = incoming_check(&arriving->vane, &config, arriving->arrival.source, &why);
    if (status != 0)
        snprintf(error->text, sizeof(error->text), "%.*s", (int)sizeof(error->text) - 1, why.text);
    return status;
}

static int receive(void *own, const struct byte_source *source, struct stream_error *error)
{
    struct arriving *arriving = own;

    return arrival_receive(&arriving->arrival, source, error);
}

static int activate(void *own, struct stream_error *error)
{
    struct arriving *arriving = own;
    domid_t domid = arriving->arrival.incoming.built.domid;
    int status = arrival_run(&arriving->arrival, arriving->paused, error);
    struct domain_record *record;

    if (status == 0) {
        record = record_find(domid);
        arriving->domid = domid;
        arriving->running_ns = record != NULL ? record->started_ns : clock_ns(); /* that is when it was unpaused */
    }
    return status;
}

static void discard(void *own)
{
    struct arriving *arriving = own;

    incoming_discard(&arriving->vane, &arriving->arrival.incoming);
}

bool arriving_start(struct handover_receiver *receiver)
{
    struct arriving *arriving = calloc(1, sizeof(*arriving));

    if (arriving == NULL || !vane_open(&arriving->vane)) {
        free(arriving);
        return false;
    }
    arriving->arrival = (struct arrival){.vane = &arriving->vane, .source = DOMID_INVALID};
    *receiver = (struct handover_receiver){
        .own = arriving, .prepare = prepare, .receive = receive, .activate = activate, .discard = discard};
    return true;
}

void arriving_finish(struct handover_receiver *receiver)
{
    struct arriving *arriving = receiver->own;

    vane_close(&arriving->vane);
    free(arriving);
    receiver->own = NULL;
}

domid_t arriving_domid(const struct handover_receiver *receiver, uint64_t *running_ns)
{
    const struct arriving *arriving = receiver->own;

    *running_ns = arriving->running_ns;
    return arriving->domid;
}
