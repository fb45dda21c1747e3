/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hand-over of one domain between two hosts: dom0-tools/migration/handover.c (Migrates, receive) and
 * handover_settle.c (ask, answer, sender_decides, receiver_obeys, which have the names of the functions there). A record
 * here is the handover_state of that name, NONE that there is no record; a message is the MESSAGE_ of that name; the
 * stream is its end, SENT.
 *
 * At any point the connection may be cut, which loses every message on its way, and either host may lose its memory and
 * start again as another incarnation: CUTS and LOSSES times together. Each side notices when it next looks; the thread
 * that migrates may do so long after the two hosts talk again by another connection. A connection that is away comes
 * back, and is tried again while there is a record. The receiver may fail to restore or to start its copy. The user says
 * nothing (migrate-settle is an order to believe, whatever the other side has).
 *
 * Shown, for every interleaving:
 *   never two run                    assertion in runs()
 *   what runs is whole and was not destroyed before                             assertion in runs()
 *   the receiver's runs by COMMIT, or because the sender's memory is gone       assertion in runs()
 *   every history ends with exactly one copy, which runs, and without a record  ltl settles, timeout
 *      or with none, if a lost memory, or a failure to start after it, took the only whole copy
 *
 * Not shown, for it is not so: if a cut between COMPLETE and COMMIT makes the sender's copy go on, and the sender's memory
 * is lost before the two talk again, then the receiver's copy, older by that time, goes live. -DSTRICT finds it.
 *
 * Broken on purpose, for the checker to find: -DEAGER (the receiver runs without COMMIT when it is cut off),
 * -DIMPATIENT (the sender in doubt goes on when it is cut off), -DFORGETFUL (the receiver keeps no record of what it runs).
 */
#ifndef CUTS
#define CUTS 2
#endif
#ifndef LOSSES
#define LOSSES 2
#endif

#define S 0
#define R 1

mtype = {HELLO, OFFER, ACCEPTED, REFUSED, SENT, COMPLETE, FAILED, COMMIT, RUNNING, DONE, REPORT, DISCARD, DISCARDED};
mtype = {NONE, SENDING, DOUBT, RECEIVING, WHOLE, LIVE, BUSY}; /* WHOLE: HANDOVER_COMPLETE; BUSY: only in a REPORT */
mtype = {ABSENT, PART, PAUSED, RUNS};

chan to[2] = [3] of {mtype, mtype};

mtype copy[2], record[2];
byte incarnation[2]; /* sent with HELLO */
byte peer;           /* the sender's, in the receiver's record */
bool busy;           /* the sender's record is with the thread that migrates */
bool up, closed;     /* the connection; closed: what was written may still be read */
bool mine;           /* it is the one that the migration began on */
bool idle[2];        /* the thread of this side's link waits for a connection */
byte asker;
byte cuts = CUTS, losses = LOSSES;
bool ran_on, excused;

inline empty_links()
{
    do
    :: nempty(to[S]) -> to[S]?_, _
    :: nempty(to[R]) -> to[R]?_, _
    :: empty(to[S]) && empty(to[R]) -> break
    od
}

inline break_link()
{
    up = false;
    closed = false;
    mine = false;
    empty_links()
}

inline runs(side)
{
    assert(copy[side] == PAUSED);
    copy[side] = RUNS;
    assert(!(copy[S] == RUNS && copy[R] == RUNS));
    ran_on = ran_on || (side == S && (copy[R] == PAUSED || copy[R] == PART))
}

inline resume()
{
    if
    :: copy[S] == PAUSED -> runs(S)
    :: else
    fi
}

inline activate(by_commit)
{
    assert(by_commit || peer != incarnation[S]);
#ifdef STRICT
    assert(by_commit || !ran_on);
#endif
    runs(R)
}

/* A copy is given up by its own side. */
inline destroy(side)
{
    copy[side] = ABSENT
}

/*
 * Threads. `life` is the incarnation a thread belongs to: when its host's memory is lost, it is no more. Sending and
 * reading fail when the connection is gone: `good` says so.
 */
#define OVER(side) (life != incarnation[side])
#define CONNECTED  (up && !OVER(me) && (mine || !migrating))

inline say(side, message, word)
{
    atomic {
        if
        :: CONNECTED -> good = !closed; if :: good -> to[1 - side]!message, word :: else fi
        :: else -> good = false
        fi
    }
}

