/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store client's calls: each packs its arguments, asks, and unpacks the answer. Contracts are in include/xenstore.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>

#include "link.h"

#define END_TRIES    100u
#define END_PAUSE_NS 10000000u

struct xs_handle *xs_open(unsigned long flags)
{
    struct xs_handle *h = calloc(1, sizeof(*h));
    int error = h ? xs_link_attach(h) : ENOMEM;

    if (error) {
        free(h);
        errno = error;
        return NULL;
    }
    h->flags = flags;
    return h;
}

static struct xs_piece string_piece(const char *string)
{
    return (struct xs_piece){string, strlen(string) + 1};
}

/* For requests whose answer says nothing but that they were carried out. */
static bool command(uint32_t type, xs_transaction_t t, const struct xs_piece *pieces, unsigned int count)
{
    char *reply = xs_link_ask(type, t, pieces, count, NULL);

    free(reply);
    return reply != NULL;
}

static char *ask_one(uint32_t type, xs_transaction_t t, const char *string, size_t *len)
{
    struct xs_piece piece = string_piece(string);

    return xs_link_ask(type, t, &piece, 1, len);
}

static bool command_one(uint32_t type, xs_transaction_t t, const char *string)
{
    struct xs_piece piece = string_piece(string);

    return command(type, t, &piece, 1);
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
    size_t size = 0;
    char *value = ask_one(XS_READ, t, path, &size);

    if (value && len)
        *len = (unsigned int)size;
    return value;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data, unsigned int len)
{
    struct xs_piece pieces[2] = {string_piece(path), {data, len}};

    return command(XS_WRITE, t, pieces, 2);
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    return command_one(XS_MKDIR, t, path);
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    return command_one(XS_RM, t, path);
}

bool xs_restrict(struct xs_handle *h, unsigned domid)
{
    errno = EOPNOTSUPP;
    return false;
}

static unsigned int count_strings(const char *strings, size_t len)
{
    unsigned int count = 0;

    for (size_t i = 0; i < len; i++)
        count += strings[i] == '\0';
    return count;
}

/* One allocation: the pointers, then the strings. Frees the strings it was given. */
static char **string_array(char *strings, size_t len, unsigned int *num)
{
    unsigned int count = count_strings(strings, len);
    char **array = malloc(count * sizeof(*array) + len + 1), *at;

    if (array) {
        at = (char *)(array + count);
        memcpy(at, strings, len);
        for (unsigned int i = 0; i < count; i++, at += strlen(at) + 1)
            array[i] = at;
        *num = count;
    }
    free(strings);
    return array;
}

struct listing {
    char *names;
    size_t len;
    char generation[24];
    bool complete;
};

/* Adds what one DIRECTORY_PART reply brought. EAGAIN: the directory changed meanwhile. */
static int add_part(struct listing *listing, const char *reply, size_t len)
{
    size_t head = strnlen(reply, len) + 1;
    char *larger;

    if (head > len || head > sizeof(listing->generation))
        return EINVAL;
    if (!listing->len)
        memcpy(listing->generation, reply, head);
    else if (strcmp(listing->generation, reply))
        return EAGAIN;
    len -= head;
    /* An empty name, alone or behind the others, ends the list. */
    if (len && reply[head + len - 1] == '\0' && (len == 1 || reply[head + len - 2] == '\0')) {
        listing->complete = true;
        len--;
    } else if (!len) {
        return EINVAL;
    }
    larger = realloc(listing->names, listing->len + len + 1);
    if (!larger)
        return ENOMEM;
    memcpy(larger + listing->len, reply + head, len);
    listing->names = larger;
    listing->len += len;
    return 0;
}

static int ask_part(xs_transaction_t t, const char *path, struct listing *listing)
{
    char offset[24];
    struct xs_piece pieces[2] = {string_piece(path), {offset, 0}};
    size_t len;
    char *reply;
    int error;

    pieces[1].len = (size_t)snprintf(offset, sizeof(offset), "%zu", listing->len) + 1;
    reply = xs_link_ask(XS_DIRECTORY_PART, t, pieces, 2, &len);
    if (!reply)
        return errno == ENOSYS ? E2BIG : errno;
    error = add_part(listing, reply, len);
    free(reply);
    return error;
}

#define LIST_TRIES 100

/* A list that is too long for one reply, fetched in parts; from the start again if it changes in between. Whose list it is
 * may change it all the time: then EAGAIN. */
static char *directory_in_parts(xs_transaction_t t, const char *path, size_t *len)
{
    struct listing listing = {.len = 0};
    unsigned int tries = LIST_TRIES;
    int error = 0;

    while (!listing.complete && !error) {
        error = ask_part(t, path, &listing);
        if (error == EAGAIN && --tries > 0) {
            listing.len = 0;
            error = 0;
        }
    }
    if (error) {
        free(listing.names);
        errno = error;
        return NULL;
    }
    *len = listing.len;
    return listing.names;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
    size_t len;
    char *names = ask_one(XS_DIRECTORY, t, path, &len);

    if (!names && errno == E2BIG)
        names = directory_in_parts(t, path, &len);
    return names ? string_array(names, len, num) : NULL;
}

