/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * PAGE_DATA: the numbers and types of a batch of pages, then the contents of those that have any. Each pfn may be there
 * once; in a later record it may come again, with newer contents.
 */
#include <stdlib.h>

#include "decode.h"
#include "wire.h"

#define PFN_RESERVED 0x0FF0000000000000ull

static int check_page(struct stream_reader *reader, const struct stream_limits *limits, unsigned int index,
                      uint64_t word)
{
    unsigned int type = (unsigned int)(word >> STREAM_PFN_TYPE_SHIFT);
    uint64_t pfn = word & STREAM_PFN_MASK;

    if ((word & PFN_RESERVED) != 0)
        return stream_refuse(reader, "page %u has reserved bits set: %#llx", index, (unsigned long long)word);
    if (pfn >= limits->pfns)
        return stream_refuse(reader, "page %u is pfn %#llx: it must be below %#llx", index, (unsigned long long)pfn,
                             (unsigned long long)limits->pfns);
    if (type >= 5 && type <= 12 && (type < 9 || stream_page_level(type) > 4))
        return stream_refuse(reader, "page %u, pfn %#llx, has type %u: 0 to 4, 9 to 12 and 13 to 15 are possible",
                             index, (unsigned long long)pfn, type);
    if (stream_page_level(type) > limits->levels)
        return stream_refuse(reader, "page %u, pfn %#llx, is a page table of level %u: this guest has %u", index,
                             (unsigned long long)pfn, stream_page_level(type), limits->levels);
    return 0;
}

static int compare_pfns(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* Writers send ascending numbers; only others are worth the sorting. */
static int check_duplicates(struct stream_reader *reader, struct stream_pages *pages)
{
    bool ascending = true;

    for (unsigned int i = 1; i < pages->count && ascending; i++)
        ascending = pages->pfns[i - 1] < pages->pfns[i];
    if (ascending)
        return 0;
    memcpy(pages->sorted, pages->pfns, pages->count * sizeof(pages->pfns[0]));
    qsort(pages->sorted, pages->count, sizeof(pages->sorted[0]), compare_pfns);
    for (unsigned int i = 1; i < pages->count; i++)
        if (pages->sorted[i - 1] == pages->sorted[i])
            return stream_refuse(reader, "pfn %#llx is in the record twice", (unsigned long long)pages->sorted[i]);
    return 0;
}

int stream_decode_pages(struct stream_reader *reader, const struct stream_record *record,
                        const struct stream_limits *limits, struct stream_pages *pages)
{
    uint32_t count, wanted;

    if (record->length < 8)
        return stream_refuse(reader, "the body has %u bytes: it must have at least 8", record->length);
    count = get_le32(record->body);
    if (count == 0 || count > STREAM_BATCH_MAX)
        return stream_refuse(reader, "the record counts %u pages: 1 to %u are possible", count, STREAM_BATCH_MAX);
    if ((record->length - 8) / 8 < count)
        return stream_refuse(reader, "the record counts %u pages and has %u bytes: too few for their numbers", count,
                             record->length);
    pages->count = count;
    pages->data_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = get_le64(record->body + 8 + 8 * (size_t)i);

        if (check_page(reader, limits, i, word) != 0)
            return -1;
        pages->pfns[i] = word & STREAM_PFN_MASK;
        pages->types[i] = (uint8_t)(word >> STREAM_PFN_TYPE_SHIFT);
        pages->data_count += stream_page_has_data(pages->types[i]);
    }
    wanted = 8 + 8 * count + pages->data_count * STREAM_PAGE_SIZE;
    if (record->length != wanted)
        return stream_refuse(reader, "the body has %u bytes: %u pages, %u of them with data, need %u", record->length,
                             count, pages->data_count, wanted);
    pages->data = record->body + 8 + 8 * (size_t)count;
    return check_duplicates(reader, pages);
}
