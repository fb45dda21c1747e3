/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Saving a domain: rounds of dirty pages beside the running guest, if it is to be live; then the guest suspends, and the
 * rest follows. policy.h says when that moment is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "canonical.h"
#include "saving.h"

int saving_record(struct saving *saving, uint32_t type, const struct stream_part *parts, size_t count)
{
    int status = stream_write_record(saving->writer, type, parts, count);

    if (status == 0)
        return 0;
    if (saving->error->text[0] == '\0')
        migration_fail(saving->error, "writing the stream failed after %llu KiB: %s",
                       (unsigned long long)(saving->writer->offset >> 10), strerror(-status));
    return -1;
}

/* While a guest runs it may be changing its tables just now: a few more looks are taken before that counts. */
#define TRIES  8u
#define TRY_NS 1000000u

static int read_once(struct saving *saving, struct p2m *p2m)
{
    if (view_read(&saving->view, &saving->shared_info_mfn, 1, saving->shared_info) != 0)
        return migration_fail(saving->error, "reading the shared_info of domain %u failed: %s", saving->view.domid,
                              strerror(errno));
    return p2m_read(&saving->view, saving->shared_info, saving->limit, p2m, saving->error);
}

static bool same_table(const struct p2m *old, const struct p2m *new)
{
    return old->pages == new->pages &&memcmp(old->frames, new->frames, old->frame_count * sizeof(*old->frames)) == 0;
}

static void note_moved(struct saving *saving, const struct p2m *fresh)
{
    for (uint64_t pfn = 0; pfn < fresh->pages; pfn++)
        if (saving->p2m.mfns[pfn] != fresh->mfns[pfn])
            bit_set(saving->later, pfn);
}

int saving_read_p2m(struct saving *saving)
{
    unsigned int tries = saving->suspended ? 1 : TRIES;
    struct p2m fresh;
    int status;

    while ((status = read_once(saving, &fresh)) != 0 && --tries > 0)
        view_pause_ns(TRY_NS);
    if (status != 0)
        return -1;
    if (saving->p2m.pages != 0 && !same_table(&saving->p2m, &fresh)) {
        p2m_free(&fresh);
        return migration_fail(saving->error, "domain %u moved its P2M while it was saved; try again",
                              saving->view.domid);
    }
    saving->error->text[0] = '\0';
    if (saving->p2m.pages != 0 && memcmp(saving->p2m.mfns, fresh.mfns, (size_t)fresh.pages * sizeof(*fresh.mfns)) != 0)
        note_moved(saving, &fresh);
    p2m_free(&saving->p2m);
    saving->p2m = fresh;
    return 0;
}

static int look_at_domain(struct saving *saving)
{
    struct xen_domctl_getdomaininfo info;
    xen_pfn_t mark;

    if (ctl_domain_info(saving->view.ctl, saving->view.domid, &info) != 0 ||
        ctl_domain_get_address_size(saving->view.ctl, saving->view.domid, &saving->view.bits) != 0)
        return migration_fail(saving->error, "asking for domain %u failed: %s", saving->view.domid, strerror(errno));
    saving->vcpus = info.max_vcpu_id + 1;
    saving->limit = p2m_limit(info.max_pages < info.tot_pages ? info.tot_pages : info.max_pages);
    saving->shared_info_mfn = (uint32_t)info.shared_info_frame;
    saving->compat_mark = CANONICAL_NONE;
    if (saving->view.bits == 32 && ctl_compat_m2p_frame(saving->view.ctl, &mark) == 0)
        saving->compat_mark = mark;
    return saving_read_p2m(saving);
}

static int allocate(struct saving *saving)
{
    size_t bytes = bits_bytes(saving->p2m.pages);

    saving->todo = calloc(1, bytes);
    saving->later = calloc(1, bytes);
    saving->dirty = calloc(1, bytes);
    saving->sent = calloc(1, bytes);
    saving->batch = page_batch_new();
    if (saving->todo == NULL || saving->later == NULL || saving->dirty == NULL || saving->sent == NULL ||
        saving->batch == NULL)
        return migration_fail(saving->error, "out of memory to save a domain of %llu frames",
                              (unsigned long long)saving->p2m.pages);
    for (uint64_t pfn = 0; pfn < saving->p2m.pages; pfn++)
        if (saving->p2m.mfns[pfn] != VIEW_NO_FRAME)
            bit_set(saving->todo, pfn);
    return 0;
}

