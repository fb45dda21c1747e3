/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The state of a balloon; see balloon.h.
 */
#include "balloon.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_S        1000000000ull
#define RATE_SPAN       (3 * NS_PER_S) /* samples older than this say nothing about the rate now */
#define RATE_SPAN_LEAST (NS_PER_S / 5) /* samples closer than this say more about chance */
#define SETTLED_NS      (30 * NS_PER_S)

static uint64_t distance(const struct balloon_sample *sample)
{
    return sample->current > sample->target ? sample->current - sample->target : sample->target - sample->current;
}

static bool there(const struct balloon_sample *sample)
{
    return distance(sample) <= BALLOON_TOLERANCE;
}

static void begin(struct balloon *balloon, const struct balloon_sample *sample)
{
    balloon->start = sample->current;
    balloon->nearest = distance(sample);
    balloon->asked_ns = balloon->moved_ns = sample->at_ns;
    balloon->took_ns = 0;
    balloon->history_count = 0;
}

static void remember(struct balloon *balloon, const struct balloon_sample *sample)
{
    if (balloon->history_count == BALLOON_HISTORY)
        memmove(balloon->history, balloon->history + 1, --balloon->history_count * sizeof(balloon->history[0]));
    balloon->history[balloon->history_count].at_ns = sample->at_ns;
    balloon->history[balloon->history_count++].current = sample->current;
}

static int64_t rate(const struct balloon *balloon)
{
    unsigned int newest = balloon->history_count - 1, oldest = 0;
    uint64_t now = balloon->history[newest].at_ns;

    while (oldest < newest && now - balloon->history[oldest].at_ns > RATE_SPAN)
        oldest++;
    if (now - balloon->history[oldest].at_ns < RATE_SPAN_LEAST)
        return 0;
    return ((int64_t)balloon->history[newest].current - (int64_t)balloon->history[oldest].current) * 1000 /
           (int64_t)((now - balloon->history[oldest].at_ns) / 1000000 + 1);
}

/* Why a guest that listens and may move has not done so for the time of our patience. */
static enum balloon_reason why_not(const struct balloon *balloon, const struct balloon_sample *sample)
{
    bool moved = sample->current != balloon->start;

    if (sample->current > sample->target)
        return moved ? BALLOON_GIVES_NO_MORE : BALLOON_NOT_MOVED;
    if (sample->boot_max != 0 && sample->target > sample->boot_max)
        return BALLOON_NOT_ONLINE;
    return moved ? BALLOON_TAKES_NO_MORE : BALLOON_NOT_MOVED;
}

static enum balloon_reason find_reason(const struct balloon *balloon, const struct balloon_sample *sample)
{
    uint64_t still = sample->at_ns - balloon->moved_ns;

    if (sample->ended)
        return BALLOON_ENDED;
    if (sample->paused)
        return BALLOON_PAUSED;
    if (!sample->listens)
        return BALLOON_NO_DRIVER;
    if (sample->target > sample->current && sample->free < sample->target - sample->current &&
        still >= BALLOON_HOST_FULL_NS)
        return BALLOON_HOST_FULL;
    return still >= BALLOON_PATIENCE_NS ? why_not(balloon, sample) : BALLOON_NO_REASON;
}

static void decide(struct balloon *balloon, const struct balloon_sample *sample)
{
    balloon->reason = there(sample) ? BALLOON_NO_REASON : find_reason(balloon, sample);
    if (there(sample) && balloon->refused_asked != 0) {
        balloon->state = BALLOON_REFUSED;
        balloon->reason = balloon->refused_reason;
    } else if (there(sample)) {
        balloon->state = BALLOON_IDLE;
    } else if (balloon->reason != BALLOON_NO_REASON && sample->target > sample->max) {
        balloon->state = BALLOON_REFUSED;
        balloon->reason = BALLOON_ABOVE_MAX;
    } else {
        balloon->state = balloon->reason == BALLOON_NO_REASON ? BALLOON_MOVING : BALLOON_STUCK;
    }
}

void balloon_feed(struct balloon *balloon, const struct balloon_sample *sample)
{
    bool was_there = balloon->known && there(&balloon->last);

    if (!balloon->known || balloon->last.target != sample->target || (was_there && !there(sample)))
        begin(balloon, sample);
    if (distance(sample) < balloon->nearest) {
        balloon->nearest = distance(sample);
        balloon->moved_ns = sample->at_ns;
    }
    if (there(sample) && balloon->known && !was_there)
        balloon->took_ns = sample->at_ns - balloon->asked_ns;
    remember(balloon, sample);
    balloon->rate = rate(balloon);
    balloon->last = *sample;
    balloon->known = true;
    decide(balloon, sample);
}

