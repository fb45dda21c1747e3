/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A device as the backend thread sees it, for the files that serve it: backend.c has the list and the thread, states.c
 * the states, nodes.c what is read and written in the store. Only that thread changes the list or frees an entry, and
 * it does so wherever it waits for the store; whoever else waits looks its device up again.
 */
#ifndef DEVICES_ENTRY_H
#define DEVICES_ENTRY_H

#include "backend.h"

#define ENTRY_PATH_SIZE 256

struct entry {
    struct backend_device device;
    bool created;   /* the kind's create succeeded */
    bool connected; /* its connect did, and disconnect was not called since */
    bool cut;       /* broke the protocol: no connection before the frontend starts over */
    bool watched;   /* its frontend's state */
    unsigned int complaints;
};

static inline struct entry *entry_of(struct backend_device *device)
{
    return (struct entry *)((char *)device - offsetof(struct entry, device));
}

/* The store, as all of this room asks it. */
extern struct xs_handle *entry_store;

/* backend.c: whether a domain has devices of a kind, NULL standing for any; whether this is one still, and cut off. */
bool entry_any_of(domid_t domid, const struct backend_kind *kind);
bool entry_is_cut(const struct backend_device *device);

/* states.c: the step that the facts ask for; false: memory lacked to read them, and nothing was done. */
bool entry_follow(struct entry *entry);
void entry_set_state(struct entry *entry, XenbusState state);
void entry_disconnect(struct entry *entry);

/* nodes.c */
void entry_report(const struct backend_device *device, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool entry_join(char path[ENTRY_PATH_SIZE], const char *dir, const char *node);
bool entry_still_there(const struct backend_device *device);
void entry_remove_reasons(const struct backend_device *device);

#endif