inline hear(side)
{
    atomic {
        if
        :: CONNECTED && nempty(to[side]) -> to[side]?got, what; good = true
        :: !CONNECTED || (closed && empty(to[side])) -> good = false
        fi
    }
}

/* handover_send: the user's thread at the sender. */
proctype Migrates()
{
    byte me = S, life;
    bool good, migrating = true;
    mtype got, what;

    say(S, HELLO, NONE);
    if :: good -> hear(S) :: else fi;
    if :: good -> say(S, OFFER, NONE) :: else fi;
    if :: good -> hear(S); good = good && got == ACCEPTED :: else fi;
    if
    :: good -> atomic { if :: OVER(S) -> goto gone :: else -> copy[S] = PAUSED fi }
    :: else -> goto kept
    fi;
    say(S, SENT, NONE);
    if :: good -> hear(S); good = good && got == COMPLETE :: else fi;
    if :: !good -> goto kept :: else fi;
    atomic { if :: OVER(S) -> goto gone :: else -> record[S] = DOUBT fi };
    say(S, COMMIT, NONE);
    if :: good -> hear(S) :: else fi;
    if
    :: good && got == RUNNING ->
        atomic { if :: OVER(S) -> goto gone :: else -> destroy(S) fi };
        say(S, DONE, NONE);
        goto forget
    :: good && got == FAILED -> goto kept
    :: else
    fi;
#ifdef IMPATIENT
    goto kept;
#endif
    atomic { if :: OVER(S) -> goto gone :: else -> busy = false; goto gone fi };
kept:
    atomic { if :: OVER(S) -> goto gone :: else -> resume() fi };
forget:
    atomic { if :: OVER(S) -> goto gone :: else -> record[S] = NONE; busy = false fi };
gone:
    /* handover_send returned: the channel is closed */
    atomic { if :: CONNECTED -> closed = true :: else fi }
}

inline forget(side)
{
    record[side] = NONE
}

/* handover_receive, with a receiver: the first connection. */
inline receive()
{
    hear(R);
    if :: good && got == HELLO -> say(R, HELLO, NONE) :: else -> good = false fi;
    if :: good -> hear(R) :: else fi;
    if :: good && got == OFFER -> atomic { if :: OVER(R) -> goto again :: else fi;
                                           record[R] = RECEIVING; copy[R] = PART; peer = incarnation[S] }
       :: else -> goto talked fi;
    say(R, ACCEPTED, NONE);
    if :: good -> hear(R) :: else fi;
    if
    :: good && got == SENT -> atomic { if :: OVER(R) -> goto again :: else -> copy[R] = PAUSED; record[R] = WHOLE fi }
    :: good && got == SENT -> /* damaged */
        atomic { if :: OVER(R) -> goto again :: else -> destroy(R); forget(R) fi };
        say(R, FAILED, NONE);
        goto talked
    :: else -> atomic { if :: OVER(R) -> goto again :: else -> destroy(R); forget(R) fi }; goto talked
    fi;
    say(R, COMPLETE, NONE);
    if :: good -> hear(R) :: else fi;
    if
    :: good && got == COMMIT -> go_live()
    :: else ->
#ifdef EAGER
        atomic { if :: OVER(R) -> goto again :: else -> runs(R); record[R] = LIVE fi };
#endif
        skip
    fi
}

/* Activates by COMMIT; or fails, and has none. */
inline go_live()
{
    if
    :: true -> atomic { if :: OVER(R) -> goto again :: else -> activate(true);
#ifdef FORGETFUL
                record[R] = NONE
#else
                record[R] = LIVE
#endif
                fi };
        say(R, RUNNING, NONE);
        if :: good -> hear(R); good = good && got == DONE :: else fi;
        atomic { if :: OVER(R) -> goto again :: good -> forget(R) :: else fi }
    :: true -> atomic { if :: OVER(R) -> goto again
                           :: else -> destroy(R); forget(R); excused = excused || copy[S] == ABSENT fi };
        say(R, FAILED, NONE)
    fi
}

/* What the sender does when the receiver has reported `what`. */
inline sender_decides()
{
    if
    :: what == LIVE ->
        atomic { if :: OVER(S) -> goto again :: else -> destroy(S); forget(S) fi };
        say(S, DONE, NONE)
    :: what == WHOLE ->
        say(S, DISCARD, NONE);
        if :: good -> hear(S); good = good && got == DISCARDED :: else fi;
        atomic { if :: OVER(S) -> goto again :: good -> resume(); forget(S) :: else fi }
    :: what == NONE -> atomic { if :: OVER(S) -> goto again :: else -> resume(); forget(S) fi }
    :: else
    fi
}

