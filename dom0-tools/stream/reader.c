/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading the three layers. Nothing that the stream says is believed: a length is compared with its limit before a byte of
 * the body is read, and every refusal goes through stream_refuse(), which says where.
 */
#include "stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire.h"

static const char *const layer_names[] = {
    [STREAM_LAYER_FILE] = "file header",
    [STREAM_LAYER_OUTER] = "libxl stream header",
    [STREAM_LAYER_INNER] = "image header",
};

static const char *const outer_names[OUTER_RECORD_TYPES] = {
    [OUTER_END] = "END",
    [OUTER_LIBXC_CONTEXT] = "LIBXC_CONTEXT",
    [OUTER_EMULATOR_XENSTORE_DATA] = "EMULATOR_XENSTORE_DATA",
    [OUTER_EMULATOR_CONTEXT] = "EMULATOR_CONTEXT",
    [OUTER_CHECKPOINT_END] = "CHECKPOINT_END",
    [OUTER_CHECKPOINT_STATE] = "CHECKPOINT_STATE",
};

static const char *record_name(const struct stream_reader *reader)
{
    if (reader->layer == STREAM_LAYER_INNER)
        return stream_record_name(reader->type);
    return reader->type < OUTER_RECORD_TYPES ? outer_names[reader->type] : "unknown";
}

int stream_refuse(struct stream_reader *reader, const char *format, ...)
{
    char *text = reader->error->text;
    unsigned long long at = reader->record_at;
    va_list args;
    int used;

    if (reader->record_number == 0)
        used = snprintf(text, STREAM_ERROR_SIZE, "%s at offset 0x%llx: ", layer_names[reader->layer], at);
    else
        used = snprintf(text, STREAM_ERROR_SIZE, "%srecord %u (%s, type %#x) at offset 0x%llx: ",
                        reader->layer == STREAM_LAYER_OUTER ? "libxl " : "", (unsigned int)reader->record_number,
                        record_name(reader), (unsigned int)reader->type, at);
    va_start(args, format);
    vsnprintf(text + used, STREAM_ERROR_SIZE - (size_t)used, format, args);
    va_end(args);
    return -1;
}

/* All `size` bytes of `what`, or the refusal. */
static int take(struct stream_reader *reader, void *to, size_t size, const char *what)
{
    uint8_t *bytes = to;

    for (size_t done = 0; done < size;) {
        ssize_t got = reader->source->read(reader->source->own, bytes + done, size - done);

        if (got < 0)
            return stream_refuse(reader, "cannot read on at offset 0x%llx: %s", (unsigned long long)reader->offset,
                                 strerror((int)-got));
        if (got == 0)
            return stream_refuse(reader, "the stream ends at offset 0x%llx, after %zu of the %zu bytes of its %s",
                                 (unsigned long long)reader->offset, done, size, what);
        if ((size_t)got > size - done)
            return stream_refuse(reader, "the source gave %zd bytes where %zu were asked for", got, size - done);
        done += (size_t)got;
        reader->offset += (uint64_t)got;
    }
    return 0;
}

static int skip(struct stream_reader *reader, uint64_t size, const char *what)
{
    uint8_t bytes[512];

    while (size > 0) {
        size_t chunk = size < sizeof(bytes) ? (size_t)size : sizeof(bytes);

        if (take(reader, bytes, chunk, what) != 0)
            return -1;
        size -= chunk;
    }
    return 0;
}

static void enter(struct stream_reader *reader, enum stream_layer layer)
{
    reader->layer = layer;
    reader->record_number = 0;
    reader->record_at = reader->offset;
}

void stream_reader_start(struct stream_reader *reader, const struct byte_source *source, struct stream_error *error)
{
    *reader = (struct stream_reader){.source = source, .error = error};
    error->text[0] = '\0';
}

/* The flags say what follows the header; a file without either bit is of an xl before 4.5. */
static int check_file_header(struct stream_reader *reader, const uint8_t *header)
{
    const uint32_t known = FILE_MANDATORY_JSON | FILE_MANDATORY_STREAM;
    uint32_t order = get_le32(header + 32), flags = get_le32(header + 36);

    if (memcmp(header, FILE_MAGIC, FILE_MAGIC_SIZE) != 0)
        return stream_refuse(reader, "this is not a saved domain: the file does not begin with \"Xen saved domain, xl "
                                     "format\"");
    if (order != FILE_BYTE_ORDER)
        return stream_refuse(reader, "the byte order mark is %#x: only little-endian files (%#x) can be read", order,
                             FILE_BYTE_ORDER);
    if ((flags & ~known) != 0)
        return stream_refuse(reader, "the mandatory flags are %#x: only %#x are known; a newer xl wrote this", flags,
                             known);
    if ((flags & FILE_MANDATORY_STREAM) == 0)
        return stream_refuse(reader,
                             "the mandatory flags are %#x: a legacy stream of Xen 4.5 or older follows, which "
                             "cannot be read; only version 2 can",
                             flags);
    if ((flags & FILE_MANDATORY_JSON) == 0)
        return stream_refuse(
            reader, "the mandatory flags are %#x: the configuration is not JSON, which alone can be read", flags);
    return 0;
}

