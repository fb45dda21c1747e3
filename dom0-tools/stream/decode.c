/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Bodies of records, except page data. Every length is compared with what the fields before it promise, and every number
 * with its limit, before a pointer into the body is handed out. Reserved fields are ignored, as the format has it.
 */
#include "decode.h"

#include "wire.h"

#define VCPU_HEADER_SIZE 8u

uint64_t stream_le64(const uint8_t *from)
{
    return get_le64(from);
}

static int check_length(struct stream_reader *reader, const struct stream_record *record, uint32_t wanted)
{
    if (record->length == wanted)
        return 0;
    return stream_refuse(reader, "the body has %u bytes: it must have %u", record->length, wanted);
}

int stream_decode_empty(struct stream_reader *reader, const struct stream_record *record)
{
    return check_length(reader, record, 0);
}

int stream_decode_pv_info(struct stream_reader *reader, const struct stream_record *record, struct stream_pv_info *info)
{
    if (check_length(reader, record, 8) != 0)
        return -1;
    *info = (struct stream_pv_info){.width = record->body[0], .levels = record->body[1]};
    if (info->width != 4 && info->width != 8)
        return stream_refuse(reader, "the guest's width is %u: it must be 4 or 8 bytes", info->width);
    if (info->levels != (info->width == 4 ? 3 : 4))
        return stream_refuse(reader, "a guest of width %u has %u levels of page tables: it must have %u", info->width,
                             info->levels, info->width == 4 ? 3 : 4);
    return 0;
}

int stream_decode_p2m_frames(struct stream_reader *reader, const struct stream_record *record,
                             const struct stream_limits *limits, struct stream_p2m_frames *p2m)
{
    uint32_t per_frame = STREAM_PAGE_SIZE / limits->width;

    if (record->length < 16 || record->length % 8 != 0)
        return stream_refuse(reader, "the body has %u bytes: it must have 8, and 8 for each of one or more frames",
                             record->length);
    p2m->first = get_le32(record->body);
    p2m->last = get_le32(record->body + 4);
    if (p2m->first > p2m->last)
        return stream_refuse(reader, "the first pfn, %#x, is above the last, %#x", p2m->first, p2m->last);
    if (p2m->last >= limits->pfns)
        return stream_refuse(reader, "the last pfn is %#x: it must be below %#llx", p2m->last,
                             (unsigned long long)limits->pfns);
    p2m->first_frame = p2m->first / per_frame;
    p2m->count = p2m->last / per_frame - p2m->first_frame + 1;
    if (record->length / 8 - 1 != p2m->count)
        return stream_refuse(reader, "the body names %u frames: the pfns %#x to %#x need %u", record->length / 8 - 1,
                             p2m->first, p2m->last, p2m->count);
    p2m->frames = record->body + 8;
    for (uint32_t i = 0; i < p2m->count; i++)
        if (get_le64(p2m->frames + 8 * (size_t)i) > p2m->last)
            return stream_refuse(reader, "frame %u is at pfn %#llx: it must be at most %#x, the last pfn", i,
                                 (unsigned long long)get_le64(p2m->frames + 8 * (size_t)i), p2m->last);
    return 0;
}

static int check_basic(struct stream_reader *reader, const struct stream_limits *limits, const struct stream_vcpu *vcpu)
{
    uint32_t wanted = limits->width == 8 ? STREAM_CONTEXT_SIZE_64 : STREAM_CONTEXT_SIZE_32;

    if (vcpu->size == wanted)
        return 0;
    return stream_refuse(reader, "the context of vCPU %u has %u bytes: a guest of width %u has %u", vcpu->vcpu,
                         vcpu->size, limits->width, wanted);
}

/* The blob begins with its own vCPU and size, which the hypervisor would believe. */
static int check_extended(struct stream_reader *reader, const struct stream_vcpu *vcpu)
{
    if (vcpu->size < 8 || vcpu->size > STREAM_EXTENDED_MAX)
        return stream_refuse(reader, "the extended context of vCPU %u has %u bytes: 8 to %u are possible", vcpu->vcpu,
                             vcpu->size, STREAM_EXTENDED_MAX);
    if (get_le32(vcpu->data) != vcpu->vcpu)
        return stream_refuse(reader, "the extended context of vCPU %u says it is of vCPU %u", vcpu->vcpu,
                             get_le32(vcpu->data));
    if (get_le32(vcpu->data + 4) != vcpu->size)
        return stream_refuse(reader, "the extended context of vCPU %u has %u bytes and says %u", vcpu->vcpu, vcpu->size,
                             get_le32(vcpu->data + 4));
    return 0;
}