/* The sender's answer was heard, or not. */
inline receiver_obeys()
{
    if
    :: good && got == DISCARD ->
        atomic { if :: OVER(R) -> goto again :: else -> destroy(R) fi };
        say(R, DISCARDED, NONE);
        atomic { if :: OVER(R) -> goto again :: else -> forget(R) fi }
    :: good && got == DONE -> atomic { if :: OVER(R) -> goto again :: else -> forget(R) fi }
    :: good && got == REPORT && what == NONE ->
        atomic {
            if
            :: OVER(R) -> goto again
            :: !OVER(R) && record[R] == LIVE -> forget(R)
            :: !OVER(R) && record[R] == WHOLE && peer == theirs -> destroy(R); forget(R)
            :: !OVER(R) && record[R] == WHOLE && peer != theirs -> activate(false); forget(R)
            fi
        }
    :: else
    fi
}

/* handover_settle. */
inline ask()
{
    say(me, HELLO, NONE);
    if :: good -> hear(me); theirs = incarnation[1 - me] :: else fi;
    if :: good -> say(me, REPORT, record[me]) :: else fi;
    if :: good -> hear(me) :: else fi;
    if
    :: me == S && good && got == REPORT -> sender_decides()
    :: me == R -> receiver_obeys()
    :: else
    fi
}

/* handover_receive, without an offer, and settle_as_responder. */
inline answer()
{
    hear(me);
    if :: good -> theirs = incarnation[1 - me]; say(me, HELLO, NONE) :: else fi;
    if :: good -> hear(me) :: else fi;
    if
    :: good && got == REPORT && me == S && busy -> say(S, REPORT, BUSY)
    :: good && got == REPORT && me == S && !busy && record[S] == NONE -> say(S, REPORT, NONE)
    :: good && got == REPORT && me == S && !busy && record[S] == DOUBT -> sender_decides()
    :: good && got == REPORT && me == R ->
        say(R, REPORT, record[R]);
        if
        :: good && (record[R] == WHOLE || record[R] == LIVE) -> hear(R); receiver_obeys()
        :: else
        fi
    :: else
    fi
}

/* The thread of a host's link. */
proctype Link(byte me)
{
    byte life, theirs;
    bool good, migrating = false, first = (me == R);
    mtype got, what;

again:
    atomic { idle[me] = true; life = incarnation[me] };
end:
    atomic { !idle[me] -> life = incarnation[me] };
    if
    :: first -> first = false; receive()
    :: !first && asker == me -> ask()
    :: else -> answer()
    fi;
talked:
    atomic { if :: CONNECTED -> closed = true :: else fi };
    goto again
}

#define UNSETTLED(side) (record[side] != NONE && !(side == S && busy))

inline lose(side)
{
    excused = excused || (copy[side] != ABSENT && copy[side] != PART &&
                          copy[1 - side] != PAUSED && copy[1 - side] != RUNS);
    copy[side] = ABSENT;
    record[side] = NONE;
    incarnation[side]++;
    if :: side == S -> busy = false :: else fi;
    break_link()
}

/* What the world does. */
active proctype World()
{
    atomic {
        copy[S] = RUNS; copy[R] = ABSENT;
        record[S] = SENDING; record[R] = NONE;
        busy = true; up = true; mine = true; asker = S;
        run Migrates(); run Link(S); run Link(R)
    };
    atomic { idle[S] && idle[R]; idle[R] = false };
end:
    do
    :: atomic { up && cuts > 0 -> cuts--; break_link() }
    :: atomic { losses > 0 -> losses--; lose(S) }
    :: atomic { losses > 0 -> losses--; lose(R) }
    :: atomic { idle[S] && idle[R] && (!up || closed) && UNSETTLED(S) ->
                break_link(); up = true; asker = S; idle[S] = false; idle[R] = false }
    :: atomic { idle[S] && idle[R] && (!up || closed) && UNSETTLED(R) ->
                break_link(); up = true; asker = R; idle[S] = false; idle[R] = false }
    od
}

#define ONE  ((copy[S] == RUNS && copy[R] == ABSENT) || (copy[S] == ABSENT && copy[R] == RUNS))
#define NIL  (copy[S] == ABSENT && copy[R] == ABSENT && excused)
#define REST (record[S] == NONE && record[R] == NONE && (ONE || NIL))

ltl settles { <>[] (REST) }
