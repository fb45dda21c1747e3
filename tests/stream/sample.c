/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See sample.h.
 */
#include "sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXTENDED_SIZE 64
#define XSAVE_SIZE    (STREAM_XSAVE_HEAD + 832)
#define MSR_COUNT     2

const char sample_json[] =
    "{\"c_info\": {\"type\": \"pv\", \"name\": \"sample\"}, \"b_info\": {\"max_vcpus\": 1, \"target_memkb\": 4096}}";

static int memory_write(void *own, const void *data, size_t size)
{
    struct memory *memory = own;

    if (memory->fails != 0)
        return memory->fails;
    if (memory->used + size > memory->size) {
        memory->size = 2 * (memory->used + size);
        memory->data = realloc(memory->data, memory->size);
        if (memory->data == NULL)
            abort();
    }
    memcpy(memory->data + memory->used, data, size);
    memory->used += size;
    return 0;
}

static ssize_t memory_read(void *own, void *data, size_t size)
{
    struct memory *memory = own;
    size_t left = memory->used - memory->at;

    if (memory->fails != 0)
        return memory->fails;
    if (memory->chunk != 0 && size > memory->chunk)
        size = memory->chunk;
    if (size > left)
        size = left;
    if (size > 0)
        memcpy(data, memory->data + memory->at, size);
    memory->at += size;
    return (ssize_t)size;
}

struct byte_sink memory_sink(struct memory *memory)
{
    return (struct byte_sink){.own = memory, .write = memory_write};
}

struct byte_source memory_source(struct memory *memory)
{
    return (struct byte_source){.own = memory, .read = memory_read};
}

void memory_free(struct memory *memory)
{
    free(memory->data);
    *memory = (struct memory){0};
}

void sample_record(struct stream_writer *writer, uint32_t type, const void *body, size_t size)
{
    /* In two parts: where one ends must not show. */
    struct stream_part parts[] = {{body, size / 2}, {(const uint8_t *)body + size / 2, size - size / 2}};

    stream_write_record(writer, type, parts, 2);
}

void sample_pv_info(struct stream_writer *writer, unsigned int width, unsigned int levels)
{
    uint8_t body[8] = {(uint8_t)width, (uint8_t)levels};

    sample_record(writer, STREAM_PV_INFO, body, sizeof(body));
}

void sample_p2m(struct stream_writer *writer, const struct sample *sample)
{
    uint32_t per_frame = STREAM_PAGE_SIZE / sample->width, count = (sample->pages - 1) / per_frame + 1;
    uint32_t range[2] = {0, sample->pages - 1};
    uint64_t *frames = calloc(count, sizeof(*frames));
    struct stream_part parts[] = {{range, sizeof(range)}, {frames, count * sizeof(*frames)}};

    for (uint32_t i = 0; i < count; i++)
        frames[i] =
            sample->pages > 4 ? 4 : 0; /* plain, and not start_info; one frame for several ranges, as Linux has it */
    stream_write_record(writer, STREAM_PV_P2M_FRAMES, parts, 2);
    free(frames);
}

void sample_page_data(struct stream_writer *writer, const uint64_t *words, unsigned int count)
{
    struct stream_part *parts = calloc(count + 2, sizeof(*parts));
    uint32_t head[2] = {count, 0};
    /* Page tables name the first four pages. */
    static const uint64_t table[STREAM_PAGE_SIZE / 8] = {0x0025, 0x1025, 0x2025, 0x3025}, plain[STREAM_PAGE_SIZE / 8];
    size_t used = 2;

    parts[0] = (struct stream_part){head, sizeof(head)};
    parts[1] = (struct stream_part){words, count * sizeof(*words)};
    for (unsigned int i = 0; i < count; i++) {
        unsigned int type = (unsigned int)(words[i] >> STREAM_PFN_TYPE_SHIFT);

        if (stream_page_has_data(type))
            parts[used++] = (struct stream_part){stream_page_level(type) > 0 ? table : plain, STREAM_PAGE_SIZE};
    }
    stream_write_record(writer, STREAM_PAGE_DATA, parts, used);
    free(parts);
}

