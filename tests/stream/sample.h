/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Saved domains for tests: a good one of any shape in memory, made with the real writer, and a restorer that has no domain
 * but looks at everything that a real one would.
 */
#ifndef TESTS_STREAM_SAMPLE_H
#define TESTS_STREAM_SAMPLE_H

#include "dom0-tools/stream/decode.h"

struct memory {
    uint8_t *data;
    size_t used, size;
    size_t at;    /* of a reader */
    size_t chunk; /* what one read gives at most; 0: all */
    int fails;    /* what every read and write returns, if not 0 */
};

struct byte_sink memory_sink(struct memory *memory);
struct byte_source memory_source(struct memory *memory);
void memory_free(struct memory *memory);

struct sample {
    unsigned int width, vcpus, pages, rounds;
    bool optional; /* with records that a reader may pass over */
    bool verify;   /* all pages come once more, to be compared */
};

/* The file of a domain of that shape; `json` in its header. */
void sample_write(struct memory *memory, const struct sample *sample, const char *json);
extern const char sample_json[];

/* Where libxl's stream begins, and the first record of a type in libxc's, which begins 24 bytes behind. */
size_t sample_outer(const struct memory *memory);
size_t sample_find(const struct memory *memory, uint32_t type);

/* One record as a writer would put it, for streams that are not good. */
void sample_record(struct stream_writer *writer, uint32_t type, const void *body, size_t size);
void sample_page_data(struct stream_writer *writer, const uint64_t *words, unsigned int count);
void sample_p2m(struct stream_writer *writer, const struct sample *sample);
void sample_pv_info(struct stream_writer *writer, unsigned int width, unsigned int levels);
void sample_registers(struct stream_writer *writer, const struct sample *sample);

struct sample_totals {
    uint64_t records, pages, data_pages;
    unsigned int vcpus;
};

/* Reads to the end as a restorer would. 0, or -1 with the error. */
int sample_read(const struct byte_source *source, struct stream_error *error, struct sample_totals *totals);

/* The same from the inner stream on, of a reader that stands before it. */
int sample_read_inner(struct stream_reader *reader, struct sample_totals *totals);

#endif
