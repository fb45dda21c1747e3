/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The saved domain as Xen's tools write it: the file of `xl save` around the stream of libxl (version 2) around the stream
 * of libxc (version 3). Writing and reading records, with every rule that can be checked without a domain; nothing here
 * makes a hypercall. All integers of the stream are little-endian except those of the two headers that say otherwise.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdbool.h>

#include "bytes.h"

enum stream_record_type {
    STREAM_END,
    STREAM_PAGE_DATA,
    STREAM_PV_INFO,
    STREAM_PV_P2M_FRAMES,
    STREAM_PV_VCPU_BASIC,
    STREAM_PV_VCPU_EXTENDED,
    STREAM_PV_VCPU_XSAVE,
    STREAM_SHARED_INFO,
    STREAM_TSC_INFO,
    STREAM_HVM_CONTEXT,
    STREAM_HVM_PARAMS,
    STREAM_TOOLSTACK,
    STREAM_PV_VCPU_MSRS,
    STREAM_VERIFY,
    STREAM_CHECKPOINT,
    STREAM_CHECKPOINT_DIRTY_PFN_LIST,
    STREAM_STATIC_DATA_END,
    STREAM_CPUID_POLICY,
    STREAM_MSR_POLICY,
    STREAM_RECORD_TYPES
};
#define STREAM_OPTIONAL       0x80000000u
#define STREAM_BODY_MAX       (8u << 20) /* of any record, in bytes; Xen's tools have the same limit */
#define STREAM_CONFIG_MAX     (1u << 20) /* of the configuration, in bytes */
#define STREAM_BATCH_MAX      1024u      /* pages in one PAGE_DATA record */

#define STREAM_PFN_MASK       0x000FFFFFFFFFFFFFull
#define STREAM_PFN_TYPE_SHIFT 60 /* XEN_DOMCTL_PFINFO_* >> 28 */

#define STREAM_ERROR_SIZE     256
struct stream_error {
    char text[STREAM_ERROR_SIZE]; /* a sentence that names the record, its number and the offset in the stream */
};

struct stream_part {
    const void *data;
    size_t size;
};

/* Writing. Every function returns 0 or a negative errno, which then stays. */
struct stream_writer {
    const struct byte_sink *sink;
    uint64_t offset;
    int failed;
};

void stream_writer_start(struct stream_writer *writer, const struct byte_sink *sink);
/* xl's layer: the configuration is libxl's JSON, with its closing NUL counted. */
int stream_write_file_header(struct stream_writer *writer, const char *json);
int stream_write_outer_begin(struct stream_writer *writer); /* libxl's header and LIBXC_CONTEXT */
int stream_write_inner_begin(struct stream_writer *writer); /* image header and domain header of a PV guest */
int stream_write_record(struct stream_writer *writer, uint32_t type, const struct stream_part *parts, size_t count);
int stream_write_outer_end(struct stream_writer *writer);

enum stream_layer { STREAM_LAYER_FILE, STREAM_LAYER_OUTER, STREAM_LAYER_INNER };

/* Reading, one record after the other. -1 with the error set for anything malformed, truncated or unsupported. */
struct stream_reader {
    const struct byte_source *source;
    struct stream_error *error;
    enum stream_layer layer;
    uint64_t offset;        /* bytes read so far */
    uint64_t record_at;     /* offset of the current record's, or layer's, header */
    uint32_t record_number; /* from 1 within its layer; 0: the layer's header is being read */
    uint32_t type, length;  /* of the current record */
    uint32_t version;       /* of the inner stream: 2 or 3 */
};

struct stream_record {
    uint32_t type, length;
    const uint8_t *body; /* length bytes, 8-byte aligned, good until the next call */
};

void stream_reader_start(struct stream_reader *reader, const struct byte_source *source, struct stream_error *error);
/* The configuration, to be freed; NULL with the error. A limit of 1 MiB. */
char *stream_read_file_header(struct stream_reader *reader);
int stream_read_outer_begin(struct stream_reader *reader);
int stream_read_inner_begin(struct stream_reader *reader);
/* The next record that is not skipped as optional, into the caller's 8-byte aligned buffer of STREAM_BODY_MAX bytes. */
int stream_read_record(struct stream_reader *reader, void *buffer, struct stream_record *record);
int stream_read_outer_end(struct stream_reader *reader);
/* Sets the error with record, number and offset in front of the words. Returns -1. */
int stream_refuse(struct stream_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *stream_record_name(uint32_t type);

#endif
