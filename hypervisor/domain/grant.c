/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain's grant table: its pages, its growth, its version, its beginning and end.
 *
 * The table grows by frames that the guest may map, up to max_frames; the first one comes when somebody asks for the
 * table, since a domain under construction cannot own pages yet. Our record of entries in use is sized for version
 * 1, which has the smaller entries; its pages come with the first use of an entry on them. The pages shared with the guest go when it dies, the record stays until nobody
 * holds a reference to the domain, hence a mapping of it, any more.
 */
#include "grant_internal.h"
#include "guest_access.h"
#include "table.h"

#define ACTIVE_PAGES_PER_FRAME (GRANTS_PER_FRAME_V1 / GRANTS_PER_ACTIVE_PAGE)

static unsigned status_frames_for(unsigned frames)
{
    return (unsigned)ROUND_UP(frames * GRANTS_PER_FRAME_V2, GRANTS_PER_STATUS_FRAME) / GRANTS_PER_STATUS_FRAME;
}

static void *new_shared_page(struct domain *d, bool writable)
{
    void *page = hv_alloc_pages(0);

    if (page)
        share_page_with_guest(page, d, writable);
    return page;
}

static int grow_status(struct domain *d, unsigned wanted)
{
    struct domain_grant *g = &d->grant;

    while (g->status_frames < wanted) {
        g->status[g->status_frames] = new_shared_page(d, true);
        if (!g->status[g->status_frames])
            return -ENOMEM;
        g->status_frames++;
    }
    return 0;
}

/* The first page begins as what the short record of the tools' entries holds. That stays in its place: who maps an entry
 * may be about to read there which frame it is. */
static int grow_active(struct domain_grant *g, unsigned ref)
{
    while (g->active_entries <= ref) {
        unsigned page = g->active_entries / GRANTS_PER_ACTIVE_PAGE;
        void *record = hv_alloc_pages(0);

        if (!record)
            return -ENOMEM;
        if (page == 0)
            memcpy(record, g->tools, sizeof(g->tools));
        WRITE_ONCE(g->active[page], record);
        g->active_entries = (page + 1) * (u32)GRANTS_PER_ACTIVE_PAGE;
    }
    return 0;
}

static void count_entries(struct domain_grant *g)
{
    g->entries = g->frames * (u32)(g->version == 2 ? GRANTS_PER_FRAME_V2 : GRANTS_PER_FRAME_V1);
    g->recorded = MIN(g->entries, g->active_entries);
}

int grant_record(struct domain_grant *g, unsigned ref)
{
    int error = grow_active(g, ref);

    count_entries(g);
    return error;
}

/* Pages allocated before a failure stay for the next attempt; entries exist only once everything they need does. */
int grant_grow(struct domain *d, unsigned frames)
{
    struct domain_grant *g = &d->grant;

    if (frames > g->max_frames || d->dying)
        return -EINVAL;
    if (g->version == 2 && grow_status(d, status_frames_for(frames)))
        return -ENOMEM;
    while (g->frames < frames) {
        g->shared[g->frames] = new_shared_page(d, true);
        if (!g->shared[g->frames])
            return -ENOMEM;
        g->frames++;
        count_entries(g);
    }
    return 0;
}

static size_t shared_size(const struct domain_grant *g)
{
    return g->max_frames * sizeof(g->shared[0]);
}

static size_t status_size(const struct domain_grant *g)
{
    return status_frames_for(g->max_frames) * sizeof(g->status[0]);
}

static size_t active_size(const struct domain_grant *g)
{
    return g->max_frames * ACTIVE_PAGES_PER_FRAME * sizeof(g->active[0]);
}

static int set_up(struct domain_grant *g)
{
    g->shared = table_alloc(shared_size(g));
    g->status = table_alloc(status_size(g));
    g->active = table_alloc(active_size(g));
    if (!g->shared || !g->status || !g->active)
        return -ENOMEM;
    g->active[0] = g->tools;
    g->active_entries = ARRAY_SIZE(g->tools);
    return 0;
}

