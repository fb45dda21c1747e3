/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Fuzzing the restore of a domain, over a hypervisor that is not there: whatever the stream says, no frame but the
 * domain's own is ever named, nothing stays mapped, and a refusal has words.
 */
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/migration/migration.h"
#include "fake_domain.h"
#include "tests/stream/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory = {.data = malloc(size), .used = size};
    struct byte_source source = memory_source(&memory);
    struct migration_target target = {.domid = 1, .store_port = 1, .console_port = 2};
    struct migration_result result;
    struct stream_error error = {""};
    struct stream_reader reader;
    int status;

    memcpy(memory.data, data, size);
    fake_domain_reset();
    stream_reader_start(&reader, &source, &error);
    status = migration_restore(&target, &reader, &result);
    fake_domain_check(status == 0);
    if (status != 0 && error.text[0] == '\0')
        abort();
    free(memory.data);
    return 0;
}
