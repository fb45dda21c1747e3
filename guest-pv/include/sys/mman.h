/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Protection and mapping flags, for the calls that borrow them from mmap(). There is no mmap() itself.
 */
#ifndef SYS_MMAN_H
#define SYS_MMAN_H

#define PROT_NONE   0
#define PROT_READ   1
#define PROT_WRITE  2
#define PROT_EXEC   4

#define MAP_SHARED  1
#define MAP_PRIVATE 2
#define MAP_FIXED   16
#define MAP_FAILED  ((void *)-1)

#endif
