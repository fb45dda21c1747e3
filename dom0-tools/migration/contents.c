/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages of the stream into a domain. Machine memory comes as the stream names guest frames, those that only a page table
 * names included; the domain's maximum bounds it. A page table lies in the domain as plain data until all are pinned.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "canonical.h"
#include "restoring.h"

#define PRESENT    1u
#define FRAME_MASK 0x000FFFFFFFFFF000ull

static int populate_fail(struct restoring *restoring)
{
    struct xen_sysctl_physinfo machine = {0};
    int reason = errno;

    (void)ctl_physinfo(restoring->view.ctl, &machine);
    return stream_refuse(
        restoring->reader,
        "no memory for guest frame %#x: the domain may have %llu MiB, the machine has %llu MiB free (%s)",
        restoring->wanted[0], (unsigned long long)restoring->info.max_pages / 256,
        (unsigned long long)machine.free_pages / 256, strerror(reason));
}

static int populate_wanted(struct restoring *restoring)
{
    unsigned int count = restoring->wanted_count;
    xen_pfn_t frames[VIEW_BATCH];

    restoring->wanted_count = 0;
    if (count == 0)
        return 0;
    for (unsigned int i = 0; i < count; i++)
        frames[i] = restoring->wanted[i];
    errno = ENOMEM;
    if (ctl_populate(restoring->view.ctl, restoring->view.domid, count, 0, 0, frames) != (long)count)
        return populate_fail(restoring);
    for (unsigned int i = 0; i < count; i++)
        restoring->mfns[restoring->wanted[i]] = (uint32_t)frames[i];
    restoring->result->pages += count;
    return 0;
}

/* What is wanted twice is populated once: until it is, its place says so. */
#define FRAME_WANTED (VIEW_NO_FRAME - 1)

static int want(struct restoring *restoring, uint64_t pfn)
{
    if (restoring->mfns[pfn] != VIEW_NO_FRAME)
        return 0;
    restoring->mfns[pfn] = FRAME_WANTED;
    restoring->wanted[restoring->wanted_count++] = (uint32_t)pfn;
    return restoring->wanted_count == VIEW_BATCH ? populate_wanted(restoring) : 0;
}

/* The frames that a page table names; those out of bounds are refused when it is written. */
static int want_entries(struct restoring *restoring, const uint8_t *table)
{
    for (unsigned int i = 0; i < CANONICAL_ENTRIES; i++) {
        uint64_t entry = stream_le64(table + i * 8), pfn = (entry & FRAME_MASK) >> 12;

        if ((entry & PRESENT) != 0 && pfn < restoring->limits.pfns && want(restoring, pfn) != 0)
            return -1;
    }
    return 0;
}

static int want_all(struct restoring *restoring)
{
    const struct stream_pages *pages = &restoring->pages;
    const uint8_t *data = pages->data;

    for (unsigned int i = 0; i < pages->count; i++) {
        unsigned int type = pages->types[i];

        if ((stream_page_has_data(type) || type == STREAM_PAGE_ALLOCATE) && want(restoring, pages->pfns[i]) != 0)
            return -1;
        if (stream_page_level(type) > 0 && want_entries(restoring, data) != 0)
            return -1;
        if (stream_page_has_data(type))
            data += STREAM_PAGE_SIZE;
    }
    return populate_wanted(restoring);
}

static uint64_t mfn_of(void *own, uint64_t pfn)
{
    const struct restoring *restoring = own;

    return pfn < restoring->limits.pfns && restoring->mfns[pfn] < FRAME_WANTED ? restoring->mfns[pfn] : CANONICAL_NONE;
}

static int write_table(struct restoring *restoring, unsigned int index, const uint8_t *data, void *to)
{
    unsigned int level = stream_page_level(restoring->pages.types[index]);
    struct table_kind kind = {restoring->view.bits, level, CANONICAL_NONE};
    struct frame_map map = {mfn_of, restoring};
    struct table_fault fault;

    if (canonical_table(&kind, &map, (const uint64_t *)(const void *)data, to, &fault) == 0)
        return 0;
    return stream_refuse(restoring->reader, "page %u, pfn %#llx, a page table of level %u: entry %u is %#llx: %s",
                         index, (unsigned long long)restoring->pages.pfns[index], level, fault.index,
                         (unsigned long long)fault.entry,
                         fault.large ? "a large page" : "it names a frame the guest does not have");
}

