/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a saved domain has beside its pages: width, CPU policy and P2M frames before them; clock, shared_info and the
 * registers of every vCPU behind them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "canonical.h"
#include "dom0-tools/builder/wire.h"
#include "dom0-tools/stream/decode.h"
#include "saving.h"
#include "shared_info.h"

#define MSRS_ROOM  64u
#define XSAVE_ROOM (64u << 10)

struct vcpu_head {
    uint32_t vcpu, reserved;
};

static int fail_asking(struct saving *saving, const char *what)
{
    return migration_fail(saving->error, "asking for %s of domain %u failed: %s", what, saving->view.domid,
                          strerror(errno));
}

static int send_policy(struct saving *saving)
{
    struct ctl_policy policy = {.leaf_count = STREAM_POLICY_MAX, .msr_count = STREAM_POLICY_MAX};
    struct stream_part leaves, msrs;
    int status = -1;

    policy.leaves = calloc(STREAM_POLICY_MAX, sizeof(*policy.leaves));
    policy.msrs = calloc(STREAM_POLICY_MAX, sizeof(*policy.msrs));
    if (policy.leaves == NULL || policy.msrs == NULL) {
        errno = ENOMEM;
        fail_asking(saving, "the CPU policy");
    } else if (ctl_policy_get(saving->view.ctl, saving->view.domid, &policy) != 0) {
        fail_asking(saving, "the CPU policy");
    } else {
        leaves = (struct stream_part){policy.leaves, policy.leaf_count * sizeof(*policy.leaves)};
        msrs = (struct stream_part){policy.msrs, policy.msr_count * sizeof(*policy.msrs)};
        status = saving_record(saving, STREAM_CPUID_POLICY, &leaves, 1);
        if (status == 0)
            status = saving_record(saving, STREAM_MSR_POLICY, &msrs, 1);
    }
    free(policy.leaves);
    free(policy.msrs);
    return status;
}

int saving_send_static(struct saving *saving)
{
    uint8_t info[8] = {(uint8_t)(saving->view.bits / 8), saving->view.bits == 64 ? 4 : 3};
    struct stream_part part = {info, sizeof(info)};

    if (saving_record(saving, STREAM_PV_INFO, &part, 1) != 0 || send_policy(saving) != 0)
        return -1;
    return saving_record(saving, STREAM_STATIC_DATA_END, NULL, 0);
}

int saving_send_p2m_frames(struct saving *saving)
{
    const struct p2m *p2m = &saving->p2m;
    uint32_t range[2] = {0, (uint32_t)(p2m->pages - 1)};
    uint64_t *pfns = malloc(p2m->frame_count * sizeof(*pfns));
    struct stream_part parts[2] = {{range, sizeof(range)}, {pfns, p2m->frame_count * sizeof(*pfns)}};
    int status = 0;

    if (pfns == NULL)
        return migration_fail(saving->error, "out of memory for the numbers of %zu P2M frames", p2m->frame_count);
    for (size_t i = 0; i < p2m->frame_count && status == 0; i++) {
        pfns[i] = p2m_pfn_of(p2m, p2m->frames[i]);
        if (pfns[i] == UINT64_MAX)
            status = migration_fail(saving->error, "frame %zu of domain %u's P2M (machine frame %#x) is not its own", i,
                                    saving->view.domid, p2m->frames[i]);
    }
    if (status == 0)
        status = saving_record(saving, STREAM_PV_P2M_FRAMES, parts, 2);
    free(pfns);
    return status;
}

static void mark_mfn(struct saving *saving, uint64_t mfn)
{
    uint64_t pfn = p2m_pfn_of(&saving->p2m, mfn);

    if (pfn != UINT64_MAX)
        bit_set(saving->todo, pfn);
}

static void mark_pfn(struct saving *saving, uint64_t pfn)
{
    if (pfn < saving->p2m.pages)
        bit_set(saving->todo, pfn);
}

/*
 * start_info and the two rings, which dom0 writes without the log of dirty pages seeing it. A kernel that suspends has
 * replaced the rings' machine frames in start_info by guest frames.
 */
int saving_mark_special(struct saving *saving)
{
    uint8_t *context = calloc(1, canonical_context_size(64)), page[VIEW_PAGE];
    struct start_info_64 *wide = (void *)page;
    struct start_info_32 *narrow = (void *)page;
    uint32_t mfn = VIEW_NO_FRAME;
    int status = context != NULL ? 0 : -1;

    if (status == 0)
        status = ctl_vcpu_get_context(saving->view.ctl, saving->view.domid, 0, context,
                                      canonical_context_size(saving->view.bits));
    if (status == 0 && canonical_start_info(saving->view.bits, context) < VIEW_NO_FRAME)
        mfn = (uint32_t)canonical_start_info(saving->view.bits, context);
    free(context);
    if (status != 0)
        return fail_asking(saving, "the registers of vCPU 0");
    if (view_read(&saving->view, &mfn, 1, page) != 0)
        return migration_fail(saving->error,
                              "domain %u did not say where its start_info is when it suspended: machine frame %#x",
                              saving->view.domid, mfn);
    mark_mfn(saving, mfn);
    mark_pfn(saving, saving->view.bits == 64 ? wide->store_mfn : narrow->store_mfn);
    mark_pfn(saving, saving->view.bits == 64 ? wide->console_frame : narrow->console_frame);
    return 0;
}

