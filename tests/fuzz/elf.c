/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels from who knows where: packed or not, the parser takes nothing from outside the file, and what it accepts is
 * a set of segments that lie in the file, in order, inside the range it names.
 */
#include <stdlib.h>
#include <string.h>
#include "dom0-tools/builder/elfimage.h"
#include "dom0-tools/builder/unpack.h"
#include "dom0-tools/builder/workspace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT (4u << 20)

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void touch(const uint8_t *data, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        (void)*(const volatile uint8_t *)(data + i);
}

static void parse(const uint8_t *file, size_t size)
{
    struct elf_image image;
    const char *why = NULL;

    memset(&image, 0, sizeof(image));
    if (elf_image_parse(file, size, &image, &why) != 0) {
        demand(why != NULL && *why != '\0');
        return;
    }
    demand(image.segment_count <= ELF_IMAGE_SEGMENTS && image.guest_start <= image.guest_end);
    for (unsigned int i = 0; i < image.segment_count; i++) {
        const struct elf_segment *segment = &image.segments[i];

        demand(segment->file_size <= segment->mem_size);
        demand(segment->guest_addr >= image.guest_start);
        demand(segment->mem_size <= image.guest_end - segment->guest_addr);
        demand(i == 0 || segment[-1].guest_addr <= segment->guest_addr);
        touch(segment->data, segment->file_size);
    }
    demand(memchr(image.guest_os, '\0', sizeof(image.guest_os)) && memchr(image.loader, '\0', sizeof(image.loader)));
    if (image.bsd_symtab && image.symtab_size < LIMIT) {
        void *table = malloc(image.symtab_size);

        elf_image_write_symtab(&image, table);
        free(table);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    const char *why = NULL;
    size_t unpacked_size = 0;
    void *unpacked;

    memcpy(exact, data, size);
    parse(exact, size);
    if (unpack_needed(exact, size)) {
        unpacked = unpack(exact, size, LIMIT, &unpacked_size, &why);
        demand(unpacked != NULL || why != NULL);
        if (unpacked != NULL) {
            parse(unpacked, unpacked_size);
            workspace_put(unpacked, unpacked_size);
        }
    }
    free(exact);
    return 0;
}
