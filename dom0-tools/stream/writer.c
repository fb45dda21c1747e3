/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Writing the three layers. Every byte goes through put(), so that a failure stays and the offset is true.
 */
#include "stream.h"

#include <errno.h>

#include "wire.h"

static int put(struct stream_writer *writer, const void *data, size_t size)
{
    if (writer->failed != 0 || size == 0)
        return writer->failed;
    writer->failed = writer->sink->write(writer->sink->own, data, size);
    if (writer->failed == 0)
        writer->offset += size;
    return writer->failed;
}

static int put_record_header(struct stream_writer *writer, uint32_t type, uint32_t length)
{
    uint8_t header[RECORD_HEADER_SIZE];

    put_le32(header, type);
    put_le32(header + 4, length);
    return put(writer, header, sizeof(header));
}

void stream_writer_start(struct stream_writer *writer, const struct byte_sink *sink)
{
    *writer = (struct stream_writer){.sink = sink};
}

int stream_write_file_header(struct stream_writer *writer, const char *json)
{
    uint8_t header[FILE_HEADER_SIZE + 4];
    size_t size = strlen(json) + 1;

    if (size > STREAM_CONFIG_MAX)
        return writer->failed = -E2BIG;
    memcpy(header, FILE_MAGIC, FILE_MAGIC_SIZE);
    put_le32(header + 32, FILE_BYTE_ORDER);
    put_le32(header + 36, FILE_MANDATORY_JSON | FILE_MANDATORY_STREAM);
    put_le32(header + 40, 0);
    put_le32(header + 44, (uint32_t)size + 4);
    put_le32(header + 48, (uint32_t)size);
    put(writer, header, sizeof(header));
    return put(writer, json, size);
}

int stream_write_outer_begin(struct stream_writer *writer)
{
    uint8_t header[OUTER_HEADER_SIZE];

    put_be64(header, OUTER_IDENT);
    put_be32(header + 8, OUTER_VERSION);
    put_be32(header + 12, 0);
    put(writer, header, sizeof(header));
    return put_record_header(writer, OUTER_LIBXC_CONTEXT, 0);
}

int stream_write_inner_begin(struct stream_writer *writer)
{
    uint8_t header[INNER_HEADER_SIZE + DOMAIN_HEADER_SIZE] = {0};
    uint8_t *domain = header + INNER_HEADER_SIZE;

    put_be64(header, INNER_MARKER);
    put_be32(header + 8, INNER_IDENT);
    put_be32(header + 12, INNER_VERSION);
    put_le32(domain, DOMAIN_TYPE_PV);
    put_le32(domain + 4, DOMAIN_PAGE_SHIFT); /* and two reserved bytes */
    put_le32(domain + 8, DOMAIN_XEN_MAJOR);
    put_le32(domain + 12, DOMAIN_XEN_MINOR);
    return put(writer, header, sizeof(header));
}

int stream_write_record(struct stream_writer *writer, uint32_t type, const struct stream_part *parts, size_t count)
{
    static const uint8_t zeroes[8];
    uint64_t length = 0;

    for (size_t i = 0; i < count; i++)
        length += parts[i].size;
    if (length > STREAM_BODY_MAX)
        return writer->failed = -E2BIG;
    put_record_header(writer, type, (uint32_t)length);
    for (size_t i = 0; i < count; i++)
        put(writer, parts[i].data, parts[i].size);
    return put(writer, zeroes, padding_of((uint32_t)length));
}

int stream_write_outer_end(struct stream_writer *writer)
{
    put_record_header(writer, OUTER_END, 0);
    if (writer->failed == 0 && writer->sink->flush != NULL)
        writer->failed = writer->sink->flush(writer->sink->own);
    return writer->failed;
}
