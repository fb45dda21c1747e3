/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Fuzzing the reader with all its decoders: a whole file where the input begins like one, libxc's stream otherwise. Every
 * refusal must have words and an offset.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/stream/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory = {.data = malloc(size), .used = size};
    struct byte_source source = memory_source(&memory);
    struct stream_error error = {""};
    struct sample_totals totals = {0};
    struct stream_reader reader;
    int status;

    memcpy(memory.data, data, size);
    if (size > 3 && memcmp(data, "Xen", 3) == 0) {
        status = sample_read(&source, &error, &totals);
    } else {
        stream_reader_start(&reader, &source, &error);
        status = sample_read_inner(&reader, &totals);
    }
    if (status != 0 && strstr(error.text, "at offset 0x") == NULL)
        abort();
    free(memory.data);
    return 0;
}
