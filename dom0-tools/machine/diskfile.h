/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine's disks as files of dom0's C library: /dev/vda and so on.
 */
#ifndef MACHINE_DISKFILE_H
#define MACHINE_DISKFILE_H

/* Makes the directory /dev, with the volumes that are registered under it, now or later. */
void diskfile_mount(void);

#endif
