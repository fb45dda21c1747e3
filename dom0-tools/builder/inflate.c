/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * DEFLATE. A canonical Huffman code is decoded with the number of codes of each length alone: the codes of one length
 * are consecutive numbers, so the position of a code among all sorted ones follows from how many came before.
 * Once `bad` is set nothing is read or written any more.
 */
#include "inflate.h"

#include <string.h>

#define BITS_MAX     15
#define LITERALS     288
#define DISTANCES    32
#define END_OF_BLOCK 256

struct stream {
    const uint8_t *in, *in_end;
    uint8_t *out_start, *out, *out_end;
    uint32_t bits;
    unsigned int bit_count;
    bool bad;
};

struct code {
    uint16_t count[BITS_MAX + 1]; /* codes of each length */
    uint16_t symbol[LITERALS];    /* in the order of their codes */
};

static uint32_t take_bits(struct stream *s, unsigned int count)
{
    uint32_t value;

    while (s->bit_count < count) {
        if (s->in == s->in_end) {
            s->bad = true;
            return 0;
        }
        s->bits |= (uint32_t)*s->in++ << s->bit_count;
        s->bit_count += 8;
    }
    value = s->bits & ((1u << count) - 1);
    s->bits >>= count;
    s->bit_count -= count;
    return value;
}

/* False when the lengths ask for more codes than there are. An incomplete code is fine: its holes are errors when met. */
static bool make_code(struct code *code, const uint8_t *lengths, unsigned int symbols)
{
    uint16_t offsets[BITS_MAX + 1];
    int left = 1;

    memset(code->count, 0, sizeof(code->count));
    for (unsigned int i = 0; i < symbols; i++)
        code->count[lengths[i]]++;
    code->count[0] = 0;
    offsets[1] = 0;
    for (unsigned int i = 1; i <= BITS_MAX; i++) {
        left = 2 * left - code->count[i];
        if (left < 0)
            return false;
        if (i < BITS_MAX)
            offsets[i + 1] = (uint16_t)(offsets[i] + code->count[i]);
    }
    for (unsigned int i = 0; i < symbols; i++)
        if (lengths[i] != 0)
            code->symbol[offsets[lengths[i]]++] = (uint16_t)i;
    return true;
}

static unsigned int take_symbol(struct stream *s, const struct code *code)
{
    unsigned int value = 0, first = 0, index = 0;

    for (unsigned int length = 1; length <= BITS_MAX && !s->bad; length++) {
        value |= take_bits(s, 1);
        if (value < first + code->count[length])
            return code->symbol[index + (value - first)];
        index += code->count[length];
        first = (first + code->count[length]) << 1;
        value <<= 1;
    }
    s->bad = true;
    return 0;
}

static void put_literal(struct stream *s, uint8_t byte)
{
    if (s->out == s->out_end)
        s->bad = true;
    else
        *s->out++ = byte;
}

/* The two ranges may overlap: that is how runs are made. */
static void put_copy(struct stream *s, size_t distance, size_t length)
{
    if (s->bad || distance > (size_t)(s->out - s->out_start) || length > (size_t)(s->out_end - s->out)) {
        s->bad = true;
        return;
    }
    for (; length > 0; length--, s->out++)
        *s->out = s->out[-(ptrdiff_t)distance];
}

static void take_copy(struct stream *s, unsigned int symbol, const struct code *distances)
{
    static const uint16_t length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                           31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                          2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                             33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                             1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    unsigned int length, distance;

    symbol -= END_OF_BLOCK + 1;
    if (symbol >= sizeof(length_bits)) {
        s->bad = true;
        return;
    }
    length = length_base[symbol] + take_bits(s, length_bits[symbol]);
    symbol = take_symbol(s, distances);
    if (symbol >= sizeof(distance_base) / sizeof(distance_base[0])) {
        s->bad = true;
        return;
    }
    distance = distance_base[symbol] + take_bits(s, symbol < 4 ? 0 : symbol / 2 - 1);
    put_copy(s, distance, length);
}

static void coded_block(struct stream *s, const struct code *literals, const struct code *distances)
{
    while (!s->bad) {
        unsigned int symbol = take_symbol(s, literals);

        if (s->bad || symbol == END_OF_BLOCK)
            return;
        if (symbol < END_OF_BLOCK)
            put_literal(s, (uint8_t)symbol);
        else
            take_copy(s, symbol, distances);
    }
}

static void stored_block(struct stream *s)
{
    unsigned int length, inverse;

    s->in -= s->bit_count / 8; /* whole bytes that were taken ahead */
    s->bits = 0;
    s->bit_count = 0;
    length = take_bits(s, 16);
    inverse = take_bits(s, 16);
    if (s->bad || length != (~inverse & 0xffff) || length > (size_t)(s->in_end - s->in) ||
        length > (size_t)(s->out_end - s->out)) {
        s->bad = true;
        return;
    }
    memcpy(s->out, s->in, length);
    s->in += length;
    s->out += length;
}

static void fixed_block(struct stream *s)
{
    struct code literals, distances;
    uint8_t lengths[LITERALS];

    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 112);
    memset(lengths + 256, 7, 24);
    memset(lengths + 280, 8, 8);
    (void)make_code(&literals, lengths, LITERALS);
    memset(lengths, 5, 30);
    (void)make_code(&distances, lengths, 30);
    coded_block(s, &literals, &distances);
}

/* The code lengths of a block are packed themselves, with runs of the last one and of zero. */
static bool take_lengths(struct stream *s, const struct code *code, uint8_t *lengths, unsigned int count)
{
    for (unsigned int done = 0; done < count;) {
        unsigned int symbol = take_symbol(s, code), repeat = 1, value = symbol;

        if (s->bad || (symbol == 16 && done == 0))
            return false;
        if (symbol == 16) {
            value = lengths[done - 1];
            repeat = 3 + take_bits(s, 2);
        } else if (symbol >= 17) {
            value = 0;
            repeat = symbol == 17 ? 3 + take_bits(s, 3) : 11 + take_bits(s, 7);
        }
        if (repeat > count - done)
            return false;
        memset(lengths + done, (int)value, repeat);
        done += repeat;
    }
    return true;
}

static void dynamic_block(struct stream *s)
{
    static const uint8_t order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    unsigned int literal_count = take_bits(s, 5) + 257, distance_count = take_bits(s, 5) + 1;
    unsigned int length_count = take_bits(s, 4) + 4;
    uint8_t lengths[LITERALS + DISTANCES] = {0};
    struct code literals, distances;

    for (unsigned int i = 0; i < length_count; i++)
        lengths[order[i]] = (uint8_t)take_bits(s, 3);
    if (s->bad || literal_count > LITERALS || !make_code(&literals, lengths, 19)) {
        s->bad = true;
        return;
    }
    if (!take_lengths(s, &literals, lengths, literal_count + distance_count) ||
        !make_code(&distances, lengths + literal_count, distance_count) ||
        !make_code(&literals, lengths, literal_count)) {
        s->bad = true;
        return;
    }
    coded_block(s, &literals, &distances);
}

bool inflate_all(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
    struct stream s = {.in = in, .in_end = in + in_size, .out_start = out, .out = out, .out_end = out + out_size};
    bool last = false;

    while (!last && !s.bad) {
        last = take_bits(&s, 1) != 0;
        switch (take_bits(&s, 2)) {
        case 0:
            stored_block(&s);
            break;
        case 1:
            fixed_block(&s);
            break;
        case 2:
            dynamic_block(&s);
            break;
        default:
            s.bad = true;
            break;
        }
    }
    return !s.bad && s.out == s.out_end;
}