/* Page tables of every level, pinned and not, and one page of each type without data. */
static uint64_t type_of(const struct sample *sample, unsigned int pfn)
{
    static const uint8_t types[] = {0, 1, 2, 3, 0, 9, 10, 11, 13, 14, 15, 0, 0, 4, 12};

    return pfn % 32 < (sample->width == 8 ? 15 : 13) ? types[pfn % 32] : 0;
}

static void write_memory(struct stream_writer *writer, const struct sample *sample)
{
    uint64_t words[128];
    unsigned int batch = 0;

    for (unsigned int pfn = 0; pfn < sample->pages; pfn++) {
        words[batch++] = type_of(sample, pfn) << STREAM_PFN_TYPE_SHIFT | pfn;
        if (batch == 128 || pfn + 1 == sample->pages) {
            sample_page_data(writer, words, batch);
            batch = 0;
        }
    }
}

static void write_vcpu(struct stream_writer *writer, uint32_t type, uint32_t vcpu, uint32_t size)
{
    uint32_t *body = calloc(1, size + 8);

    body[0] = vcpu;
    if (type == STREAM_PV_VCPU_EXTENDED) {
        body[2] = vcpu;
        body[3] = size;
    }
    sample_record(writer, type, body, size + 8);
    free(body);
}

void sample_registers(struct stream_writer *writer, const struct sample *sample)
{
    static const uint32_t tsc[6] = {0, 1000000, 5, 0, 1, 0};
    static const uint8_t shared_info[STREAM_PAGE_SIZE];

    sample_record(writer, STREAM_TSC_INFO, tsc, sizeof(tsc));
    sample_record(writer, STREAM_SHARED_INFO, shared_info, sizeof(shared_info));
    for (uint32_t i = 0; i < sample->vcpus; i++) {
        write_vcpu(writer, STREAM_PV_VCPU_BASIC, i,
                   sample->width == 8 ? STREAM_CONTEXT_SIZE_64 : STREAM_CONTEXT_SIZE_32);
        write_vcpu(writer, STREAM_PV_VCPU_EXTENDED, i, EXTENDED_SIZE);
        write_vcpu(writer, STREAM_PV_VCPU_XSAVE, i, XSAVE_SIZE);
        write_vcpu(writer, STREAM_PV_VCPU_MSRS, i, MSR_COUNT * STREAM_MSR_SIZE);
    }
}

void sample_write(struct memory *memory, const struct sample *sample, const char *json)
{
    static const uint8_t policy[2 * STREAM_CPUID_SIZE], junk[11] = "unknown";
    struct byte_sink sink = memory_sink(memory);
    struct stream_writer writer;

    stream_writer_start(&writer, &sink);
    stream_write_file_header(&writer, json);
    stream_write_outer_begin(&writer);
    stream_write_inner_begin(&writer);
    sample_pv_info(&writer, sample->width, sample->width == 8 ? 4 : 3);
    sample_record(&writer, STREAM_CPUID_POLICY, policy, sizeof(policy));
    sample_record(&writer, STREAM_MSR_POLICY, policy, STREAM_MSR_SIZE);
    if (sample->optional)
        sample_record(&writer, STREAM_OPTIONAL | 0x1234, junk, sizeof(junk));
    sample_record(&writer, STREAM_STATIC_DATA_END, NULL, 0);
    sample_p2m(&writer, sample);
    for (unsigned int i = 0; i < sample->rounds; i++)
        write_memory(&writer, sample);
    if (sample->verify) {
        sample_record(&writer, STREAM_VERIFY, NULL, 0);
        write_memory(&writer, sample);
    }
    sample_registers(&writer, sample);
    sample_record(&writer, STREAM_END, NULL, 0);
    if (stream_write_outer_end(&writer) != 0 && memory->fails == 0)
        abort();
}

