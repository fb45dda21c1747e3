/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * libFuzzer's mutations, of one record at a time: a flipped bit in a length would make all that follows nonsense, so a
 * record's body is changed and its length kept true, or whole records are left out, repeated or moved.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS     40u /* image header and domain header */
#define RECORDS_MAX 256u

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

struct span {
    size_t at, size; /* header, body and padding */
};

static size_t find_records(const uint8_t *data, size_t size, struct span *spans)
{
    size_t count = 0;

    for (size_t at = HEADERS; at + 8 <= size && count < RECORDS_MAX; at += spans[count++].size) {
        uint32_t length;

        memcpy(&length, data + at + 4, sizeof(length));
        if (length > size - at - 8)
            break;
        spans[count] = (struct span){at, 8 + ((length + 7ull) & ~7ull)};
        if (spans[count].size > size - at)
            break;
    }
    return count;
}

/* In place of one span, `with` bytes: moves what is behind. */
static size_t replace(uint8_t *data, size_t size, struct span span, const uint8_t *with, size_t with_size)
{
    memmove(data + span.at + with_size, data + span.at + span.size, size - span.at - span.size);
    if (with_size > 0)
        memcpy(data + span.at, with, with_size);
    return size - span.size + with_size;
}

static size_t change_body(uint8_t *data, size_t size, size_t max_size, struct span span)
{
    size_t room = span.size + 64 < 16384 ? span.size + 64 : 16384, length = span.size - 8;
    uint8_t *record = calloc(1, room + 16);
    uint32_t stored;

    if (size - span.size + room > max_size || length > room - 8) {
        free(record);
        return LLVMFuzzerMutate(data, size, max_size);
    }
    memcpy(record, data + span.at, span.size);
    length = LLVMFuzzerMutate(record + 8, length, room - 8);
    memset(record + 8 + length, 0, 8);
    stored = (uint32_t)length;
    memcpy(record + 4, &stored, sizeof(stored));
    size = replace(data, size, span, record, 8 + ((length + 7) & ~(size_t)7));
    free(record);
    return size;
}

static size_t insert(uint8_t *data, size_t size, size_t max_size, struct span from, size_t before)
{
    uint8_t *copy;

    if (size + from.size > max_size)
        return size;
    copy = malloc(from.size);
    memcpy(copy, data + from.at, from.size);
    size = replace(data, size, (struct span){before, 0}, copy, from.size);
    free(copy);
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    struct span spans[RECORDS_MAX];
    size_t count = find_records(data, size, spans);
    struct span *one, *other;

    srand(seed);
    if (count == 0 || rand() % 8 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    one = &spans[(size_t)rand() % count];
    other = &spans[(size_t)rand() % count];
    switch (rand() % 8) {
    case 0:
        return replace(data, size, *one, NULL, 0);
    case 1:
        return insert(data, size, max_size, *one, other->at);
    case 2:
        data[one->at] = (uint8_t)(rand() % 20);
        return size;
    case 3:
        data[one->at + 3] ^= 0x80; /* optional */
        return size;
    default:
        return change_body(data, size, max_size, *one);
    }
}
