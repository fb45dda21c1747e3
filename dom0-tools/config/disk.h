/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A disk as a configuration describes it, in the syntax of xl-disk-configuration(5), and the numbers that virtual disks'
 * names stand for, as xen-vbd-interface(7) has them.
 */
#ifndef CONFIG_DISK_H
#define CONFIG_DISK_H

#include <stdbool.h>
#include <stddef.h>

#define DISK_VDEV_MAX  16 /* bytes of a name with its NUL: "xvdzz255" is among the longest */
#define DISK_ERROR_MAX 200

struct disk {
    char *target; /* absolute; "" for an empty CD-ROM drive */
    char vdev[DISK_VDEV_MAX];
    unsigned int number; /* of the vdev */
    bool read_only, cdrom;
    bool shared;    /* access=w!: others may write it too */
    bool untrusted; /* said to the frontend */
};

/* Takes a specification apart. 0, or -1 with a sentence in `why`; `disk` is to be freed in both cases. */
int disk_parse(const char *spec, struct disk *disk, char why[DISK_ERROR_MAX]);
void disk_free(struct disk *disk);
bool disk_copy(struct disk *to, const struct disk *from);

/* The number of "xvda1", "d0p1", "sda", "hdc", "51712" or "0xca00"; false when it names none. */
bool disk_number(const char *vdev, unsigned int *number);

#endif
