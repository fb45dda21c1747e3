/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The grant table, version 1. Free references are chained through `next_free`; an entry's frame and domain are written
 * before its flags make it valid.
 */
#include <errno.h>
#include <stdlib.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "internal.h"

#define TABLE_FRAMES     32U
#define ENTRIES_PER_PAGE (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define NO_GREF          0xffffU

static struct grant_entry_v1 *table;
static unsigned int entries;
static unsigned int used_limit; /* no reference from here on was ever in use */
static unsigned int mapped;     /* pages of others */
static uint16_t next_free[TABLE_FRAMES * 512];
static uint16_t first_free = NO_GREF;

static unsigned int frames_allowed(void)
{
    struct gnttab_query_size query = {.dom = DOMID_SELF};

    if (HYPERVISOR_grant_table_op(GNTTABOP_query_size, &query, 1) != 0 || query.status != GNTST_okay)
        return 4;
    return query.max_nr_frames < TABLE_FRAMES ? query.max_nr_frames : TABLE_FRAMES;
}

/* All frames at once: the hypervisor allocates them and names them. */
static bool table_frames(xen_pfn_t *frames, unsigned int count)
{
    struct gnttab_set_version version = {.version = 1};
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = count};

    /* A refusal is fine: version 1 is what a domain starts with. */
    (void)HYPERVISOR_grant_table_op(GNTTABOP_set_version, &version, 1);
    set_xen_guest_handle(setup.frame_list, frames);
    return HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1) == 0 && setup.status == GNTST_okay;
}

static bool table_setup(void)
{
    xen_pfn_t frames[TABLE_FRAMES];
    unsigned int count = frames_allowed();

    if (!table_frames(frames, count))
        return false;
    table = map_frames(frames, count, DOMID_SELF, PTE_KERNEL_RW, NULL);
    if (table == NULL)
        return false;
    entries = count * (unsigned int)ENTRIES_PER_PAGE;
    for (unsigned int gref = entries - 1; gref >= GNTTAB_NR_RESERVED_ENTRIES; gref--) {
        next_free[gref] = first_free;
        first_free = (uint16_t)gref;
    }
    return true;
}

struct grant_entry_v1 *grant_table(unsigned int *count)
{
    if (table == NULL && !table_setup())
        return NULL;
    if (count != NULL)
        *count = entries;
    return table;
}

int grant_set(grant_ref_t gref, domid_t domid, unsigned long mfn, bool readonly)
{
    struct grant_entry_v1 *entry;

    if (grant_table(NULL) == NULL)
        return -ENODEV;
    if (gref >= entries)
        return -ERANGE;
    if (mfn > UINT32_MAX)
        return -EINVAL;
    entry = &table[gref];
    entry->frame = (uint32_t)mfn;
    entry->domid = domid;
    if (gref >= used_limit)
        used_limit = gref + 1;
    __atomic_store_n(&entry->flags, (uint16_t)(GTF_permit_access | (readonly ? GTF_readonly : 0)), __ATOMIC_SEQ_CST);
    return 0;
}

int grant_access(domid_t domid, unsigned long mfn, bool readonly)
{
    uint16_t gref;
    int rc;

    if (grant_table(NULL) == NULL)
        return -ENODEV;
    gref = first_free;
    if (gref == NO_GREF)
        return -ENOSPC;
    rc = grant_set(gref, domid, mfn, readonly);
    if (rc != 0)
        return rc;
    first_free = next_free[gref];
    return gref;
}

/* The entry is invalidated only if nobody has it mapped at that moment. */
int grant_end_access(grant_ref_t gref)
{
    uint16_t flags;

    if (table == NULL || gref >= entries)
        return -EINVAL;
    flags = __atomic_load_n(&table[gref].flags, __ATOMIC_SEQ_CST);
    do {
        if (flags & (GTF_reading | GTF_writing))
            return -EBUSY;
    } while (!__atomic_compare_exchange_n(&table[gref].flags, &flags, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    if (gref >= GNTTAB_NR_RESERVED_ENTRIES) {
        next_free[gref] = first_free;
        first_free = (uint16_t)gref;
    }
    return 0;
}

int grant_error(int16_t status)
{
    switch (status) {
    case GNTST_okay:
        return 0;
    case GNTST_bad_domain:
        return -ESRCH;
    case GNTST_no_device_space:
        return -ENOSPC;
    case GNTST_permission_denied:
        return -EPERM;
    case GNTST_eagain:
        return -EAGAIN;
    case GNTST_general_error:
        return -EIO;
    default:
        return -EINVAL;
    }
}

int grant_unmap(void *addr, const grant_handle_t *handles, unsigned int count)
{
    int rc = 0;

    for (unsigned int i = 0; i < count; i++) {
        struct gnttab_unmap_grant_ref unmap = {
            .host_addr = (unsigned long)addr + i * PAGE_SIZE,
            .handle = handles[i],
        };

        if (HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1) != 0)
            rc = -EIO;
        else if (unmap.status != GNTST_okay)
            rc = grant_error(unmap.status);
        else
            mapped--;
    }
    if (rc == 0)
        vspace_free(addr, count);
    return rc;
}

void *grant_map(const domid_t *domids, const grant_ref_t *grefs, unsigned int count, bool readonly,
                grant_handle_t *handles)
{
    char *addr = vspace_alloc(count);
    unsigned int done = 0;
    int rc = addr != NULL ? 0 : -ENOMEM;

    for (; rc == 0 && done < count; done++) {
        struct gnttab_map_grant_ref map = {
            .host_addr = (unsigned long)addr + done * PAGE_SIZE,
            .flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0),
            .ref = grefs[done],
            .dom = domids[done],
        };

        rc = tables_build((unsigned long)map.host_addr, 1);
        if (rc == 0 && HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &map, 1) != 0)
            rc = -EIO;
        if (rc == 0)
            rc = grant_error(map.status);
        if (rc != 0)
            break;
        handles[done] = map.handle;
        mapped++;
    }
    if (rc == 0)
        return addr;
    if (addr != NULL) {
        /* The unmapping frees the addresses it covers; put the whole range in order afterwards. */
        if (done == 0 || grant_unmap(addr, handles, done) == 0)
            vspace_free(addr, count);
    }
    errno = -rc;
    return NULL;
}

