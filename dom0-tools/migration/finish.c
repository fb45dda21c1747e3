/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The end of a restore: the guest's P2M and start_info are written for this machine, its shared_info for the new domain,
 * the page tables are given to the hypervisor to check and pin, and the registers are set.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "canonical.h"
#include "dom0-tools/builder/wire.h"
#include "restoring.h"
#include "shared_info.h"

static int fail_call(struct restoring *restoring, const char *what)
{
    return stream_refuse(restoring->reader, "%s failed: %s", what, strerror(errno));
}

static uint64_t mfn_of(void *own, uint64_t pfn)
{
    const struct restoring *restoring = own;

    return pfn < restoring->limits.pfns && restoring->mfns[pfn] != VIEW_NO_FRAME ? restoring->mfns[pfn]
                                                                                 : CANONICAL_NONE;
}

/* A page that is written here must be there and no page table. */
static int plain_page(struct restoring *restoring, uint64_t pfn, const char *what, uint32_t *mfn)
{
    uint64_t found = mfn_of(restoring, pfn);

    if (found == CANONICAL_NONE)
        return stream_refuse(restoring->reader, "%s is at guest frame %#llx, which the stream does not have", what,
                             (unsigned long long)pfn);
    if (restoring->types[pfn] != STREAM_PAGE_NORMAL)
        return stream_refuse(restoring->reader,
                             "%s is at guest frame %#llx, which is of type %u: it must be plain memory", what,
                             (unsigned long long)pfn, restoring->types[pfn]);
    *mfn = (uint32_t)found;
    return 0;
}

/*
 * Numbers of machine frames as longs of the guest's width, from guest frame `first` on, for so many pages of them. By
 * halves: an absent one is all ones in both widths.
 */
static void fill_p2m(const struct restoring *restoring, uint64_t first, size_t pages, void *to)
{
    size_t room = pages * (VIEW_PAGE / (restoring->view.bits / 8));
    size_t count = restoring->limits.pfns - first < room ? (size_t)(restoring->limits.pfns - first) : room;
    const uint32_t *mfns = restoring->mfns + first;
    uint32_t *half = to;

    if (count < room)
        memset(half + count * (restoring->view.bits / 32), 0xff, (room - count) * (restoring->view.bits / 8));
    if (restoring->view.bits == 64)
        for (size_t i = 0; i < count; i++, half += 2) {
            uint32_t mfn = mfns[i];

            half[0] = mfn;
            half[1] = mfn == VIEW_NO_FRAME ? UINT32_MAX : 0;
        }
    else
        memcpy(half, mfns, count * sizeof(*mfns));
}

static int write_p2m_part(struct restoring *restoring, size_t at, size_t pages)
{
    uint64_t first = (uint64_t)at * (VIEW_PAGE / (restoring->view.bits / 8));
    uint32_t mfns[VIEW_BATCH];
    void *to;

    for (size_t i = 0; i < pages; i++)
        if (plain_page(restoring, restoring->p2m_frames[at + i], "a frame of the guest's P2M", &mfns[i]) != 0)
            return -1;
    to = view_map(&restoring->view, mfns, pages, true, NULL);
    if (to == NULL)
        return fail_call(restoring, "mapping the guest's P2M");
    fill_p2m(restoring, first, pages, to);
    view_unmap(&restoring->view, to, pages);
    return 0;
}

static int write_p2m(struct restoring *restoring)
{
    for (size_t at = 0; at < restoring->p2m_count;) {
        size_t left = restoring->p2m_count - at, pages = left < VIEW_BATCH ? left : VIEW_BATCH;

        if (write_p2m_part(restoring, at, pages) != 0)
            return -1;
        at += pages;
    }
    return 0;
}

/* The vcpu_infos and the guest's own part come from the stream; ports are new, and where the P2M is the guest says anew. */
static void merge_shared_info(const struct restoring *restoring, uint8_t *page)
{
    const struct shared_info_layout *at = shared_info_layout(restoring->view.bits);

    memcpy(page, restoring->shared_info.data, SHARED_INFO_VCPUS * SHARED_INFO_VCPU_SIZE);
    for (unsigned int vcpu = 0; vcpu < SHARED_INFO_VCPUS; vcpu++)
        set_guest_long(page, vcpu * SHARED_INFO_VCPU_SIZE + at->pending_selector, at->width, 0);
    memcpy(page + at->arch, restoring->shared_info.data + at->arch, at->arch_size);
    set_guest_long(page, at->frame_list_list, at->width, 0);
    set_guest_long(page, at->p2m_cr3, at->width, 0);
    memset(page + at->pending, 0, at->port_bytes);
    memset(page + at->mask, 0xff, at->port_bytes);
}

