/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Processes that pass a byte to each other: context switches, and the latency and bandwidth of pipes and sockets.
 */
#define _GNU_SOURCE
#include "lat.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RING_MAX 8
#define BULK     (256UL << 10)

struct ring {
    int in, out; /* of the first process */
    unsigned processes;
    size_t footprint; /* bytes that each process reads and writes before it passes the token on */
    pid_t children[RING_MAX];
};

static char footprint_bytes[64 << 10];

static void touch(size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 64)
        ((volatile char *)footprint_bytes)[at]++;
}

static void pass(const struct ring *ring, int in, int out)
{
    char token;

    if (read(in, &token, 1) != 1)
        _exit(0);
    touch(ring->footprint);
    if (write(out, &token, 1) != 1)
        _exit(0);
}

/* Pipes from process to process in a circle; the children pass tokens on for ever. */
static void ring_make(struct ring *ring)
{
    int pipes[RING_MAX][2];

    for (unsigned i = 0; i < ring->processes; i++)
        check(pipe(pipes[i]), "pipe");
    for (unsigned i = 1; i < ring->processes; i++) {
        ring->children[i] = (pid_t)check(fork(), "fork");
        if (!ring->children[i])
            for (;;)
                pass(ring, pipes[i - 1][0], pipes[i][1]);
    }
    ring->in = pipes[ring->processes - 1][0];
    ring->out = pipes[0][1];
}

static void ring_end(struct ring *ring)
{
    for (unsigned i = 1; i < ring->processes; i++) {
        kill(ring->children[i], SIGKILL);
        waitpid(ring->children[i], NULL, 0);
    }
    for (int fd = 3; fd < 64; fd++)
        close(fd);
}

/* An operation is one switch to the next process of the ring, with the pipe that causes it. */
static void ring_turn(void *state, unsigned count)
{
    const struct ring *ring = state;

    for (; count >= ring->processes; count -= ring->processes) {
        char token = 1;

        check(write(ring->out, &token, 1), "write");
        check(read(ring->in, &token, 1), "read");
        touch(ring->footprint);
    }
}

static void bench_ring(const char *name, unsigned processes, size_t footprint)
{
    struct ring ring = {.processes = processes, .footprint = footprint};

    ring_make(&ring);
    measure(name, ring_turn, &ring, processes * 200);
    ring_end(&ring);
}

struct pair {
    int ours, theirs;
    pid_t child;
};

static void echo_child(struct pair *pair)
{
    char byte;

    pair->child = (pid_t)check(fork(), "fork");
    if (pair->child)
        return;
    while (read(pair->theirs, &byte, 1) == 1 && write(pair->theirs, &byte, 1) == 1)
        ;
    _exit(0);
}

static void pair_end(struct pair *pair)
{
    kill(pair->child, SIGKILL);
    waitpid(pair->child, NULL, 0);
    close(pair->ours);
    close(pair->theirs);
}

static void round_trip(void *state, unsigned count)
{
    const struct pair *pair = state;
    char byte = 1;

    while (count--) {
        check(write(pair->ours, &byte, 1), "write");
        check(read(pair->ours, &byte, 1), "read");
    }
}

static void tcp_pair(struct pair *pair)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct ifreq interface = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    socklen_t length = sizeof(address);
    int listener = (int)check(socket(AF_INET, SOCK_STREAM, 0), "socket"), one = 1;

    check(ioctl(listener, SIOCSIFFLAGS, &interface), "loopback up");
    check(bind(listener, (struct sockaddr *)&address, length), "bind");
    check(listen(listener, 1), "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &length), "getsockname");
    pair->ours = (int)check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    check(connect(pair->ours, (struct sockaddr *)&address, length), "connect");
    pair->theirs = (int)check(accept(listener, NULL, NULL), "accept");
    setsockopt(pair->ours, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(pair->theirs, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    close(listener);
}

/* A child reads whatever comes; an operation writes BULK bytes. */
static void bulk_write(void *state, unsigned count)
{
    static char data[BULK];

    while (count--)
        for (size_t done = 0; done < BULK;)
            done += (size_t)check(write(*(int *)state, data + done, BULK - done), "write");
}

static void bench_bulk(void)
{
    static char sink[BULK];
    int fds[2];
    pid_t child;

    check(pipe(fds), "pipe");
    child = (pid_t)check(fork(), "fork");
    if (!child) {
        close(fds[1]);
        while (read(fds[0], sink, sizeof(sink)) > 0)
            ;
        _exit(0);
    }
    measure("pipe bandwidth (256 KiB)", bulk_write, &fds[1], 20);
    close(fds[0]);
    close(fds[1]);
    waitpid(child, NULL, 0);
}

void bench_messages(void)
{
    struct pair pair;
    int fds[2];

    bench_ring("context switch 2p/0k", 2, 0);
    bench_ring("context switch 2p/16k", 2, 16 << 10);
    bench_ring("context switch 8p/16k", 8, 16 << 10);
    bench_bulk();
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
    pair = (struct pair){fds[0], fds[1], 0};
    echo_child(&pair);
    measure("AF_UNIX latency", round_trip, &pair, 500);
    pair_end(&pair);
    tcp_pair(&pair);
    echo_child(&pair);
    measure("TCP loopback latency", round_trip, &pair, 200);
    pair_end(&pair);
}