/* `left` bytes of optional data: the configuration's length, the configuration, and what later versions may add. */
static char *read_config(struct stream_reader *reader, uint32_t left)
{
    uint8_t word[4];
    uint32_t length;
    char *config;

    if (left < sizeof(word) + 2) {
        stream_refuse(reader, "%u bytes of optional data hold no configuration", left);
        return NULL;
    }
    if (take(reader, word, sizeof(word), "configuration's length") != 0)
        return NULL;
    left -= (uint32_t)sizeof(word);
    length = get_le32(word);
    if (length < 2 || length > left || length > STREAM_CONFIG_MAX) {
        stream_refuse(reader, "the configuration has %u bytes: 2 to %u are possible", length,
                      left < STREAM_CONFIG_MAX ? left : STREAM_CONFIG_MAX);
        return NULL;
    }
    config = malloc(length);
    if (config == NULL)
        stream_refuse(reader, "out of memory for the %u bytes of the configuration", length);
    else if (take(reader, config, length, "configuration") == 0 && skip(reader, left - length, "optional data") == 0) {
        if (memchr(config, '\0', length) == config + length - 1)
            return config;
        stream_refuse(reader, "the configuration's %u bytes do not end with its only NUL", length);
    }
    free(config);
    return NULL;
}

char *stream_read_file_header(struct stream_reader *reader)
{
    uint8_t header[FILE_HEADER_SIZE];
    uint32_t left;

    enter(reader, STREAM_LAYER_FILE);
    if (take(reader, header, sizeof(header), "header") != 0 || check_file_header(reader, header) != 0)
        return NULL;
    left = get_le32(header + 44);
    if (left > 2 * STREAM_CONFIG_MAX) {
        stream_refuse(reader, "%u bytes of optional data are announced: at most %u are possible", left,
                      2 * STREAM_CONFIG_MAX);
        return NULL;
    }
    return read_config(reader, left);
}

static int read_record_header(struct stream_reader *reader)
{
    uint8_t header[RECORD_HEADER_SIZE];

    if (reader->record_number == UINT32_MAX)
        return stream_refuse(reader, "no more records than %u are possible", UINT32_MAX);
    reader->record_number++;
    reader->record_at = reader->offset;
    reader->type = UINT32_MAX;
    if (take(reader, header, sizeof(header), "header") != 0)
        return -1;
    reader->type = get_le32(header);
    reader->length = get_le32(header + 4);
    if (reader->length > STREAM_BODY_MAX)
        return stream_refuse(reader, "the body has %u bytes: at most %u are possible", reader->length, STREAM_BODY_MAX);
    return 0;
}

/* The next record that is not optional to `known` and beyond; the optional ones are passed over. */
static int next_record(struct stream_reader *reader, uint32_t known)
{
    for (;;) {
        if (read_record_header(reader) != 0)
            return -1;
        if ((reader->type & STREAM_OPTIONAL) == 0)
            break;
        if (skip(reader, (uint64_t)reader->length + padding_of(reader->length), "body") != 0)
            return -1;
    }
    if (reader->type >= known)
        return stream_refuse(
            reader, "a mandatory record of this type is not known: 0 to %#x are; a newer Xen wrote this", known - 1);
    return 0;
}

/* The next record of libxl's, whose body must be empty. */
static int next_outer(struct stream_reader *reader, enum outer_record_type wanted)
{
    if (next_record(reader, OUTER_RECORD_TYPES) != 0)
        return -1;
    if (reader->type == OUTER_EMULATOR_XENSTORE_DATA || reader->type == OUTER_EMULATOR_CONTEXT)
        return stream_refuse(reader,
                             "the state of a device model belongs to an HVM guest: only PV guests can be restored");
    if (reader->type == OUTER_CHECKPOINT_END || reader->type == OUTER_CHECKPOINT_STATE)
        return stream_refuse(reader, "a stream with checkpoints (Remus, COLO) cannot be restored");
    if (reader->type != (uint32_t)wanted)
        return stream_refuse(reader, "%s must come here", outer_names[wanted]);
    if (reader->length != 0)
        return stream_refuse(reader, "the body has %u bytes: it must be empty", reader->length);
    return 0;
}

