/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Finds out how a kernel is packed and unpacks it. Both formats end with the unpacked size in four bytes.
 */
#include "unpack.h"
#include "inflate.h"
#include "workspace.h"

#include <stdint.h>
#include <string.h>

#define BZIMAGE_SECTORS 0x1f1
#define BZIMAGE_MAGIC   0x202
#define BZIMAGE_VERSION 0x206
#define BZIMAGE_PAYLOAD 0x248 /* offset, then length; from version 2.08 on */
#define BZIMAGE_MINIMUM 0x250
#define BLOCK_UNPACKED  (8u << 20) /* of LZ4's older frame format */

struct bytes {
    const uint8_t *at;
    size_t size;
};

static uint32_t word(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool starts_with(struct bytes data, const char *magic, size_t length)
{
    return data.size >= length && memcmp(data.at, magic, length) == 0;
}

static bool is_gzip(struct bytes data)
{
    return starts_with(data, "\x1f\x8b\x08", 3);
}

static bool is_lz4(struct bytes data)
{
    return starts_with(data, "\x02\x21\x4c\x18", 4);
}

static bool is_bzimage(struct bytes data)
{
    return data.size >= BZIMAGE_MINIMUM && memcmp(data.at + BZIMAGE_MAGIC, "HdrS", 4) == 0;
}

bool unpack_needed(const void *data, size_t size)
{
    struct bytes bytes = {data, size};

    return is_gzip(bytes) || is_lz4(bytes) || is_bzimage(bytes);
}

/* Skips the optional fields; false when the header does not fit the file. */
static bool skip_gzip_header(struct bytes *data)
{
    uint8_t flags;
    size_t at = 10;

    if (data->size < 18)
        return false;
    flags = data->at[3];
    if (flags & 4)
        at += 2 + data->at[10] + ((size_t)data->at[11] << 8);
    for (unsigned int field = 8; field <= 16; field *= 2) { /* name, comment */
        if ((flags & field) == 0)
            continue;
        while (at < data->size && data->at[at] != 0)
            at++;
        at++;
    }
    if (flags & 2)
        at += 2;
    if (at + 8 > data->size)
        return false;
    data->at += at;
    data->size -= at;
    return true;
}

static bool unpack_gzip(struct bytes data, uint8_t *out, size_t out_size)
{
    return skip_gzip_header(&data) && inflate_all(data.at, data.size - 8, out, out_size);
}

/* Lengths of 15 and more go on in bytes of 255. */
static bool lz4_length(struct bytes *in, size_t *length)
{
    uint8_t more = 255;

    if (*length != 15)
        return true;
    while (more == 255) {
        if (in->size == 0 || *length > UNPACK_LIMIT)
            return false;
        more = *in->at++;
        in->size--;
        *length += more;
    }
    return true;
}

static bool lz4_literals(struct bytes *in, uint8_t **out, const uint8_t *out_end, size_t length)
{
    if (!lz4_length(in, &length) || length > in->size || length > (size_t)(out_end - *out))
        return false;
    memcpy(*out, in->at, length);
    in->at += length;
    in->size -= length;
    *out += length;
    return true;
}

static bool lz4_match(struct bytes *in, const uint8_t *out_start, uint8_t **out, const uint8_t *out_end, size_t length)
{
    size_t distance;

    if (in->size < 2)
        return false;
    distance = in->at[0] | (size_t)in->at[1] << 8;
    in->at += 2;
    in->size -= 2;
    if (!lz4_length(in, &length))
        return false;
    length += 4;
    if (distance == 0 || distance > (size_t)(*out - out_start) || length > (size_t)(out_end - *out))
        return false;
    for (; length > 0; length--, (*out)++)
        **out = (*out)[-(ptrdiff_t)distance];
    return true;
}

/* One block; the bytes it gave, 0 when it is damaged. A block ends with literals. */
static size_t lz4_block(struct bytes in, uint8_t *out_start, size_t room)
{
    uint8_t *out = out_start;
    const uint8_t *out_end = out_start + room;

    while (in.size > 0) {
        uint8_t token = *in.at++;

        in.size--;
        if (!lz4_literals(&in, &out, out_end, token >> 4))
            return 0;
        if (in.size > 0 && !lz4_match(&in, out_start, &out, out_end, token & 15))
            return 0;
    }
    return (size_t)(out - out_start);
}

static bool unpack_lz4(struct bytes data, uint8_t *out, size_t out_size)
{
    size_t done = 0;

    data.at += 4;
    data.size -= 4;
    while (done < out_size && data.size >= 4) {
        size_t size = word(data.at), room = out_size - done, got;

        data.at += 4;
        data.size -= 4;
        if (size > data.size)
            return false;
        got = lz4_block((struct bytes){data.at, size}, out + done, room < BLOCK_UNPACKED ? room : BLOCK_UNPACKED);
        if (got == 0)
            return false;
        done += got;
        data.at += size;
        data.size -= size;
    }
    return done == out_size;
}

/* The packed kernel inside Linux's boot image. */
static bool find_payload(struct bytes image, struct bytes *payload)
{
    unsigned int sectors = image.at[BZIMAGE_SECTORS];
    uint64_t offset = ((uint64_t)(sectors ? sectors : 4) + 1) * 512 + word(image.at + BZIMAGE_PAYLOAD);
    uint64_t length = word(image.at + BZIMAGE_PAYLOAD + 4);

    if (image.at[BZIMAGE_VERSION + 1] < 2 || (image.at[BZIMAGE_VERSION + 1] == 2 && image.at[BZIMAGE_VERSION] < 8))
        return false;
    if (offset > image.size || length > image.size - offset || length < 8)
        return false;
    *payload = (struct bytes){image.at + offset, (size_t)length};
    return true;
}

static void *give_up(const char **why, const char *reason)
{
    *why = reason;
    return NULL;
}

void *unpack(const void *data, size_t size, size_t limit, size_t *out_size, const char **why)
{
    struct bytes payload = {data, size};
    uint8_t *out;
    bool good;

    if (!is_gzip(payload) && is_bzimage(payload) && !find_payload(payload, &payload))
        return give_up(why, "a Linux boot image that is truncated, or older than boot protocol 2.08");
    if (!is_gzip(payload) && !is_lz4(payload))
        return give_up(why,
                       "packed in a way that is not known here (gzip and LZ4 are); unpack it to its vmlinux first");
    if (payload.size < 8)
        return give_up(why, "a packed kernel that ends in its header (truncated?)");
    *out_size = word(payload.at + payload.size - 4);
    if (*out_size == 0 || *out_size > limit)
        return give_up(why, "a packed kernel that claims an impossible unpacked size (truncated?)");
    out = workspace_get(*out_size);
    if (out == NULL)
        return give_up(why,
                       "domain 0 has not enough memory to unpack it; start the hypervisor with a larger dom0_mem=");
    good = is_gzip(payload) ? unpack_gzip(payload, out, *out_size) : unpack_lz4(payload, out, *out_size);
    if (good)
        return out;
    workspace_put(out, *out_size);
    return give_up(why, "a packed kernel with damaged contents (truncated?)");
}
