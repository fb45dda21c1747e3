/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See network_fake.h. Memory of ours is named by its address, which the address sanitizer watches.
 */
#include "network_fake.h"

#include <string.h>

#include <abi/xen.h>

#include "../../dom0-tools/network/platform.h"

struct fake_page fake_pages[FAKE_GUESTS][FAKE_PAGES];
uint64_t fake_now_ns;
unsigned int fake_notified[16], fake_copy_calls, fake_copies;

void fake_reset(void)
{
    memset(fake_pages, 0, sizeof(fake_pages));
    memset(fake_notified, 0, sizeof(fake_notified));
    fake_now_ns = 1000000000;
    fake_copy_calls = fake_copies = 0;
}

uint64_t network_now_ns(void)
{
    return fake_now_ns;
}

unsigned long network_frame(const void *data)
{
    return (unsigned long)((uintptr_t)data >> 12);
}

void network_notify(unsigned int port)
{
    fake_notified[port]++;
}

static uint8_t *find(const struct gnttab_copy_ptr *at, bool by_gref, bool write)
{
    struct fake_page *page;

    if (!by_gref)
        return at->domid == DOMID_SELF ? (uint8_t *)(at->u.gmfn << 12) + at->offset : NULL;
    if (at->domid == 0 || at->domid > FAKE_GUESTS || at->u.ref >= FAKE_PAGES)
        return NULL;
    page = &fake_pages[at->domid - 1][at->u.ref];
    return page->granted && (page->writable || !write) ? page->bytes + at->offset : NULL;
}

void network_copy(struct gnttab_copy *copies, unsigned int count)
{
    fake_copy_calls++;
    fake_copies += count;
    for (unsigned int i = 0; i < count; i++) {
        struct gnttab_copy *copy = &copies[i];
        uint8_t *from = find(&copy->source, (copy->flags & GNTCOPY_source_gref) != 0, false);
        uint8_t *to = find(&copy->dest, (copy->flags & GNTCOPY_dest_gref) != 0, true);

        copy->status = GNTST_bad_copy_arg;
        if (copy->len == 0 || copy->source.offset + copy->len > 4096 || copy->dest.offset + copy->len > 4096)
            continue;
        copy->status = from == NULL || to == NULL ? GNTST_bad_gntref : GNTST_okay;
        if (copy->status == GNTST_okay)
            memcpy(to, from, copy->len);
    }
}