int grant_init(struct domain *d, unsigned max_frames, unsigned max_maptrack_frames)
{
    struct domain_grant *g = &d->grant;
    int error;

    g->version = 1;
    g->max_frames = max_frames == ~0U ? DEFAULT_GRANT_FRAMES : max_frames;
    g->max_maptrack_frames = max_maptrack_frames == ~0U ? MAX_MAPTRACK_FRAMES : max_maptrack_frames;
    if (g->max_frames == 0 || g->max_frames > MAX_GRANT_FRAMES || g->max_maptrack_frames > MAX_MAPTRACK_FRAMES)
        return -EINVAL;
    error = set_up(g);
    if (error)
        grant_free(d);
    return error;
}

void grant_unshare(struct domain *d)
{
    struct domain_grant *g = &d->grant;
    u32 frames;

    spin_lock(&g->lock);
    frames = g->frames;
    g->frames = g->entries = g->recorded = 0;
    while (frames)
        unshare_page(g->shared[--frames]);
    while (g->status_frames)
        unshare_page(g->status[--g->status_frames]);
    spin_unlock(&g->lock);
}

void grant_free(struct domain *d)
{
    struct domain_grant *g = &d->grant;

    for (unsigned i = 0; i < g->active_entries / GRANTS_PER_ACTIVE_PAGE; i++)
        hv_free_pages(g->active[i], 0);
    for (unsigned i = 0; i < g->maptrack_limit / HANDLES_PER_PAGE; i++)
        hv_free_pages(g->maptrack[i], 0);
    table_free(g->shared, shared_size(g));
    table_free(g->status, status_size(g));
    table_free(g->active, active_size(g));
    table_free(g->maptrack, grant_maptrack_size(g));
    memset(g, 0, sizeof(*g));
}

/* The tools' entries survive a change of version; they are whole-page offers, or nothing. */
struct reserved_entry {
    u16 flags;
    domid_t domid;
    u64 frame;
    u16 status;
};

static int save_reserved(const struct domain_grant *g, struct reserved_entry *saved)
{
    for (unsigned ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++) {
        struct reserved_entry *s = &saved[ref];
        unsigned odd = g->version == 2 ? GTF_sub_page : 0;

        if (g->version == 2) {
            const union grant_entry_v2 *e = entry_v2(g, ref);
            *s = (struct reserved_entry){READ_ONCE(e->hdr.flags), READ_ONCE(e->hdr.domid),
                                         READ_ONCE(e->full_page.frame), READ_ONCE(*entry_status(g, ref))};
        } else {
            const struct grant_entry_v1 *e = entry_v1(g, ref);
            *s = (struct reserved_entry){READ_ONCE(e->flags), READ_ONCE(e->domid), READ_ONCE(e->frame), 0};
            s->status = s->flags;
        }
        s->status &= GTF_reading | GTF_writing;
        s->flags &= (u16) ~(GTF_reading | GTF_writing);
        if ((s->flags & GTF_type_mask) != GTF_invalid &&
            ((s->flags & GTF_type_mask) != GTF_permit_access || (s->flags & odd)))
            return -EINVAL;
    }
    return 0;
}

static void restore_reserved(const struct domain_grant *g, const struct reserved_entry *saved)
{
    for (unsigned ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++) {
        const struct reserved_entry *s = &saved[ref];
        if (g->version == 2) {
            union grant_entry_v2 *e = entry_v2(g, ref);
            e->hdr.domid = s->domid;
            e->full_page.frame = s->frame;
            *entry_status(g, ref) = s->status;
            __atomic_store_n(&e->hdr.flags, s->flags, __ATOMIC_RELEASE);
        } else {
            struct grant_entry_v1 *e = entry_v1(g, ref);
            e->domid = s->domid;
            e->frame = (u32)s->frame;
            __atomic_store_n(&e->flags, (u16)(s->flags | s->status), __ATOMIC_RELEASE);
        }
    }
}

static bool in_use_past_reserved(const struct domain_grant *g)
{
    for (unsigned ref = GNTTAB_NR_RESERVED_ENTRIES, end; ref < g->recorded; ref = end) {
        const struct grant_active *act = grant_active_of(g, ref);

        for (end = (unsigned)ROUND_UP(ref + 1, GRANTS_PER_ACTIVE_PAGE); ref < end; ref++, act++)
            if (act->uses)
                return true;
    }
    return false;
}

