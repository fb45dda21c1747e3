/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * System calls and signals: entry and exit of the kernel, and what it does at its cheapest.
 */
#define _GNU_SOURCE
#include "lat.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define POLL_FDS 100

static void null_call(void *state, unsigned count)
{
    while (count--)
        syscall(SYS_getppid);
}

static void read_byte(void *state, unsigned count)
{
    char byte;

    while (count--)
        check(read(*(int *)state, &byte, 1), "read /dev/zero");
}

static void write_byte(void *state, unsigned count)
{
    while (count--)
        check(write(*(int *)state, "x", 1), "write /dev/null");
}

static void stat_file(void *state, unsigned count)
{
    struct stat status;

    while (count--)
        check(stat(state, &status), "stat");
}

static void open_close(void *state, unsigned count)
{
    while (count--)
        close((int)check(open(state, O_RDONLY), "open"));
}

static void poll_many(void *state, unsigned count)
{
    while (count--)
        check(poll(state, POLL_FDS, 0), "poll");
}

static void clock_read(void *state, unsigned count)
{
    struct timespec now;

    while (count--)
        clock_gettime(CLOCK_MONOTONIC, &now);
}

void bench_calls(void)
{
    int zero = (int)check(open("/dev/zero", O_RDONLY), "/dev/zero"),
        null = (int)check(open("/dev/null", O_WRONLY), "/dev/null");
    static char path[] = "/bin/busybox";
    struct pollfd fds[POLL_FDS];
    int pipe_fds[2];

    check(pipe(pipe_fds), "pipe");
    for (int i = 0; i < POLL_FDS; i++)
        fds[i] = (struct pollfd){.fd = dup(pipe_fds[0]), .events = POLLIN};
    measure("null call", null_call, NULL, 20000);
    measure("read 1 byte", read_byte, &zero, 20000);
    measure("write 1 byte", write_byte, &null, 20000);
    measure("stat", stat_file, path, 5000);
    measure("open/close", open_close, path, 5000);
    measure("poll 100 pipes", poll_many, fds, 1000);
    measure("clock_gettime", clock_read, NULL, 20000);
    for (int i = 0; i < POLL_FDS; i++)
        close(fds[i].fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(zero);
    close(null);
}

static volatile unsigned signals_caught;
static sigjmp_buf after_fault;

static void on_signal(int number)
{
    signals_caught++;
}

static void on_fault(int number)
{
    siglongjmp(after_fault, 1);
}

static void install(void *state, unsigned count)
{
    struct sigaction action = {.sa_handler = on_signal};

    while (count--)
        check(sigaction(SIGUSR1, &action, NULL), "sigaction");
}

static void catch (void *state, unsigned count)
{
    pid_t self = getpid();

    while (count--)
        check(kill(self, SIGUSR1), "kill");
}

/* A write to a read-only page, caught: the lmbench row "protection fault" with its way back. */
static void protection_fault(void *state, unsigned count)
{
    volatile unsigned left = count;

    sigsetjmp(after_fault, 1);
    while (left) {
        left = left - 1;
        *(volatile char *)state = 1;
    }
}

void bench_signals(void)
{
    struct sigaction fault = {.sa_handler = on_fault};
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        fail("mmap");
    measure("signal install", install, NULL, 10000);
    measure("signal handle", catch, NULL, 5000);
    check(sigaction(SIGSEGV, &fault, NULL), "sigaction");
    measure("protection fault", protection_fault, page, 5000);
    signal(SIGSEGV, SIG_DFL);
    munmap(page, 4096);
}
