/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a domain's balloon is doing, as far as it can be told from outside: from samples of its size, its target and the
 * limits around it. Knows no hypercall and no clock; a sample carries its time. Sizes are in KiB.
 *
 * Only a new shortest distance to the target counts as movement, so a guest whose balloon goes up and down for ever is
 * stuck and not moving.
 */
#ifndef VANE_BALLOON_H
#define VANE_BALLOON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BALLOON_PATIENCE_NS  5000000000ull /* without movement for so long: stuck */
#define BALLOON_HOST_FULL_NS 1000000000ull /* the same, where the machine has no memory to give */
#define BALLOON_TOLERANCE    64u           /* a driver may miss its target by so much */
#define BALLOON_TEXT         224

enum balloon_state { BALLOON_IDLE, BALLOON_MOVING, BALLOON_STUCK, BALLOON_REFUSED };

enum balloon_reason {
    BALLOON_NO_REASON,
    BALLOON_ENDED,         /* the domain has shut down */
    BALLOON_PAUSED,        /* it is not running */
    BALLOON_NO_DRIVER,     /* its kernel does not listen for a target */
    BALLOON_HOST_FULL,     /* it wants more than is free */
    BALLOON_NOT_ONLINE,    /* more than it booted with: it has to put the added memory to use */
    BALLOON_GIVES_NO_MORE, /* it came some way down */
    BALLOON_NOT_MOVED,     /* it listens and has not begun */
    BALLOON_TAKES_NO_MORE, /* it came some way up */
    BALLOON_ABOVE_MAX,     /* more was asked for than the domain may have */
    BALLOON_ABOVE_FREE,    /* more was asked for than the machine has free */
    BALLOON_BELOW_LEAST,   /* less was asked for than the domain can live with */
};

struct balloon_sample {
    uint64_t at_ns;
    uint64_t current, target, max;
    uint64_t boot_max; /* the size its kernel was told at its start; 0: not known */
    uint64_t free;     /* on the machine, unclaimed */
    bool ended, paused;
    bool listens; /* its kernel follows the target */
};

#define BALLOON_HISTORY 12

struct balloon {
    enum balloon_state state;
    enum balloon_reason reason;
    bool known;                            /* a sample was taken */
    struct balloon_sample last;            /* its newest */
    uint64_t start;                        /* size when the target was set */
    uint64_t nearest;                      /* the shortest distance to the target since then */
    uint64_t asked_ns;                     /* when the target was set, or the size left it */
    uint64_t moved_ns;                     /* when it last came nearer */
    uint64_t took_ns;                      /* from asked_ns until it was reached; 0: nothing was reached yet */
    int64_t rate;                          /* KiB per second over the last seconds; negative when it shrinks */
    uint64_t refused_asked, refused_limit; /* of the last refused request; asked 0: none */
    enum balloon_reason refused_reason;
    unsigned int history_count;
    struct {
        uint64_t at_ns, current;
    } history[BALLOON_HISTORY]; /* the newest last */
};

/* Takes in a sample; state, reason and rate are what it says now. */
void balloon_feed(struct balloon *balloon, const struct balloon_sample *sample);

/*
 * A request that was turned down, and the limit it broke: what a balloon at its target shows until the next request is
 * accepted. To be called after a sample was taken.
 */
void balloon_refuse(struct balloon *balloon, enum balloon_reason reason, uint64_t asked, uint64_t limit);
void balloon_accept(struct balloon *balloon);

/* "idle", "moving", "stuck", "refused". */
const char *balloon_state_name(const struct balloon *balloon);

/* Why, in words, without a final full stop; empty for idle and moving. */
void balloon_explain(const struct balloon *balloon, char text[BALLOON_TEXT]);

/* One phrase: state, then rate and time to go, or the reason. */
void balloon_describe(const struct balloon *balloon, char text[BALLOON_TEXT]);

/* Nothing will change without somebody's help: no need to look again soon. */
bool balloon_settled(const struct balloon *balloon);

#endif
