/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The console backend as the rest of dom0 sees it: one console per introduced domain, its log, its listeners, its input.
 * A console outlives its domain: when the domain dies the console is marked dead, and its log stays readable until 64
 * more domains have died. All functions are called from dom0's cooperative threads; none of them may be called from
 * inside a sink.
 */
#ifndef PARAVANE_CONSOLE_H
#define PARAVANE_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <abi/xen.h>

#define CONSOLE_DEAD_KEPT   64u
#define CONSOLE_DEAD_BYTES  (16u * 1024u * 1024u) /* of their logs together; the newest stays in any case */
#define CONSOLE_NAME_MAX    64u
#define CONSOLE_LOG_DEFAULT (64u * 1024u)

struct console;

struct console_info {
    domid_t domid;
    bool dead;
    char name[CONSOLE_NAME_MAX]; /* as the store had it last; empty when it had none */
    uint64_t log_first;          /* offset of the oldest byte the log still holds */
    uint64_t log_end;            /* offset one past the newest byte: the number of bytes the domain ever printed */
    uint64_t throttled;          /* how often the flood limit stopped this domain for a while */
};

/*
 * A listener. The caller owns the structure, fills in `bytes` and `arg`, and keeps it alive between attach and detach.
 * `bytes` runs in the backend's thread and must not block; it is called with len 0 once, when the domain is gone, and
 * the sink is detached by then.
 */
struct console_sink {
    void (*bytes)(void *arg, const char *bytes, size_t len);
    void *arg;
    struct console_sink *next;
    domid_t domid;
    bool attached;
};

/* Starts the backend's thread. Call once, after xenstored_start(). Returns 0 or a negative errno value. */
int console_start(void);

/*
 * Pointers that these return are good until the caller waits for something; look the console up again after that.
 * The console of a live domain, or NULL. Looks in the store at once for a domain that the backend has not met yet.
 */
struct console *console_find(domid_t domid);

/* The console of the domain that died last under this domid, or this name; NULL when it is not among those kept. */
struct console *console_find_dead(domid_t domid);
struct console *console_find_dead_name(const char *name);

/* The console of a domain called so that lives, or whose end the backend has not heard of yet. */
struct console *console_find_name(const char *name);

/*
 * Takes what a domain left in its ring when it stopped, flood limit or not: its last words are in the log then. Whoever
 * waits for the backend's thread instead misses them when the domain is over the limit, or dom0 has much to do.
 */
void console_catch_up(domid_t domid);

/* Walks all consoles, the live ones first, then the dead from the newest to the oldest. Start with NULL. */
struct console *console_next(struct console *after);

/* It is called otherwise from now on; the log keeps the last name after its end. */
void console_rename(domid_t domid, const char *name);

void console_get_info(const struct console *console, struct console_info *info);

/* Delivers what the domain prints from now on to the sink. 0, -ENOENT (no such live domain) or -ENXIO (no console). */
int console_attach(domid_t domid, struct console_sink *sink);
void console_detach(struct console_sink *sink);

/* Bytes typed by the user. Returns how many were taken (the rest did not fit: try again later) or -ENOENT, -ENXIO. */
ssize_t console_input(domid_t domid, const void *bytes, size_t len);

/*
 * Copies at most `len` bytes of the log from absolute offset `offset` on; one that is too old reads from the oldest kept
 * byte instead. Returns the number of bytes copied, 0 at the end; `*at`, if not NULL, gets the offset they came from.
 */
size_t console_log(const struct console *console, uint64_t offset, void *buf, size_t len, uint64_t *at);

#endif