int stream_read_outer_begin(struct stream_reader *reader)
{
    uint8_t header[OUTER_HEADER_SIZE];
    uint32_t version, options;

    enter(reader, STREAM_LAYER_OUTER);
    if (take(reader, header, sizeof(header), "header") != 0)
        return -1;
    version = get_be32(header + 8);
    options = get_be32(header + 12);
    if (get_be64(header) != OUTER_IDENT)
        return stream_refuse(reader,
                             "the identifier is %#llx: it must be %#llx, \"LibxlFmt\"; a stream of Xen 4.5 or "
                             "older has none and cannot be read",
                             (unsigned long long)get_be64(header), OUTER_IDENT);
    if (version != OUTER_VERSION)
        return stream_refuse(reader, "the version is %u: only version %u can be read", version, OUTER_VERSION);
    if ((options & OUTER_BIG_ENDIAN) != 0)
        return stream_refuse(reader, "the options are %#x: a big-endian stream cannot be read", options);
    if ((options & OUTER_LEGACY) != 0)
        return stream_refuse(reader, "the options are %#x: a stream converted from a legacy one cannot be read",
                             options);
    if (options != 0)
        return stream_refuse(reader, "the options are %#x: none but bits 0 and 1 are known", options);
    return next_outer(reader, OUTER_LIBXC_CONTEXT);
}

static int check_image_header(struct stream_reader *reader, const uint8_t *header)
{
    uint32_t ident = get_be32(header + 8), options = get_be16(header + 16);

    reader->version = get_be32(header + 12);
    if (get_be64(header) != INNER_MARKER)
        return stream_refuse(reader,
                             "the marker is %#llx: it must be %#llx; a legacy stream has none and cannot be read",
                             (unsigned long long)get_be64(header), INNER_MARKER);
    if (ident != INNER_IDENT)
        return stream_refuse(reader, "the identifier is %#x: it must be %#x, \"XENF\"", ident, INNER_IDENT);
    if (reader->version != 2 && reader->version != INNER_VERSION)
        return stream_refuse(reader, "the version is %u: only 2 and %u can be read", reader->version, INNER_VERSION);
    if ((options & INNER_BIG_ENDIAN) != 0)
        return stream_refuse(reader, "the options are %#x: a big-endian stream cannot be read", options);
    if (options != 0)
        return stream_refuse(reader, "the options are %#x: none but bit 0 is known", options);
    return 0;
}

static int check_domain_header(struct stream_reader *reader, const uint8_t *header)
{
    uint32_t type = get_le32(header), shift = get_le32(header + 4) & 0xFFFF;

    if (type == DOMAIN_TYPE_HVM)
        return stream_refuse(reader, "the domain's type is 2, HVM: only PV guests (1) can be restored");
    if (type != DOMAIN_TYPE_PV)
        return stream_refuse(reader, "the domain's type is %u: only 1, PV, can be restored", type);
    if (shift != DOMAIN_PAGE_SHIFT)
        return stream_refuse(reader, "the page shift is %u: only %u is possible", shift, DOMAIN_PAGE_SHIFT);
    if (get_le32(header + 8) == 0)
        return stream_refuse(reader,
                             "the version of Xen is 0: a stream converted from a legacy one cannot be restored");
    return 0;
}

int stream_read_inner_begin(struct stream_reader *reader)
{
    uint8_t header[INNER_HEADER_SIZE];

    enter(reader, STREAM_LAYER_INNER);
    if (take(reader, header, sizeof(header), "header") != 0 || check_image_header(reader, header) != 0)
        return -1;
    reader->record_at = reader->offset;
    if (take(reader, header, DOMAIN_HEADER_SIZE, "domain header") != 0)
        return -1;
    return check_domain_header(reader, header);
}

int stream_read_record(struct stream_reader *reader, void *buffer, struct stream_record *record)
{
    uint8_t padding[8] = {0};

    if (next_record(reader, STREAM_RECORD_TYPES) != 0)
        return -1;
    if (take(reader, buffer, reader->length, "body") != 0 ||
        take(reader, padding, padding_of(reader->length), "padding") != 0)
        return -1;
    if (get_le64(padding) != 0)
        return stream_refuse(reader, "the padding after %u bytes of body is not zero", reader->length);
    *record = (struct stream_record){.type = reader->type, .length = reader->length, .body = buffer};
    return 0;
}

int stream_read_outer_end(struct stream_reader *reader)
{
    reader->layer = STREAM_LAYER_OUTER;
    reader->record_number = 1; /* LIBXC_CONTEXT was the first */
    return next_outer(reader, OUTER_END);
}
