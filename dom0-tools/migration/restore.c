/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Restoring a domain: the records of a stream in their order, each checked before it is used. What can only be judged at
 * the end is kept until then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "canonical.h"
#include "restoring.h"

static int keep(struct restoring *restoring, const void *data, size_t size, struct blob *blob)
{
    if (size == 0)
        return 0;
    blob->data = malloc(size);
    if (blob->data == NULL)
        return stream_refuse(restoring->reader, "out of memory for %zu bytes", size);
    memcpy(blob->data, data, size);
    blob->size = size;
    return 0;
}

static int take_pv_info(struct restoring *restoring, const struct stream_record *record)
{
    struct stream_pv_info info;

    if (stream_decode_pv_info(restoring->reader, record, &info) != 0)
        return -1;
    restoring->limits.width = info.width;
    restoring->limits.levels = info.levels;
    restoring->view.bits = restoring->result->bits = info.width * 8;
    if (ctl_domain_address_size(restoring->view.ctl, restoring->view.domid, restoring->view.bits) != 0)
        return stream_refuse(restoring->reader, "the hypervisor does not run %u-bit guests: %s", restoring->view.bits,
                             strerror(errno));
    return 0;
}

static int take_policy(struct restoring *restoring, const struct stream_record *record)
{
    struct blob *blob = record->type == STREAM_CPUID_POLICY ? &restoring->cpuid : &restoring->msr;
    size_t entry = record->type == STREAM_CPUID_POLICY ? STREAM_CPUID_SIZE : STREAM_MSR_SIZE;
    struct stream_policy policy;

    if (stream_decode_policy(restoring->reader, record, &policy) != 0)
        return -1;
    return keep(restoring, policy.entries, policy.count * entry, blob);
}

/* Both parts of the policy are judged together, before there is any memory. */
static int set_policy(struct restoring *restoring)
{
    struct ctl_policy policy = {
        .leaves = (void *)restoring->cpuid.data,
        .msrs = (void *)restoring->msr.data,
        .leaf_count = (uint32_t)(restoring->cpuid.size / STREAM_CPUID_SIZE),
        .msr_count = (uint32_t)(restoring->msr.size / STREAM_MSR_SIZE),
    };

    if (policy.leaf_count + policy.msr_count == 0 ||
        ctl_policy_set(restoring->view.ctl, restoring->view.domid, &policy) == 0)
        return 0;
    if (policy.bad_msr != UINT32_MAX)
        return stream_refuse(restoring->reader, "this machine cannot give the guest the MSR %#x it had: %s",
                             policy.bad_msr, strerror(errno));
    return stream_refuse(restoring->reader,
                         "this machine's CPUs lack what the guest had where it was saved: CPUID leaf %#x, subleaf %#x",
                         policy.bad_leaf, policy.bad_subleaf);
}

static int take_frames(struct restoring *restoring, const struct stream_p2m_frames *p2m)
{
    if (p2m->first != 0)
        return stream_refuse(restoring->reader, "it begins at guest frame %#x: it must have all from 0 on", p2m->first);
    restoring->limits.pfns = (uint64_t)p2m->last + 1;
    restoring->p2m_count = p2m->count;
    restoring->mfns = malloc((size_t)restoring->limits.pfns * sizeof(*restoring->mfns));
    restoring->types = calloc((size_t)restoring->limits.pfns, 1);
    restoring->p2m_frames = malloc(p2m->count * sizeof(*restoring->p2m_frames));
    if (restoring->mfns == NULL || restoring->types == NULL || restoring->p2m_frames == NULL)
        return stream_refuse(restoring->reader, "out of memory for a table of %llu guest frames",
                             (unsigned long long)restoring->limits.pfns);
    memset(restoring->mfns, 0xff, (size_t)restoring->limits.pfns * sizeof(*restoring->mfns));
    for (uint32_t i = 0; i < p2m->count; i++) {
        uint64_t pfn = stream_le64(p2m->frames + 8 * (size_t)i);

        restoring->p2m_frames[i] = pfn < VIEW_NO_FRAME ? (uint32_t)pfn : VIEW_NO_FRAME;
    }
    return 0;
}

static int take_p2m_frames(struct restoring *restoring, const struct stream_record *record)
{
    struct stream_p2m_frames p2m;

    if (stream_decode_p2m_frames(restoring->reader, record, &restoring->limits, &p2m) != 0)
        return -1;
    if (restoring->reader->version < 3 && set_policy(restoring) != 0)
        return -1;
    return take_frames(restoring, &p2m);
}

static int take_pages(struct restoring *restoring, const struct stream_record *record)
{
    int status = stream_decode_pages(restoring->reader, record, &restoring->limits, &restoring->pages);

    if (status == 0)
        status = restoring->verifying ? restoring_compare_pages(restoring) : restoring_take_pages(restoring);
    view_pause_ns(0);
    return status;
}