static int write_shared_info(struct restoring *restoring)
{
    uint32_t mfn = (uint32_t)restoring->info.shared_info_frame;
    uint8_t *page = view_map(&restoring->view, &mfn, 1, true, NULL);

    if (page == NULL)
        return fail_call(restoring, "mapping the shared_info page");
    merge_shared_info(restoring, page);
    view_unmap(&restoring->view, page, 1);
    return 0;
}

static int write_ring(struct restoring *restoring, uint64_t pfn, const char *what, xen_pfn_t *mfn)
{
    uint32_t frame;

    if (plain_page(restoring, pfn, what, &frame) != 0)
        return -1;
    *mfn = frame;
    return 0;
}

#define WRITE_START_INFO(start)                                                                                        \
    do {                                                                                                               \
        if (write_ring(restoring, (start)->store_mfn, "the xenstore ring", &result->store_mfn) != 0 ||                 \
            write_ring(restoring, (start)->console_frame, "the console ring", &result->console_mfn) != 0)              \
            return -1;                                                                                                 \
        (start)->nr_pages = (uint32_t)restoring->limits.pfns;                                                          \
        (start)->shared_info = (uint32_t)restoring->info.shared_info_frame;                                            \
        (start)->shared_info <<= 12;                                                                                   \
        (start)->flags = SIF_VIRT_P2M_4TOOLS;                                                                          \
        (start)->store_mfn = (uint32_t)result->store_mfn;                                                              \
        (start)->store_evtchn = restoring->target->store_port;                                                         \
        (start)->console_frame = (uint32_t)result->console_mfn;                                                        \
        (start)->console_port = restoring->target->console_port;                                                       \
    } while (0)

static int convert_start_info(struct restoring *restoring, void *page)
{
    struct migration_result *result = restoring->result;

    if (restoring->view.bits == 64)
        WRITE_START_INFO((struct start_info_64 *)page);
    else
        WRITE_START_INFO((struct start_info_32 *)page);
    return 0;
}

static int write_start_info(struct restoring *restoring)
{
    void *context = restoring->vcpus[0].basic.data;
    uint64_t pfn = canonical_start_info(restoring->view.bits, context);
    uint64_t page[VIEW_PAGE / 8];
    uint32_t mfn;

    if (plain_page(restoring, pfn, "start_info (EDX of vCPU 0)", &mfn) != 0)
        return -1;
    if (view_read(&restoring->view, &mfn, 1, page) != 0)
        return fail_call(restoring, "reading start_info");
    if (convert_start_info(restoring, page) != 0)
        return -1;
    if (view_write(&restoring->view, mfn, page) != 0)
        return fail_call(restoring, "writing start_info");
    canonical_set_start_info(restoring->view.bits, context, mfn);
    return 0;
}

static unsigned int count_pins(const struct restoring *restoring)
{
    unsigned int count = 0;

    for (uint64_t pfn = 0; pfn < restoring->limits.pfns; pfn++)
        count += stream_page_level(restoring->types[pfn]) > 0 && (restoring->types[pfn] & STREAM_PAGE_PINNED) != 0;
    return count;
}

static int pin(struct restoring *restoring, struct mmuext_op *pins, uint32_t *pfns)
{
    unsigned int count = 0, done = 0;

    for (uint64_t pfn = 0; pfn < restoring->limits.pfns; pfn++) {
        unsigned int level = stream_page_level(restoring->types[pfn]);

        if (level == 0 || (restoring->types[pfn] & STREAM_PAGE_PINNED) == 0)
            continue;
        pins[count].cmd = MMUEXT_PIN_L1_TABLE + level - 1;
        pins[count].arg1.mfn = restoring->mfns[pfn];
        pfns[count++] = (uint32_t)pfn;
    }
    if (ctl_pin_tables(restoring->view.ctl, restoring->view.domid, pins, count, &done) == 0)
        return 0;
    return stream_refuse(restoring->reader, "the hypervisor refused the page table at guest frame %#x (level %u): %s",
                         done < count ? pfns[done] : 0, done < count ? pins[done].cmd - MMUEXT_PIN_L1_TABLE + 1 : 0,
                         strerror(errno));
}