static int send_tsc(struct saving *saving)
{
    struct xen_domctl_tsc_info tsc;
    struct {
        uint32_t mode, khz;
        uint64_t nsec;
        uint32_t incarnation, reserved;
    } body;
    struct stream_part part = {&body, sizeof(body)};

    if (ctl_domain_get_tsc(saving->view.ctl, saving->view.domid, &tsc) != 0)
        return fail_asking(saving, "the clock");
    body.mode = tsc.tsc_mode;
    body.khz = tsc.gtsc_khz;
    body.nsec = tsc.elapsed_nsec;
    body.incarnation = tsc.incarnation;
    body.reserved = 0;
    return saving_record(saving, STREAM_TSC_INFO, &part, 1);
}

static uint64_t pfn_of(void *own, uint64_t mfn)
{
    return p2m_pfn_of(own, mfn);
}

static int start_info_to_pfn(struct saving *saving, void *context)
{
    uint64_t mfn = canonical_start_info(saving->view.bits, context), pfn = p2m_pfn_of(&saving->p2m, mfn);

    if (pfn == UINT64_MAX)
        return migration_fail(saving->error,
                              "domain %u's start_info is not in its memory: EDX names machine frame %#llx",
                              saving->view.domid, (unsigned long long)mfn);
    canonical_set_start_info(saving->view.bits, context, pfn);
    return 0;
}

static int send_vcpu_record(struct saving *saving, uint32_t type, unsigned int vcpu, const void *data, size_t size)
{
    struct vcpu_head head = {vcpu, 0};
    struct stream_part parts[2] = {{&head, sizeof(head)}, {data, size}};

    return saving_record(saving, type, parts, 2);
}

static int send_basic(struct saving *saving, unsigned int vcpu, void *room)
{
    struct frame_map map = {pfn_of, &saving->p2m};
    size_t size = canonical_context_size(saving->view.bits);
    struct context_fault fault;

    if (ctl_vcpu_get_context(saving->view.ctl, saving->view.domid, vcpu, room, size) != 0)
        return fail_asking(saving, "a vCPU's registers");
    if (canonical_context(saving->view.bits, false, &map, room, &fault) != 0)
        return migration_fail(saving->error, "vCPU %u of domain %u cannot be saved: its %s is %#llx, not the guest's",
                              vcpu, saving->view.domid, fault.field, (unsigned long long)fault.frame);
    if (vcpu == 0 && start_info_to_pfn(saving, room) != 0)
        return -1;
    return send_vcpu_record(saving, STREAM_PV_VCPU_BASIC, vcpu, room, size);
}

static int send_extended(struct saving *saving, unsigned int vcpu)
{
    struct xen_domctl_ext_vcpucontext extended;
    size_t size = sizeof(extended);

    if (ctl_vcpu_get_extended(saving->view.ctl, saving->view.domid, vcpu, &extended) != 0)
        return fail_asking(saving, "a vCPU's extended registers");
    if (extended.size <= sizeof(extended))
        size = extended.size;
    return send_vcpu_record(saving, STREAM_PV_VCPU_EXTENDED, vcpu, &extended, size);
}

static int send_xsave(struct saving *saving, unsigned int vcpu, void *room)
{
    size_t size = XSAVE_ROOM;

    if (ctl_vcpu_get_xsave(saving->view.ctl, saving->view.domid, vcpu, room, &size) != 0)
        return fail_asking(saving, "a vCPU's extended state");
    return size == 0 ? 0 : send_vcpu_record(saving, STREAM_PV_VCPU_XSAVE, vcpu, room, size);
}

static int send_msrs(struct saving *saving, unsigned int vcpu)
{
    struct xen_domctl_vcpu_msr msrs[MSRS_ROOM] = {{0}};
    unsigned int count = MSRS_ROOM;

    if (ctl_vcpu_get_msrs(saving->view.ctl, saving->view.domid, vcpu, msrs, &count) != 0)
        return fail_asking(saving, "a vCPU's MSRs");
    return count == 0 ? 0 : send_vcpu_record(saving, STREAM_PV_VCPU_MSRS, vcpu, msrs, count * sizeof(msrs[0]));
}

static int send_vcpu(struct saving *saving, unsigned int vcpu, void *room)
{
    struct xen_domctl_getvcpuinfo info;

    if (ctl_vcpu_info(saving->view.ctl, saving->view.domid, vcpu, &info) != 0 || !info.online)
        return 0;
    if (send_basic(saving, vcpu, room) != 0 || send_extended(saving, vcpu) != 0)
        return -1;
    return send_xsave(saving, vcpu, room) == 0 ? send_msrs(saving, vcpu) : -1;
}

int saving_send_registers(struct saving *saving)
{
    struct stream_part part = {saving->shared_info, VIEW_PAGE};
    void *room = malloc(XSAVE_ROOM);
    int status = 0;

    if (room == NULL)
        return migration_fail(saving->error, "out of memory for the registers");
    if (send_tsc(saving) != 0 || saving_record(saving, STREAM_SHARED_INFO, &part, 1) != 0)
        status = -1;
    for (unsigned int vcpu = 0; vcpu < saving->vcpus && status == 0; vcpu++)
        status = send_vcpu(saving, vcpu, room);
    free(room);
    return status;
}
