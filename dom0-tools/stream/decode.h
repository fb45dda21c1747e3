/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The bodies of the records of libxc's stream, each checked against every rule that needs no domain before anyone sees a
 * field of it. A function takes the reader's current record and returns 0, or -1 with the reader's error set. What it
 * points to lies in the record's body and is good as long as that is.
 */
#ifndef STREAM_DECODE_H
#define STREAM_DECODE_H

#include "stream.h"

#define STREAM_PAGE_SIZE       4096u
#define STREAM_VCPUS_MAX       32u /* what a PV guest's shared_info has a vcpu_info for */
#define STREAM_CONTEXT_SIZE_32 2800u
#define STREAM_CONTEXT_SIZE_64 5168u
#define STREAM_EXTENDED_MAX    128u
#define STREAM_XSAVE_HEAD      16u /* xcr0 and xcr0_accum, before the area itself */
#define STREAM_XSAVE_MAX       (STREAM_XSAVE_HEAD + 16384u)
#define STREAM_MSR_SIZE        16u
#define STREAM_MSRS_MAX        64u
#define STREAM_POLICY_MAX      1024u /* entries of a CPUID or MSR policy */
#define STREAM_CPUID_SIZE      24u
#define STREAM_TSC_MODE_MAX    3u

enum stream_page_type {
    STREAM_PAGE_NORMAL = 0,
    STREAM_PAGE_L1 = 1,
    STREAM_PAGE_L2 = 2,
    STREAM_PAGE_L3 = 3,
    STREAM_PAGE_L4 = 4,
    STREAM_PAGE_PINNED = 8, /* with one of the four tables */
    STREAM_PAGE_BROKEN = 13,
    STREAM_PAGE_ALLOCATE = 14,
    STREAM_PAGE_INVALID = 15,
};

static inline bool stream_page_has_data(unsigned int type)
{
    return type < STREAM_PAGE_BROKEN;
}

/* The level of a page table, 1 to 4; 0 for any other page. */
static inline unsigned int stream_page_level(unsigned int type)
{
    return type < STREAM_PAGE_BROKEN ? type & 7 : 0;
}

struct stream_pages {
    unsigned int count; /* 1 to STREAM_BATCH_MAX */
    unsigned int data_count;
    uint64_t pfns[STREAM_BATCH_MAX]; /* each once */
    uint8_t types[STREAM_BATCH_MAX]; /* enum stream_page_type */
    const uint8_t *data;             /* data_count pages, for those that have data, in the order of the pfns */
    uint64_t sorted[STREAM_BATCH_MAX];
};

struct stream_pv_info {
    unsigned int width, levels; /* 4 and 3, or 8 and 4 */
};

struct stream_p2m_frames {
    uint32_t first, last; /* the pfns that the frames cover */
    uint32_t first_frame; /* which of the guest's P2M frames is the first here */
    uint32_t count;
    const uint8_t *frames; /* count little-endian 64-bit numbers, each below the limit */
};

struct stream_vcpu {
    uint32_t vcpu;
    uint32_t size; /* 0: nothing was saved; never for VCPU_BASIC */
    const uint8_t *data;
};

struct stream_tsc_info {
    uint32_t mode, khz, incarnation;
    uint64_t nsec;
};

struct stream_policy {
    uint32_t count;
    const uint8_t *entries; /* of STREAM_CPUID_SIZE or STREAM_MSR_SIZE bytes */
};

/* What is known about the domain when a record comes: limits for the numbers in it. */
struct stream_limits {
    uint64_t pfns;       /* every pfn is below it */
    unsigned int vcpus;  /* every vCPU is below it, at most STREAM_VCPUS_MAX */
    unsigned int width;  /* 4 or 8, of X86_PV_INFO */
    unsigned int levels; /* 3 or 4 */
};

uint64_t stream_le64(const uint8_t *from);

int stream_decode_pages(struct stream_reader *reader, const struct stream_record *record,
                        const struct stream_limits *limits, struct stream_pages *pages);
int stream_decode_pv_info(struct stream_reader *reader, const struct stream_record *record,
                          struct stream_pv_info *info);
int stream_decode_p2m_frames(struct stream_reader *reader, const struct stream_record *record,
                             const struct stream_limits *limits, struct stream_p2m_frames *p2m);
/* All four kinds of vCPU records. */
int stream_decode_vcpu(struct stream_reader *reader, const struct stream_record *record,
                       const struct stream_limits *limits, struct stream_vcpu *vcpu);
int stream_decode_shared_info(struct stream_reader *reader, const struct stream_record *record,
                              const uint8_t **shared_info);
int stream_decode_tsc_info(struct stream_reader *reader, const struct stream_record *record,
                           struct stream_tsc_info *tsc);
/* Both kinds of policies. */
int stream_decode_policy(struct stream_reader *reader, const struct stream_record *record,
                         struct stream_policy *policy);
/* END, VERIFY and STATIC_DATA_END. */
int stream_decode_empty(struct stream_reader *reader, const struct stream_record *record);

/*
 * Which record may follow which. Asked about every record before it is decoded; at END it says what is missing. Of a
 * version 2 stream, STATIC_DATA_END is taken as read at the first X86_PV_P2M_FRAMES.
 */
struct stream_order {
    uint32_t seen;                    /* one bit for each type */
    uint32_t vcpus[STREAM_VCPUS_MAX]; /* the same, for the records of each vCPU */
};

void stream_order_start(struct stream_order *order);
int stream_order_take(struct stream_order *order, struct stream_reader *reader, const struct stream_record *record);

#endif