void balloon_refuse(struct balloon *balloon, enum balloon_reason reason, uint64_t asked, uint64_t limit)
{
    balloon->refused_asked = asked;
    balloon->refused_limit = limit;
    balloon->refused_reason = reason;
    decide(balloon, &balloon->last);
}

void balloon_accept(struct balloon *balloon)
{
    balloon->refused_asked = 0;
    decide(balloon, &balloon->last);
}

const char *balloon_state_name(const struct balloon *balloon)
{
    static const char *const names[] = {"idle", "moving", "stuck", "refused"};

    return names[balloon->state];
}

static void explain_refusal(const struct balloon *balloon, char text[BALLOON_TEXT])
{
    const struct balloon_sample *last = &balloon->last;
    bool asked_here = there(last); /* else somebody else wrote the target */
    uint64_t asked = asked_here ? balloon->refused_asked : last->target;
    uint64_t limit = asked_here ? balloon->refused_limit : last->max;
    const char *format =
        balloon->reason == BALLOON_ABOVE_MAX ? "%llu MiB asked for, %llu MiB is the maximum; mem-max raises that"
        : balloon->reason == BALLOON_ABOVE_FREE
            ? "%llu MiB asked for, %llu MiB could be had; mem-set or destroy another domain to free more"
            : "%llu MiB asked for, %llu MiB is the least it can live with";

    snprintf(text, BALLOON_TEXT, format, (unsigned long long)asked / 1024, (unsigned long long)limit / 1024);
}

/* The ones that name how long, or how much: %llu is seconds for the former, MiB for HOST_FULL. */
static const char *reason_format(enum balloon_reason reason)
{
    switch (reason) {
    case BALLOON_ENDED:
        return "the domain has ended";
    case BALLOON_PAUSED:
        return "the domain is paused; unpause lets it go on";
    case BALLOON_NO_DRIVER:
        return "no balloon driver: its kernel does not listen for a target, or not yet";
    case BALLOON_HOST_FULL:
        return "the machine has only %llu MiB free; mem-set or destroy another domain to free more";
    case BALLOON_NOT_ONLINE:
        return "no memory taken for %llu s, though it may; beyond what it booted with a Linux guest has to put added "
               "memory online (memhp_default_state=online)";
    case BALLOON_GIVES_NO_MORE:
        return "the guest has given nothing more for %llu s: the target is below what it can live with";
    case BALLOON_TAKES_NO_MORE:
        return "the guest has taken nothing more for %llu s, though it may";
    default:
        return "the guest has not moved for %llu s";
    }
}

void balloon_explain(const struct balloon *balloon, char text[BALLOON_TEXT])
{
    const struct balloon_sample *last = &balloon->last;
    uint64_t number = (last->at_ns - balloon->moved_ns) / NS_PER_S;

    text[0] = '\0';
    if (balloon->reason == BALLOON_HOST_FULL)
        number = last->free / 1024;
    if (balloon->state == BALLOON_REFUSED)
        explain_refusal(balloon, text);
    else if (balloon->state == BALLOON_STUCK)
        snprintf(text, BALLOON_TEXT, reason_format(balloon->reason), (unsigned long long)number);
}

static void describe_movement(const struct balloon *balloon, char text[BALLOON_TEXT])
{
    uint64_t speed = (uint64_t)(balloon->rate < 0 ? -balloon->rate : balloon->rate);
    bool towards = (balloon->rate < 0) == (balloon->last.target < balloon->last.current);
    int used = snprintf(text, BALLOON_TEXT, "moving");

    if (speed < 103) /* less than would print as 0.1 MiB/s */
        return;
    used += snprintf(text + used, (size_t)(BALLOON_TEXT - used), ", %c%llu.%llu MiB/s", balloon->rate < 0 ? '-' : '+',
                     (unsigned long long)(speed / 1024), (unsigned long long)(speed % 1024 * 10 / 1024));
    if (towards)
        snprintf(text + used, (size_t)(BALLOON_TEXT - used), ", %llu s to go",
                 (unsigned long long)((distance(&balloon->last) + speed - 1) / speed));
}

void balloon_describe(const struct balloon *balloon, char text[BALLOON_TEXT])
{
    char why[BALLOON_TEXT];

    if (balloon->state == BALLOON_MOVING) {
        describe_movement(balloon, text);
        return;
    }
    balloon_explain(balloon, why);
    snprintf(text, BALLOON_TEXT, "%s%s%.200s", balloon_state_name(balloon), why[0] != '\0' ? ": " : "", why);
}

bool balloon_settled(const struct balloon *balloon)
{
    return balloon->state == BALLOON_IDLE || balloon->reason == BALLOON_ENDED || balloon->reason == BALLOON_NO_DRIVER ||
           (balloon->state != BALLOON_MOVING && balloon->last.at_ns - balloon->moved_ns >= SETTLED_NS);
}