static int compare_page(struct restoring *restoring, unsigned int index, const uint8_t *data, const uint8_t *have)
{
    uint64_t pfn = restoring->pages.pfns[index], table[CANONICAL_ENTRIES];
    unsigned int type = restoring->pages.types[index];

    if (stream_page_level(type) > 0 && write_table(restoring, index, data, table) != 0)
        return -1;
    if (type == restoring->types[pfn] &&
        memcmp(have, stream_page_level(type) > 0 ? (const uint8_t *)table : data, STREAM_PAGE_SIZE) == 0)
        return 0;
    return stream_refuse(restoring->reader, "verifying: page %u, pfn %#llx, of type %u is not what was sent before",
                         index, (unsigned long long)pfn, type);
}

static int write_mapped(struct restoring *restoring, uint8_t *to)
{
    const struct stream_pages *pages = &restoring->pages;
    const uint8_t *data = pages->data;
    int status = 0;

    for (unsigned int i = 0; i < pages->count && status == 0; i++) {
        if (!restoring->verifying)
            restoring->types[pages->pfns[i]] = pages->types[i];
        if (!stream_page_has_data(pages->types[i]))
            continue;
        if (restoring->verifying)
            status = compare_page(restoring, i, data, to);
        else if (stream_page_level(pages->types[i]) > 0)
            status = write_table(restoring, i, data, to);
        else
            memcpy(to, data, STREAM_PAGE_SIZE);
        data += STREAM_PAGE_SIZE;
        to += STREAM_PAGE_SIZE;
    }
    return status;
}

static int write_all(struct restoring *restoring)
{
    const struct stream_pages *pages = &restoring->pages;
    uint32_t mfns[VIEW_BATCH];
    unsigned int count = 0;
    uint8_t *to = NULL;
    int status;

    for (unsigned int i = 0; i < pages->count; i++)
        if (stream_page_has_data(pages->types[i]))
            mfns[count++] = restoring->mfns[pages->pfns[i]];
    if (count > 0) {
        to = view_map(&restoring->view, mfns, count, !restoring->verifying, NULL);
        if (to == NULL)
            return stream_refuse(restoring->reader, "mapping %u pages of the new domain failed: %s", count,
                                 strerror(errno));
    }
    status = write_mapped(restoring, to);
    if (to != NULL)
        view_unmap(&restoring->view, to, count);
    return status;
}

/* Pages that the guest gave away while it was sent: their memory goes back. */
static int drop_invalid(struct restoring *restoring)
{
    const struct stream_pages *pages = &restoring->pages;
    xen_pfn_t frames[VIEW_BATCH];
    unsigned int count = 0;

    for (unsigned int i = 0; i < pages->count; i++) {
        uint32_t *mfn = &restoring->mfns[pages->pfns[i]];

        if (pages->types[i] != STREAM_PAGE_INVALID || *mfn == VIEW_NO_FRAME)
            continue;
        frames[count++] = *mfn;
        *mfn = VIEW_NO_FRAME;
    }
    if (count > 0 && ctl_decrease(restoring->view.ctl, restoring->view.domid, count, 0, frames) != (long)count)
        return stream_refuse(restoring->reader, "giving back the memory of %u pages failed: %s", count,
                             strerror(errno));
    restoring->result->pages -= count;
    return 0;
}

int restoring_take_pages(struct restoring *restoring)
{
    if (want_all(restoring) != 0 || write_all(restoring) != 0)
        return -1;
    return drop_invalid(restoring);
}

int restoring_compare_pages(struct restoring *restoring)
{
    const struct stream_pages *pages = &restoring->pages;

    for (unsigned int i = 0; i < pages->count; i++)
        if (stream_page_has_data(pages->types[i]) != (restoring->mfns[pages->pfns[i]] != VIEW_NO_FRAME))
            return stream_refuse(restoring->reader, "verifying: page %u, pfn %#llx, %s", i,
                                 (unsigned long long)pages->pfns[i],
                                 stream_page_has_data(pages->types[i]) ? "was not sent before" : "was sent before");
    return write_all(restoring);
}
