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

/*
 * What the hand-over of a domain of this name (or of its copy's, NAME--incoming) has come to, after "its hand-over is";
 * NULL: there is none. Such a domain must not be started by hand: the other host's copy may run.
 */
const char *receiving_claim(const char *name);

/* It has been sent, and only the other host knows whether it runs there. Destroying it may leave none. */
bool receiving_doubts(const char *name);

#endif