static int pin_tables(struct restoring *restoring)
{
    unsigned int count = count_pins(restoring);
    struct mmuext_op *pins = calloc(count + 1, sizeof(*pins));
    uint32_t *pfns = calloc(count + 1, sizeof(*pfns));
    int status = -1;

    if (pins == NULL || pfns == NULL)
        stream_refuse(restoring->reader, "out of memory to pin %u page tables", count);
    else
        status = pin(restoring, pins, pfns);
    free(pins);
    free(pfns);
    return status;
}

static void set_online(unsigned int bits, void *context)
{
    if (bits == 64)
        ((struct vcpu_guest_context_64 *)context)->flags |= VGCF_online;
    else
        ((struct vcpu_guest_context_32 *)context)->flags |= VGCF_online;
}

static int fail_vcpu(struct restoring *restoring, unsigned int vcpu, const char *what)
{
    return stream_refuse(restoring->reader, "the hypervisor refused %s of vCPU %u: %s", what, vcpu, strerror(errno));
}

static int set_vcpu(struct restoring *restoring, unsigned int id, struct saved_vcpu *vcpu)
{
    struct frame_map map = {mfn_of, restoring};
    struct ctl *ctl = restoring->view.ctl;
    domid_t domid = restoring->view.domid;
    struct context_fault fault;

    if (canonical_context(restoring->view.bits, true, &map, vcpu->basic.data, &fault) != 0)
        return stream_refuse(restoring->reader, "vCPU %u: %s is %#llx, which the guest does not have", id, fault.field,
                             (unsigned long long)fault.frame);
    set_online(restoring->view.bits, vcpu->basic.data);
    if (ctl_vcpu_set_context(ctl, domid, id, vcpu->basic.data, vcpu->basic.size) != 0)
        return fail_vcpu(restoring, id, "the registers");
    if (vcpu->extended.size > 0 && ctl_vcpu_set_extended(ctl, domid, id, vcpu->extended.data, vcpu->extended.size) != 0)
        return fail_vcpu(restoring, id, "the extended registers");
    if (vcpu->xsave.size > 0 && ctl_vcpu_set_xsave(ctl, domid, id, vcpu->xsave.data, vcpu->xsave.size) != 0)
        return fail_vcpu(restoring, id, "the extended state");
    if (vcpu->msrs.size > 0 &&
        ctl_vcpu_set_msrs(ctl, domid, id, vcpu->msrs.data, (unsigned int)(vcpu->msrs.size / STREAM_MSR_SIZE)) != 0)
        return fail_vcpu(restoring, id, "the MSRs");
    return 0;
}

static int set_vcpus(struct restoring *restoring)
{
    for (unsigned int id = 0; id < restoring->limits.vcpus; id++)
        if (restoring->vcpus[id].basic.size > 0 && set_vcpu(restoring, id, &restoring->vcpus[id]) != 0)
            return -1;
    return 0;
}

static int set_clock(struct restoring *restoring)
{
    struct xen_domctl_tsc_info tsc = {
        .tsc_mode = restoring->tsc.mode,
        .gtsc_khz = restoring->tsc.khz,
        .incarnation = restoring->tsc.incarnation,
        .elapsed_nsec = restoring->tsc.nsec,
    };

    if (!restoring->has_tsc || ctl_domain_set_tsc(restoring->view.ctl, restoring->view.domid, &tsc) == 0)
        return 0;
    return fail_call(restoring, "setting the guest's clock");
}

int restoring_finish(struct restoring *restoring)
{
    if (write_p2m(restoring) != 0 || write_shared_info(restoring) != 0 || write_start_info(restoring) != 0)
        return -1;
    if (pin_tables(restoring) != 0 || set_clock(restoring) != 0)
        return -1;
    return set_vcpus(restoring);
}