static int check_xsave(struct stream_reader *reader, const struct stream_vcpu *vcpu)
{
    if (vcpu->size >= STREAM_XSAVE_HEAD && vcpu->size <= STREAM_XSAVE_MAX && vcpu->size % 8 == 0)
        return 0;
    return stream_refuse(reader, "the extended registers of vCPU %u have %u bytes: %u to %u in steps of 8 are possible",
                         vcpu->vcpu, vcpu->size, STREAM_XSAVE_HEAD, STREAM_XSAVE_MAX);
}

static int check_msrs(struct stream_reader *reader, const struct stream_vcpu *vcpu)
{
    if (vcpu->size % STREAM_MSR_SIZE != 0 || vcpu->size / STREAM_MSR_SIZE > STREAM_MSRS_MAX)
        return stream_refuse(reader, "the MSRs of vCPU %u have %u bytes: %u for each of at most %u are possible",
                             vcpu->vcpu, vcpu->size, STREAM_MSR_SIZE, STREAM_MSRS_MAX);
    return 0;
}

int stream_decode_vcpu(struct stream_reader *reader, const struct stream_record *record,
                       const struct stream_limits *limits, struct stream_vcpu *vcpu)
{
    if (record->length < VCPU_HEADER_SIZE)
        return stream_refuse(reader, "the body has %u bytes: it must have at least %u", record->length,
                             VCPU_HEADER_SIZE);
    *vcpu = (struct stream_vcpu){.vcpu = get_le32(record->body),
                                 .size = record->length - VCPU_HEADER_SIZE,
                                 .data = record->body + VCPU_HEADER_SIZE};
    if (vcpu->vcpu >= limits->vcpus)
        return stream_refuse(reader, "there is no vCPU %u: the domain has %u", vcpu->vcpu, limits->vcpus);
    if (record->type == STREAM_PV_VCPU_BASIC)
        return check_basic(reader, limits, vcpu);
    if (vcpu->size == 0)
        return 0;
    if (record->type == STREAM_PV_VCPU_EXTENDED)
        return check_extended(reader, vcpu);
    return record->type == STREAM_PV_VCPU_XSAVE ? check_xsave(reader, vcpu) : check_msrs(reader, vcpu);
}

int stream_decode_shared_info(struct stream_reader *reader, const struct stream_record *record,
                              const uint8_t **shared_info)
{
    *shared_info = record->body;
    return check_length(reader, record, STREAM_PAGE_SIZE);
}

int stream_decode_tsc_info(struct stream_reader *reader, const struct stream_record *record,
                           struct stream_tsc_info *tsc)
{
    if (check_length(reader, record, 24) != 0)
        return -1;
    *tsc = (struct stream_tsc_info){.mode = get_le32(record->body),
                                    .khz = get_le32(record->body + 4),
                                    .nsec = get_le64(record->body + 8),
                                    .incarnation = get_le32(record->body + 16)};
    if (tsc->mode > STREAM_TSC_MODE_MAX)
        return stream_refuse(reader, "the TSC mode is %u: 0 to %u are possible", tsc->mode, STREAM_TSC_MODE_MAX);
    return 0;
}

int stream_decode_policy(struct stream_reader *reader, const struct stream_record *record, struct stream_policy *policy)
{
    uint32_t size = record->type == STREAM_CPUID_POLICY ? STREAM_CPUID_SIZE : STREAM_MSR_SIZE;

    *policy = (struct stream_policy){.count = record->length / size, .entries = record->body};
    if (record->length % size != 0 || policy->count == 0 || policy->count > STREAM_POLICY_MAX)
        return stream_refuse(reader, "the body has %u bytes: it must have %u for each of 1 to %u entries",
                             record->length, size, STREAM_POLICY_MAX);
    return 0;
}