static int take_vcpu(struct restoring *restoring, const struct stream_record *record)
{
    struct stream_vcpu vcpu;
    struct saved_vcpu *saved;

    if (stream_decode_vcpu(restoring->reader, record, &restoring->limits, &vcpu) != 0)
        return -1;
    saved = &restoring->vcpus[vcpu.vcpu];
    switch (record->type) {
    case STREAM_PV_VCPU_BASIC:
        return keep(restoring, vcpu.data, vcpu.size, &saved->basic);
    case STREAM_PV_VCPU_EXTENDED:
        return keep(restoring, vcpu.data, vcpu.size, &saved->extended);
    case STREAM_PV_VCPU_XSAVE:
        return keep(restoring, vcpu.data, vcpu.size, &saved->xsave);
    default:
        return keep(restoring, vcpu.data, vcpu.size, &saved->msrs);
    }
}

static int take_shared_info(struct restoring *restoring, const struct stream_record *record)
{
    const uint8_t *page;

    if (stream_decode_shared_info(restoring->reader, record, &page) != 0)
        return -1;
    return keep(restoring, page, VIEW_PAGE, &restoring->shared_info);
}

static int take_empty(struct restoring *restoring, const struct stream_record *record)
{
    if (stream_decode_empty(restoring->reader, record) != 0)
        return -1;
    if (record->type == STREAM_VERIFY) {
        restoring->verifying = true;
        return 0;
    }
    return record->type == STREAM_STATIC_DATA_END ? set_policy(restoring) : restoring_finish(restoring);
}

static int take(struct restoring *restoring, const struct stream_record *record)
{
    if (stream_order_take(&restoring->order, restoring->reader, record) != 0)
        return -1;
    switch (record->type) {
    case STREAM_PV_INFO:
        return take_pv_info(restoring, record);
    case STREAM_CPUID_POLICY:
    case STREAM_MSR_POLICY:
        return take_policy(restoring, record);
    case STREAM_PV_P2M_FRAMES:
        return take_p2m_frames(restoring, record);
    case STREAM_PAGE_DATA:
        return take_pages(restoring, record);
    case STREAM_TSC_INFO:
        restoring->has_tsc = true;
        return stream_decode_tsc_info(restoring->reader, record, &restoring->tsc);
    case STREAM_SHARED_INFO:
        return take_shared_info(restoring, record);
    case STREAM_STATIC_DATA_END:
    case STREAM_VERIFY:
    case STREAM_END:
        return take_empty(restoring, record);
    default:
        return take_vcpu(restoring, record);
    }
}

static int take_all(struct restoring *restoring, void *buffer)
{
    struct stream_record record = {.type = STREAM_PV_INFO};

    if (stream_read_inner_begin(restoring->reader) != 0)
        return -1;
    while (record.type != STREAM_END)
        if (stream_read_record(restoring->reader, buffer, &record) != 0 || take(restoring, &record) != 0)
            return -1;
    return 0;
}

static int look_at_domain(struct restoring *restoring)
{
    if (ctl_domain_info(restoring->view.ctl, restoring->view.domid, &restoring->info) != 0)
        return stream_refuse(restoring->reader, "asking for the new domain failed: %s", strerror(errno));
    restoring->limits.pfns = p2m_limit(restoring->info.max_pages);
    restoring->limits.vcpus = restoring->info.max_vcpu_id + 1;
    if (restoring->limits.vcpus > STREAM_VCPUS_MAX)
        restoring->limits.vcpus = STREAM_VCPUS_MAX;
    return 0;
}

static void release(struct restoring *restoring)
{
    for (unsigned int i = 0; i < STREAM_VCPUS_MAX; i++) {
        free(restoring->vcpus[i].basic.data);
        free(restoring->vcpus[i].extended.data);
        free(restoring->vcpus[i].xsave.data);
        free(restoring->vcpus[i].msrs.data);
    }
    free(restoring->cpuid.data);
    free(restoring->msr.data);
    free(restoring->shared_info.data);
    free(restoring->mfns);
    free(restoring->types);
    free(restoring->p2m_frames);
    free(restoring);
}

int migration_restore(struct migration_target *target, struct stream_reader *reader, struct migration_result *result)
{
    struct restoring *restoring = calloc(1, sizeof(*restoring));
    void *buffer = malloc(STREAM_BODY_MAX);
    int status;

    memset(result, 0, sizeof(*result));
    if (restoring == NULL || buffer == NULL) {
        free(restoring);
        free(buffer);
        return migration_fail(reader->error, "out of memory: a record needs %u MiB", STREAM_BODY_MAX >> 20);
    }
    restoring->target = target;
    restoring->reader = reader;
    restoring->result = result;
    restoring->view = (struct view){.ctl = target->ctl, .memory = target->memory, .domid = target->domid};
    stream_order_start(&restoring->order);
    status = look_at_domain(restoring);
    if (status == 0)
        status = take_all(restoring, buffer);
    release(restoring);
    free(buffer);
    return status;
}
