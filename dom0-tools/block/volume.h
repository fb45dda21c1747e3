/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A volume is what lies behind a virtual disk: sectors of 512 bytes, in memory or on a disk of the machine. Requests
 * are asynchronous; a volume that can answer at once may call `done` before submit returns.
 */
#ifndef BLOCK_VOLUME_H
#define BLOCK_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VOLUME_SECTOR_SIZE  512u
#define VOLUME_SEGMENTS_MAX 256u

enum volume_operation {
    VOLUME_READ,
    VOLUME_WRITE,
    VOLUME_FLUSH, /* no segments; done when everything written before it lies on the medium */
};

/* Part of one page of memory: where we see it, and its machine address for devices that fetch it themselves. */
struct volume_segment {
    void *data;
    uint64_t machine;
    uint32_t bytes; /* a multiple of the sector size, at most a page */
};

/* Belongs to the submitter, which keeps it and its segments alive and unchanged until `done`. */
struct volume_request {
    enum volume_operation operation;
    uint64_t sector;
    const struct volume_segment *segments;
    unsigned int segment_count;
    void (*done)(struct volume_request *request, int status); /* 0 or a negative errno; in a thread, never a handler */
    void *owner;                                              /* the submitter's */
    struct volume_request *next;                              /* the volume's */
};

struct volume;

struct volume_operations {
    /* The request lies inside the volume and is allowed: volume_submit saw to it. Cannot fail; `done` tells. */
    void (*submit)(struct volume *volume, struct volume_request *request);
    /* Nobody uses it any more and no request is under way. NULL: nothing to do, the volume stays registered. */
    void (*close)(struct volume *volume);
};

struct volume {
    const struct volume_operations *operations;
    char name[64]; /* "/dev/vda", "/images/root.img" */
    uint64_t sectors;
    bool read_only;                /* the medium itself is */
    unsigned int readers, writers; /* who has it open; volume_open and volume_close count */
    struct volume *next;
};

/* Makes a disk of the machine known under its name (which must be unique: -EEXIST) for as long as the machine runs. */
int volume_register(struct volume *volume);

/* The volumes that are registered, NULL after the last. */
struct volume *volume_next(struct volume *after);

/*
 * Opens a registered volume or a file of dom0's file system by name. Any number may read one that nobody writes; one
 * writes alone, unless `shared`. NULL with errno: ENOENT, EROFS (writable wanted), EBUSY, EINVAL (not whole sectors), ENOMEM.
 */
struct volume *volume_open(const char *name, bool writable, bool shared);
void volume_close(struct volume *volume, bool writable);

/* Checks the range and the permission (-EIO, -EROFS, -EINVAL by `done`), then hands the request on. */
void volume_submit(struct volume *volume, struct volume_request *request);

/* The same for a caller that waits: the bytes at `data` may lie anywhere in our memory. 0 or a negative errno. */
int volume_transfer(struct volume *volume, enum volume_operation operation, uint64_t sector, void *data, size_t bytes);

#endif
