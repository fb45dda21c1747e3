/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What became of the domains that ended last, for those who looked away: why, and which domain took their place.
 */
#ifndef VANE_ENDS_H
#define VANE_ENDS_H

#include <stdbool.h>

#include <abi/xen.h>

struct domain_end {
    domid_t domid;
    unsigned int reason; /* SHUTDOWN_* */
    bool has_successor;
    domid_t successor;
};

/* Notes an end; it is forgotten when 32 more domains have ended. */
void end_add(domid_t domid, unsigned int reason);

/* What took the place of a domain, if its end is not forgotten by now. */
void end_succeeded(domid_t domid, domid_t successor);

/* NULL: it did not end by itself, or too long ago. Good until the next end is noted. */
const struct domain_end *end_find(domid_t domid);

/*
 * The last lines a domain printed, live or dead, each with a newline and "    | " in front and without what a terminal
 * would not show; empty when it printed none. To be freed; NULL when memory is short.
 */
char *last_words(domid_t domid);

#endif
