/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Client of the xenstore: a small tree of values that domains and tools share, with watches, permissions and
 * transactions. Source-compatible with libxenstore 4: a program written for that compiles here unchanged.
 *
 * Unless said otherwise a function that fails sets errno and returns false or NULL (an int: -1), and a returned pointer
 * is to be passed to free(). Paths are absolute ("/local/domain/3/name") or, in a guest, relative to its own
 * "/local/domain/<domid>". A handle may be used by several threads at once.
 */
#ifndef XENSTORE_H
#define XENSTORE_H

#include <xenstore_lib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "No transaction" for every call that takes one. */
#define XBT_NULL 0

/* Accepted and ignored. */
#define XS_OPEN_READONLY   (1UL << 0)
#define XS_OPEN_SOCKETONLY (1UL << 1)

/*
 * After xs_unwatch has returned, no event of that watch (its token, a path at or below its path) is delivered any more.
 * Without the flag, events that were already on their way may still show up.
 */
#define XS_UNWATCH_FILTER (1UL << 2)

struct xs_handle;
typedef uint32_t xs_transaction_t;

struct xs_handle *xs_open(unsigned long flags);
void xs_close(struct xs_handle *xsh); /* NULL is fine; ends the handle's watches and transactions */

/* Older names of xs_open(0) and xs_close. */
struct xs_handle *xs_daemon_open(void);
struct xs_handle *xs_domain_open(void);
struct xs_handle *xs_daemon_open_readonly(void);
void xs_daemon_close(struct xs_handle *xsh);
void xs_daemon_destroy_postfork(struct xs_handle *xsh);

/* Names of the children, in one allocation; `*num` is how many. However many there are. */
char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num);

/* The value with a NUL added behind it; `*len`, if wanted, does not count that NUL. */
void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len);

/* Creates the node and its parents as needed. */
bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data, unsigned int len);

/* An existing node stays as it is, and that is a success. */
bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path);

/* Removes the node with everything below. A success too when it did not exist but its parent does. */
bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path);

/* Always fails with EOPNOTSUPP: no connection gives up its identity. */
bool xs_restrict(struct xs_handle *h, unsigned domid);

/* Entry 0 is the owner with everyone else's rights; see struct xs_permissions. Only dom0 may change an owner. */
struct xs_permissions *xs_get_permissions(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num);
bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t, const char *path, struct xs_permissions *perms,
                        unsigned int num_perms);

/* Reports each change at or below the path; once at the start, whatever there is. "@releaseDomain", ... are special. */
bool xs_watch(struct xs_handle *h, const char *path, const char *token);

/* Descriptor for poll(); -1 with ENOSYS where there are none (guest-pv: block in xs_read_watch in a thread instead). */
int xs_fileno(struct xs_handle *h);

/*
 * The next event: an array of two strings, [XS_WATCH_PATH] and [XS_WATCH_TOKEN]. xs_check_watch does not wait: NULL with
 * EAGAIN when there is none. xs_read_watch waits.
 */
char **xs_check_watch(struct xs_handle *h);
char **xs_read_watch(struct xs_handle *h, unsigned int *num);

/* ENOENT when this handle has no watch with that path and token. */
bool xs_unwatch(struct xs_handle *h, const char *path, const char *token);

/* XBT_NULL when it failed. Changes made by others after the start are not seen inside. */
xs_transaction_t xs_transaction_start(struct xs_handle *h);

/* With `abort`, drops everything done inside. False with EAGAIN: somebody else's change conflicts, do it all again. */
bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort);

/* Management, for dom0 only. `mfn` is the guest's ring page, `eventchn` the port the guest left unbound for the store. */
bool xs_introduce_domain(struct xs_handle *h, unsigned int domid, unsigned long mfn, unsigned int eventchn);
bool xs_set_target(struct xs_handle *h, unsigned int domid, unsigned int target);
bool xs_resume_domain(struct xs_handle *h, unsigned int domid);
bool xs_release_domain(struct xs_handle *h, unsigned int domid);

/* "/local/domain/<domid>". */
char *xs_get_domain_path(struct xs_handle *h, unsigned int domid);
bool xs_is_domain_introduced(struct xs_handle *h, unsigned int domid);

/* True if `child` is `parent` or lies below it, judged by the strings alone. Cannot fail. */
bool xs_path_is_subpath(const char *parent, const char *child);

/* Sends a daemon-specific command ("help" lists them) with further NUL-separated arguments; returns its answer. */
char *xs_control_command(struct xs_handle *h, const char *cmd, void *data, unsigned int len);
char *xs_debug_command(struct xs_handle *h, const char *cmd, void *data, unsigned int len);

/* The port that the domain offered for suspend requests, or -1. */
int xs_suspend_evtchn_port(int domid);

#ifdef __cplusplus
}
#endif
#endif