size_t sample_outer(const struct memory *memory)
{
    uint32_t optional;

    memcpy(&optional, memory->data + 44, sizeof(optional));
    return 48 + optional;
}

size_t sample_find(const struct memory *memory, uint32_t type)
{
    size_t at = sample_outer(memory) + 24 + 40;
    uint32_t head[2];

    for (; at < memory->used; at += 8 + ((head[1] + 7) & ~7u)) {
        memcpy(head, memory->data + at, sizeof(head));
        if (head[0] == type)
            return at;
    }
    abort();
}

static int read_body(struct stream_reader *reader, const struct stream_record *record, struct stream_limits *limits,
                     struct stream_pages *pages, struct sample_totals *totals)
{
    struct stream_pv_info info;
    struct stream_p2m_frames p2m;
    struct stream_vcpu vcpu;
    struct stream_tsc_info tsc;
    struct stream_policy policy;
    const uint8_t *shared_info;

    switch (record->type) {
    case STREAM_PV_INFO:
        if (stream_decode_pv_info(reader, record, &info) != 0)
            return -1;
        limits->width = info.width;
        limits->levels = info.levels;
        return 0;
    case STREAM_PV_P2M_FRAMES:
        if (stream_decode_p2m_frames(reader, record, limits, &p2m) != 0)
            return -1;
        limits->pfns = (uint64_t)p2m.last + 1;
        return 0;
    case STREAM_PAGE_DATA:
        if (stream_decode_pages(reader, record, limits, pages) != 0)
            return -1;
        totals->pages += pages->count;
        totals->data_pages += pages->data_count;
        for (unsigned int i = 0; i < pages->data_count; i++) /* the last octet of each must be there */
            if (pages->data[(i + 1) * (size_t)STREAM_PAGE_SIZE - 1] == 0xEE)
                totals->data_pages += 0;
        return 0;
    case STREAM_TSC_INFO:
        return stream_decode_tsc_info(reader, record, &tsc);
    case STREAM_SHARED_INFO:
        return stream_decode_shared_info(reader, record, &shared_info);
    case STREAM_CPUID_POLICY:
    case STREAM_MSR_POLICY:
        return stream_decode_policy(reader, record, &policy);
    case STREAM_PV_VCPU_BASIC:
        totals->vcpus++;
        return stream_decode_vcpu(reader, record, limits, &vcpu);
    case STREAM_PV_VCPU_EXTENDED:
    case STREAM_PV_VCPU_XSAVE:
    case STREAM_PV_VCPU_MSRS:
        return stream_decode_vcpu(reader, record, limits, &vcpu);
    default:
        return stream_decode_empty(reader, record);
    }
}

int sample_read_inner(struct stream_reader *reader, struct sample_totals *totals)
{
    struct stream_limits limits = {.pfns = 1 << 20, .vcpus = STREAM_VCPUS_MAX};
    static _Alignas(8) uint8_t buffer[STREAM_BODY_MAX];
    static struct stream_pages pages;
    struct stream_record record = {.type = STREAM_PV_INFO};
    struct stream_order order;

    if (stream_read_inner_begin(reader) != 0)
        return -1;
    stream_order_start(&order);
    while (record.type != STREAM_END) {
        if (stream_read_record(reader, buffer, &record) != 0 || stream_order_take(&order, reader, &record) != 0 ||
            read_body(reader, &record, &limits, &pages, totals) != 0)
            return -1;
        totals->records++;
    }
    return 0;
}

int sample_read(const struct byte_source *source, struct stream_error *error, struct sample_totals *totals)
{
    struct stream_reader reader;
    char *json;

    *totals = (struct sample_totals){0};
    stream_reader_start(&reader, source, error);
    json = stream_read_file_header(&reader);
    if (json == NULL)
        return -1;
    free(json);
    if (stream_read_outer_begin(&reader) != 0 || sample_read_inner(&reader, totals) != 0)
        return -1;
    return stream_read_outer_end(&reader);
}