struct xs_permissions *xs_get_permissions(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
    struct xs_permissions *perms;
    size_t len;
    char *reply = ask_one(XS_GET_PERMS, t, path, &len);

    if (!reply)
        return NULL;
    *num = count_strings(reply, len);
    perms = malloc((*num ? *num : 1) * sizeof(*perms));
    if (perms && !xs_strings_to_perms(perms, *num, reply)) {
        free(perms);
        perms = NULL;
    }
    free(reply);
    return perms;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t, const char *path, struct xs_permissions *perms,
                        unsigned int num_perms)
{
    static const char letters[] = "nrwb";
    char strings[XENSTORE_PAYLOAD_MAX];
    struct xs_piece pieces[2] = {string_piece(path), {strings, 0}};

    for (unsigned int i = 0; i < num_perms; i++) {
        if (perms[i].perms & ~(unsigned int)(XS_PERM_READ | XS_PERM_WRITE)) {
            errno = EINVAL;
            return false;
        }
        if (pieces[1].len + 16 > sizeof(strings)) {
            errno = E2BIG;
            return false;
        }
        pieces[1].len +=
            (size_t)snprintf(strings + pieces[1].len, 16, "%c%u", letters[perms[i].perms], perms[i].id) + 1;
    }
    return command(XS_SET_PERMS, t, pieces, 2);
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    struct xs_begun *begun = malloc(sizeof(*begun));
    uint32_t era = xs_link_era();
    char *reply = begun ? ask_one(XS_TRANSACTION_START, XBT_NULL, "", NULL) : NULL;

    if (!reply) {
        free(begun);
        return XBT_NULL;
    }
    begun->id = (xs_transaction_t)strtoul(reply, NULL, 10);
    begun->era = era;
    LIST_INSERT_HEAD(&h->begun, begun, link);
    free(reply);
    return begun->id;
}

/* Whether the daemon knows it. */
static bool forget_transaction(struct xs_handle *h, xs_transaction_t t)
{
    struct xs_begun *begun;
    bool known;

    LIST_FOREACH(begun, &h->begun, link)
    {
        if (begun->id == t) {
            known = begun->era == xs_link_era();
            LIST_REMOVE(begun, link);
            free(begun);
            return known;
        }
    }
    return true;
}

/* A transaction that the daemon was not told the end of, for want of memory, would stay open for ever: it is told as soon
 * as there is some. The error stays that of before. */
static bool dropped(xs_transaction_t t)
{
    unsigned int patience = END_TRIES;
    bool done;

    while (!(done = command_one(XS_TRANSACTION_END, t, "F")) && errno == ENOMEM && --patience)
        thread_sleep_ns(END_PAUSE_NS);
    errno = ENOMEM;
    return done;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
    if (!forget_transaction(h, t)) {
        errno = EAGAIN;
        return abort;
    }
    return command_one(XS_TRANSACTION_END, t, abort ? "F" : "T") || (errno == ENOMEM && dropped(t) && abort);
}

bool xs_introduce_domain(struct xs_handle *h, unsigned int domid, unsigned long mfn, unsigned int eventchn)
{
    char numbers[3][MAX_STRLEN(mfn)];
    struct xs_piece pieces[3];

    snprintf(numbers[0], sizeof(numbers[0]), "%u", domid);
    snprintf(numbers[1], sizeof(numbers[1]), "%ld", (long)mfn);
    snprintf(numbers[2], sizeof(numbers[2]), "%u", eventchn);
    for (unsigned int i = 0; i < 3; i++)
        pieces[i] = string_piece(numbers[i]);
    return command(XS_INTRODUCE, XBT_NULL, pieces, 3);
}

static char *ask_domid(uint32_t type, unsigned int domid)
{
    char number[MAX_STRLEN(domid)];

    snprintf(number, sizeof(number), "%u", domid);
    return ask_one(type, XBT_NULL, number, NULL);
}

static bool command_domid(uint32_t type, unsigned int domid)
{
    char *reply = ask_domid(type, domid);

    free(reply);
    return reply != NULL;
}

bool xs_set_target(struct xs_handle *h, unsigned int domid, unsigned int target)
{
    char numbers[2][MAX_STRLEN(domid)];
    struct xs_piece pieces[2];

    snprintf(numbers[0], sizeof(numbers[0]), "%u", domid);
    snprintf(numbers[1], sizeof(numbers[1]), "%u", target);
    pieces[0] = string_piece(numbers[0]);
    pieces[1] = string_piece(numbers[1]);
    return command(XS_SET_TARGET, XBT_NULL, pieces, 2);
}

bool xs_resume_domain(struct xs_handle *h, unsigned int domid)
{
    return command_domid(XS_RESUME, domid);
}

bool xs_release_domain(struct xs_handle *h, unsigned int domid)
{
    return command_domid(XS_RELEASE, domid);
}

char *xs_get_domain_path(struct xs_handle *h, unsigned int domid)
{
    return ask_domid(XS_GET_DOMAIN_PATH, domid);
}

bool xs_is_domain_introduced(struct xs_handle *h, unsigned int domid)
{
    char *reply = ask_domid(XS_IS_DOMAIN_INTRODUCED, domid);
    bool introduced = reply && !strcmp(reply, "T");

    free(reply);
    return introduced;
}

char *xs_control_command(struct xs_handle *h, const char *cmd, void *data, unsigned int len)
{
    struct xs_piece pieces[2] = {string_piece(cmd), {data, len}};

    return xs_link_ask(XS_CONTROL, XBT_NULL, pieces, len ? 2 : 1, NULL);
}

char *xs_debug_command(struct xs_handle *h, const char *cmd, void *data, unsigned int len)
{
    return xs_control_command(h, cmd, data, len);
}

int xs_suspend_evtchn_port(int domid)
{
    struct xs_handle *h = xs_open(0);
    char path[64];
    char *value = NULL;
    int port = -1;

    if (h) {
        snprintf(path, sizeof(path), "/local/domain/%d/device/suspend/event-channel", domid);
        value = xs_read(h, XBT_NULL, path, NULL);
    }
    if (value)
        port = atoi(value);
    free(value);
    xs_close(h);
    return port;
}