#define MANY 64u

static void map_some(struct grant_mapping *const *mappings, unsigned int count)
{
    struct gnttab_map_grant_ref ops[MANY];
    unsigned int used = 0;
    bool failed;

    for (unsigned int i = 0; i < count; i++) {
        mappings[i]->error = tables_build((unsigned long)mappings[i]->addr, 1);
        if (mappings[i]->error != 0)
            continue;
        ops[used++] = (struct gnttab_map_grant_ref){
            .host_addr = (unsigned long)mappings[i]->addr,
            .flags = GNTMAP_host_map | (mappings[i]->readonly ? GNTMAP_readonly : 0),
            .ref = mappings[i]->gref,
            .dom = mappings[i]->domid,
            .status = GNTST_general_error,
        };
    }
    failed = used > 0 && HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ops, used) != 0;
    used = 0;
    for (unsigned int i = 0; i < count; i++) {
        if (mappings[i]->error != 0)
            continue;
        mappings[i]->error = failed ? -EIO : grant_error(ops[used].status);
        mappings[i]->handle = ops[used++].handle;
        mapped += mappings[i]->error == 0;
    }
}

void grant_map_many(struct grant_mapping *const *mappings, unsigned int count)
{
    for (unsigned int done = 0; done < count; done += MANY)
        map_some(mappings + done, count - done < MANY ? count - done : MANY);
}

static void unmap_some(struct grant_mapping *const *mappings, unsigned int count)
{
    struct gnttab_unmap_grant_ref ops[MANY];
    bool failed;

    for (unsigned int i = 0; i < count; i++)
        ops[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = (unsigned long)mappings[i]->addr,
            .handle = mappings[i]->handle,
            .status = GNTST_general_error,
        };
    failed = HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, ops, count) != 0;
    for (unsigned int i = 0; i < count; i++) {
        mappings[i]->error = failed ? -EIO : grant_error(ops[i].status);
        mapped -= mappings[i]->error == 0;
    }
}

void grant_unmap_many(struct grant_mapping *const *mappings, unsigned int count)
{
    for (unsigned int done = 0; done < count; done += MANY)
        unmap_some(mappings + done, count - done < MANY ? count - done : MANY);
}

/* What is lent, while the domain is suspended: the entries with guest frames in place of machine frames. */
static struct grant_entry_v1 *kept;
static unsigned long kept_pages;

unsigned int grants_mapped(void)
{
    return mapped;
}

/* The pages for it, as unmapping must not fail; no thread may lend anything from here to grants_unmap. Few pages: they
 * are sent while the domain stands still. */
int grants_prepare(void)
{
    if (used_limit == 0)
        return 0;
    kept_pages = (used_limit + ENTRIES_PER_PAGE - 1) / ENTRIES_PER_PAGE;
    kept = pages_alloc(kept_pages);
    return kept != NULL ? 0 : -ENOMEM;
}

void grants_settle(void)
{
    pages_free(kept, kept_pages);
    kept = NULL;
}

/* The two first references are of the toolstack's making, in the next domain too. */
void grants_unmap(void)
{
    if (table == NULL)
        return;
    for (unsigned int gref = GNTTAB_RESERVED_XENSTORE + 1; gref < used_limit; gref++) {
        unsigned long pfn = mfn_to_pfn(table[gref].frame);

        kept[gref].flags = table[gref].flags & (GTF_type_mask | GTF_readonly);
        kept[gref].domid = table[gref].domid;
        kept[gref].frame = (uint32_t)pfn;
        if (pfn == INVALID_P2M)
            kept[gref].flags = 0;
    }
    unmap_frames_keep(table, entries / ENTRIES_PER_PAGE);
}

/* A table of the same size at the same place. After a restore it is empty, and what was lent is lent again. */
void grants_map(bool restored)
{
    xen_pfn_t frames[TABLE_FRAMES];
    unsigned int count = entries / (unsigned int)ENTRIES_PER_PAGE;

    if (table == NULL)
        return;
    if (!table_frames(frames, count) || map_frames_at(table, frames, count, DOMID_SELF, PTE_KERNEL_RW, NULL) != 0)
        pv_panic("this host gives no grant table of %u pages\n", count);
    if (!restored)
        return;
    for (unsigned int gref = GNTTAB_RESERVED_XENSTORE + 1; gref < used_limit; gref++) {
        if (kept[gref].flags == 0)
            continue;
        table[gref].frame = (uint32_t)pfn_to_mfn(kept[gref].frame);
        table[gref].domid = kept[gref].domid;
        __atomic_store_n(&table[gref].flags, kept[gref].flags, __ATOMIC_SEQ_CST);
    }
}
