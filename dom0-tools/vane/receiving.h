/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Domains that other hosts send over a link: whether they are taken, and what became of them.
 */
#ifndef VANE_RECEIVING_H
#define VANE_RECEIVING_H

#include "arriving.h"

/* Starts the links. Nothing is taken until migrate-receive says so. */
void receiving_start(void);

/* What `list -l` says of a domain whose hand-over is in doubt; NULL: it is not. */
const char *receiving_doubt(const char *name);

#endif