/* All or none. A page that somebody maps stays the table's: without it a guest could let go of one after the other and
 * keep them all. */
static int drop_status(struct domain *d)
{
    struct domain_grant *g = &d->grant;
    u32 kept = g->status_frames;

    while (kept && reclaim_page(g->status[kept - 1]))
        kept--;
    for (u32 i = kept; i < g->status_frames; i++)
        if (kept)
            share_page_with_guest(g->status[i], d, true);
        else
            hv_free_pages(g->status[i], 0);
    g->status_frames = kept ? g->status_frames : 0;
    return kept ? -EBUSY : 0;
}

/* All entries but the reserved ones become invalid. */
int grant_set_version(struct domain *d, unsigned version)
{
    struct domain_grant *g = &d->grant;
    struct reserved_entry saved[GNTTAB_NR_RESERVED_ENTRIES];
    int error;

    if (g->version == version)
        return 0;
    error = grant_grow(d, 1);
    if (error)
        return error;
    if (in_use_past_reserved(g))
        return -EBUSY;
    error = save_reserved(g, saved);
    if (!error)
        error = version == 2 ? grow_status(d, status_frames_for(g->frames)) : drop_status(d);
    if (error)
        return error;
    for (unsigned i = 0; i < g->frames; i++) {
        memset(g->shared[i], 0, PAGE_SIZE);
        (void)hypercall_preempt_check(); /* other CPUs wait for their flushes */
    }
    g->version = version;
    count_entries(g);
    restore_reserved(g, saved);
    return 0;
}

static int frame_locked(struct domain *d, unsigned index, bool status, unsigned long *mfn)
{
    struct domain_grant *g = &d->grant;
    int error = 0;

    if (status) {
        if (g->version != 2)
            return -EINVAL;
        if (index >= status_frames_for(g->max_frames))
            return -EINVAL;
        if (index >= g->status_frames)
            error = grant_grow(d, MIN(g->max_frames, (index + 1) * GRANTS_PER_STATUS_FRAME / GRANTS_PER_FRAME_V2));
        if (!error)
            *mfn = virt_to_mfn(g->status[index]).value;
        return error;
    }
    if (index >= g->max_frames)
        return -EINVAL;
    if (index >= g->frames)
        error = grant_grow(d, index + 1);
    if (!error)
        *mfn = virt_to_mfn(g->shared[index]).value;
    return error;
}

int grant_frame_mfn(struct domain *d, unsigned index, bool status, unsigned long *mfn)
{
    int error;

    spin_lock(&d->grant.lock);
    error = frame_locked(d, index, status, mfn);
    spin_unlock(&d->grant.lock);
    return error;
}

static const char *grant_counts(struct domain *d, char *out, size_t size)
{
    const struct domain_grant *g = &d->grant;
    unsigned used = 0;

    for (unsigned ref = 0; ref < g->active_entries; ref++)
        used += grant_active_of(g, ref)->uses != 0;
    snprintf(out, size, "version %u, %u of %u frames, %u entries in use, %u mappings of others", g->version, g->frames,
             g->max_frames, used, g->maps_of_others);
    return out;
}

void grant_warn_leaks(struct domain *d)
{
    char text[128];

    if (d->grant.maps_of_others)
        logf(LOG_WARNING, "d%u still holds grant mappings: %s\n", d->id, grant_counts(d, text, sizeof(text)));
}

#define DUMPED_ENTRIES 64

void grant_dump(struct domain *d)
{
    const struct domain_grant *g = &d->grant;
    unsigned shown = 0;
    char text[128];

    spin_lock(&d->grant.lock);
    logf(LOG_INFO, "d%u grant table: %s\n", d->id, grant_counts(d, text, sizeof(text)));
    for (unsigned ref = 0; ref < g->recorded && shown < DUMPED_ENTRIES; ref++) {
        const struct grant_active *act = grant_active_of(g, ref);
        if (!act->uses)
            continue;
        logf(LOG_INFO, "  grant %u: mfn %x used by d%u, %u reading, %u writing\n", ref, act->mfn, act->domid,
             act->reads, act->writes);
        shown++;
    }
    spin_unlock(&d->grant.lock);
}
