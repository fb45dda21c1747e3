/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The consoles themselves: who exists, who listens, what was logged. console.h is the outside view; the backend's
 * threads use this one. Nothing here makes a hypercall or waits; what it needs from below is in the last block.
 */
#ifndef CONSOLE_TABLE_H
#define CONSOLE_TABLE_H

#include <sys/queue.h>

#include "console.h"
#include "ring.h"

struct console {
    TAILQ_ENTRY(console) link;    /* of the live, or of the dead */
    LIST_ENTRY(console) by_domid; /* live ones only */
    LIST_ENTRY(console) by_port;  /* connected ones only */
    domid_t domid;
    bool dead;
    char name[CONSOLE_NAME_MAX];
    struct console_log_buffer log;
    struct console_sink *sinks;

    struct xencons_interface *ring; /* NULL while not connected */
    unsigned int how_mapped;
    unsigned int port, remote_port;
    unsigned long ring_ref;
    struct flood flood;
    bool throttled; /* its port stays masked until flood.period_end */
    uint64_t times_throttled;
    unsigned int lies;
};

/* A live console for the domain; the one there is, or a new one. NULL: out of memory. */
struct console *table_add(domid_t domid);
struct console *table_find(domid_t domid);
struct console *table_find_port(unsigned int port);
struct console *table_first_live(void);

/* The ring has been mapped and the port bound; or neither is any more. */
void table_connected(struct console *console, unsigned int port);
void table_disconnected(struct console *console);

/* Moves output from the ring to log and sinks. `now` is for the flood limit. */
void table_drain(struct console *console, uint64_t now);

/* Empties the ring for the last time, says goodbye to the sinks, and keeps the log among the dead. */
void table_retire(struct console *console);

/* Frees everything: for tests. */
void table_clear(void);

/* From below: tells the guest that indices moved; says something in dom0's log. */
void console_notify(unsigned int port);
void console_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Connects to a domain that has not been met yet, if the store knows how. */
void console_discover(domid_t domid);

/* Lets the ring go; the console keeps what it logged. */
void console_disconnect(struct console *console);

#endif