static void release(struct saving *saving)
{
    p2m_free(&saving->p2m);
    free(saving->todo);
    free(saving->later);
    free(saving->dirty);
    free(saving->sent);
    page_batch_free(saving->batch);
}

static int shadow(struct saving *saving, unsigned int operation, uint8_t *bitmap)
{
    if (ctl_shadow_op(saving->view.ctl, saving->view.domid, operation, 0, bitmap, saving->p2m.pages, NULL) == 0)
        return 0;
    if (operation == XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY && (errno == EOPNOTSUPP || errno == ENOSYS))
        return migration_fail(saving->error,
                              "this hypervisor cannot log which pages a guest writes; save it without --live");
    return migration_fail(saving->error, "logging the pages domain %u writes failed: %s", saving->view.domid,
                          strerror(errno));
}

/* What is to be sent next: what the guest wrote since, and what could not be sent before. */
static int collect(struct saving *saving)
{
    size_t bytes = bits_bytes(saving->p2m.pages);

    memset(saving->dirty, 0, bytes);
    if (shadow(saving, XEN_DOMCTL_SHADOW_OP_CLEAN, saving->dirty) != 0)
        return -1;
    for (size_t i = 0; i < bytes; i++)
        saving->todo[i] = saving->dirty[i] | saving->later[i];
    memset(saving->later, 0, bytes);
    return 0;
}

/* A page that was written again already comes with a later round in any case. */
static int skip_busy(struct saving *saving)
{
    size_t bytes = bits_bytes(saving->p2m.pages);

    memset(saving->dirty, 0, bytes);
    if (shadow(saving, XEN_DOMCTL_SHADOW_OP_PEEK, saving->dirty) != 0)
        return -1;
    for (size_t i = 0; i < bytes; i++)
        saving->todo[i] &= (uint8_t)~saving->dirty[i];
    return 0;
}

static int send_round(struct saving *saving)
{
    uint64_t sent = saving->progress.pages_sent, bytes = saving->writer->offset;

    saving->progress.round = saving->totals->rounds++;
    saving->progress.pages_left = bits_count(saving->todo, saving->p2m.pages);
    saving->round_started_ns = saving->paced_from_ns = view_clock_ns();
    saving->paced_bytes = bytes;
    if (saving_send_pages(saving) != 0)
        return -1;
    saving->busy_ns = view_clock_ns() - saving->round_started_ns + 1;
    if (saving->progress.pages_sent - sent > POLICY_FEW_PAGES) /* of fewer the rate is chance */
        saving->progress.rate = (saving->writer->offset - bytes) * 1000000000ull / saving->busy_ns;
    return 0;
}

/* How fast the guest writes: dirty pages over the time since the log was emptied last. */
static void note_dirty(struct saving *saving, uint64_t dirty, uint64_t since_ns)
{
    saving->progress.dirty_rate = dirty * VIEW_PAGE * 1000000000ull / (view_clock_ns() - since_ns + 1);
    saving->progress.pages_left = dirty;
    saving->progress.expected_downtime_ms = policy_downtime_ms(dirty, saving->progress.rate);
}

/* Turns for a receiver in this program to catch up with what was sent before the guest stops for it. */
#define CATCH_UP 8u

