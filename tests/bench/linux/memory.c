/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Address spaces: mapping, unmapping, the faults between. Here a PV kernel asks the hypervisor most.
 */
#define _GNU_SOURCE
#include "lat.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE       4096UL
#define FILE_PAGES 256UL
#define MAP_BYTES  (1UL << 20)

static char *map(size_t bytes, int flags, int fd)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (memory == MAP_FAILED)
        fail("mmap");
    return memory;
}

/* Maps a megabyte of a file, touches every 16th page, unmaps it. */
static void map_touch_unmap(void *state, unsigned count)
{
    while (count--) {
        char *memory = map(MAP_BYTES, MAP_SHARED, *(int *)state);

        for (size_t at = 0; at < MAP_BYTES; at += 16 * PAGE)
            ((volatile char *)memory)[at] = 1;
        munmap(memory, MAP_BYTES);
    }
}

static void map_unmap(void *state, unsigned count)
{
    while (count--)
        munmap(map(MAP_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1), MAP_BYTES);
}

/* An operation is one fault on a page that has no frame; mapping and unmapping are shared by FILE_PAGES of them. */
static void anonymous_faults(void *state, unsigned count)
{
    for (; count; count -= FILE_PAGES) {
        char *memory = map(FILE_PAGES * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

        madvise(memory, FILE_PAGES * PAGE, MADV_NOHUGEPAGE);
        for (size_t page = 0; page < FILE_PAGES; page++)
            ((volatile char *)memory)[page * PAGE] = 1;
        munmap(memory, FILE_PAGES * PAGE);
    }
}

/* The same on pages of a file that are in memory, in an order that defeats mapping them around a fault. */
static void file_faults(void *state, unsigned count)
{
    for (; count; count -= FILE_PAGES) {
        char *memory = map(FILE_PAGES * PAGE, MAP_SHARED, *(int *)state);

        madvise(memory, FILE_PAGES * PAGE, MADV_RANDOM);
        for (size_t page = 0; page < FILE_PAGES; page++)
            ((volatile char *)memory)[(page * 37 % FILE_PAGES) * PAGE] = 1;
        munmap(memory, FILE_PAGES * PAGE);
    }
}

/* An operation makes FILE_PAGES present pages read-only and writable again. */
static void protect(void *state, unsigned count)
{
    while (count--) {
        check(mprotect(state, FILE_PAGES * PAGE, PROT_READ), "mprotect");
        check(mprotect(state, FILE_PAGES * PAGE, PROT_READ | PROT_WRITE), "mprotect");
    }
}

void bench_memory(void)
{
    static char zeros[PAGE];
    int file = (int)check(open("/tmp/bench-file", O_RDWR | O_CREAT | O_TRUNC, 0600), "/tmp/bench-file");
    char *memory = map(FILE_PAGES * PAGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);

    for (size_t page = 0; page < MAP_BYTES / PAGE; page++)
        check(write(file, zeros, PAGE), "write /tmp/bench-file");
    measure("mmap 1 MiB, touch 16", map_touch_unmap, &file, 50);
    measure("mmap 1 MiB, touch none", map_unmap, NULL, 500);
    measure("page fault (file)", file_faults, &file, 4 * FILE_PAGES);
    measure("page fault (anonymous)", anonymous_faults, NULL, 4 * FILE_PAGES);
    measure("mprotect 256 pages, twice", protect, memory, 50);
    munmap(memory, FILE_PAGES * PAGE);
    close(file);
    unlink("/tmp/bench-file");
}
