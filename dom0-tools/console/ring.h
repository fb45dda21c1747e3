/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pure parts of the console backend: the shared ring, the log, the flood limit. No hypercalls, no threads.
 *
 * The guest can write anything to its ring page at any time: indices are read once and checked, bytes are copied.
 */
#ifndef CONSOLE_RING_H
#define CONSOLE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/io/console.h>

#define CONSOLE_OUT_SIZE 2048u /* of the ring's output half: the most that one drain can bring */

/*
 * Takes the guest's output out of the ring: up to CONSOLE_OUT_SIZE bytes. Indices that make no sense give 0 bytes, set
 * `*lied`, and the ring goes on from where the guest's producer says.
 */
size_t console_ring_drain(struct xencons_interface *ring, char out[CONSOLE_OUT_SIZE], bool *lied);

/* Puts input into the ring; returns how much fitted. */
size_t console_ring_fill(struct xencons_interface *ring, const char *bytes, size_t len);

/* The newest bytes of a stream, addressed by their offset in it. Memory grows with use, up to the limit. */
struct console_log_buffer {
    char *bytes;
    size_t size, limit;
    uint64_t first; /* offset of the oldest byte still there */
    uint64_t end;   /* offset one past the newest byte */
};

void log_append(struct console_log_buffer *log, const char *bytes, size_t len);
size_t log_read(const struct console_log_buffer *log, uint64_t offset, char *buf, size_t len, uint64_t *at);
void log_free(struct console_log_buffer *log);

/* So much a guest may do in one period; past that it waits for the next. */
#define FLOOD_PERIOD_NS (200ull * 1000 * 1000)
#define FLOOD_DRAINS    400u
#define FLOOD_BYTES     (256u * 1024u)

struct flood {
    uint64_t period_end;
    unsigned int drains;
    size_t bytes;
};

/* Accounts for one drain. True: the guest is over the limit until period_end. */
bool flood_exceeded(struct flood *flood, uint64_t now, size_t bytes);

#endif