static int copy_live(struct saving *saving)
{
    struct policy policy;
    const char *why = NULL;

    policy_start(&policy, &saving->source->limits, bits_count(saving->todo, saving->p2m.pages));
    while (why == NULL) {
        uint64_t since = view_clock_ns(), sent = saving->totals->pages, dirty;

        if (saving->totals->rounds > 0 && skip_busy(saving) != 0)
            return -1;
        if (send_round(saving) != 0 || saving_read_p2m(saving) != 0 || collect(saving) != 0)
            return -1;
        dirty = bits_count(saving->todo, saving->p2m.pages);
        note_dirty(saving, dirty, since);
        why = policy_after_round(&policy, saving->totals->pages - sent, dirty, saving->progress.rate);
    }
    saving->totals->why_stopped = why;
    for (unsigned int i = 0; i < CATCH_UP; i++)
        view_pause_ns(0);
    if (saving->source->progress != NULL)
        saving->source->progress(saving->source->own, &saving->progress);
    return 0;
}

static int stop_guest(struct saving *saving)
{
    if (saving->source->suspend(saving->source->own, saving->error) != 0)
        return -1;
    saving->totals->suspended_ns = view_clock_ns();
    saving->suspended = true;
    return 0;
}

/* Whatever the stream has something about, as it is now: the other side finds what no round brought. */
static int send_again(struct saving *saving)
{
    if (saving_record(saving, STREAM_VERIFY, NULL, 0) != 0)
        return -1;
    memcpy(saving->todo, saving->sent, bits_bytes(saving->p2m.pages));
    return saving_send_pages(saving);
}

/* todo has what was left of the last round; what the guest wrote until it stood still comes on top. */
static int send_rest(struct saving *saving)
{
    size_t bytes = bits_bytes(saving->p2m.pages);

    if (stop_guest(saving) != 0 || saving_read_p2m(saving) != 0)
        return -1;
    if (saving->source->live) {
        memset(saving->dirty, 0, bytes);
        if (shadow(saving, XEN_DOMCTL_SHADOW_OP_CLEAN, saving->dirty) != 0)
            return -1;
    }
    for (size_t i = 0; i < bytes; i++)
        saving->todo[i] |= saving->dirty[i] | saving->later[i];
    if (saving_mark_special(saving) != 0 || send_round(saving) != 0)
        return -1;
    if (saving->source->verify && send_again(saving) != 0)
        return -1;
    return saving_send_registers(saving);
}

static int save_logging(struct saving *saving)
{
    int status = 0;

    if (saving->source->live)
        status = shadow(saving, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL);
    if (status == 0 && saving->source->live)
        status = copy_live(saving);
    if (status == 0)
        status = send_rest(saving);
    return status;
}

static int save(struct saving *saving)
{
    int status;

    if (look_at_domain(saving) != 0 || allocate(saving) != 0)
        return -1;
    if (stream_write_inner_begin(saving->writer) != 0)
        return saving_record(saving, STREAM_END, NULL, 0); /* has the same error, and says it */
    if (saving_send_static(saving) != 0 || saving_send_p2m_frames(saving) != 0)
        return -1;
    status = save_logging(saving);
    return status == 0 ? saving_record(saving, STREAM_END, NULL, 0) : -1;
}

void migration_stop_logging(const struct migration_source *source)
{
    if (!source->live)
        return;
    (void)ctl_shadow_op(source->ctl, source->domid, XEN_DOMCTL_SHADOW_OP_OFF, 0, NULL, 0, NULL);
    if (source->shadow)
        (void)ctl_shadow_op(source->ctl, source->domid, XEN_DOMCTL_SHADOW_OP_ENABLE, 0, NULL, 0, NULL);
}

int migration_save(struct migration_source *source, struct stream_writer *writer, struct migration_totals *totals,
                   struct stream_error *error)
{
    struct saving *saving = calloc(1, sizeof(*saving));
    uint64_t offset = writer->offset;
    int status;

    memset(totals, 0, sizeof(*totals));
    error->text[0] = '\0';
    if (saving == NULL)
        return migration_fail(error, "out of memory");
    saving->source = source;
    saving->writer = writer;
    saving->totals = totals;
    saving->error = error;
    saving->view = (struct view){.ctl = source->ctl, .memory = source->memory, .domid = source->domid};
    totals->why_stopped = "it was stopped first";
    status = save(saving);
    totals->bytes = writer->offset - offset;
    release(saving);
    free(saving);
    return status;
}
