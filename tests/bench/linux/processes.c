/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Processes: making and ending them, running programs, threads.
 */
#define _GNU_SOURCE
#include "lat.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap(pid_t child)
{
    int status;

    check(waitpid(child, &status, 0), "waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fail("a child ended badly");
}

static void fork_exit(void *state, unsigned count)
{
    while (count--) {
        pid_t child = (pid_t)check(fork(), "fork");

        if (!child)
            _exit(0);
        reap(child);
    }
}

static void fork_exec(void *state, unsigned count)
{
    char *const *arguments = state;

    while (count--) {
        pid_t child = (pid_t)check(fork(), "fork");

        if (!child) {
            int null = open("/dev/null", O_WRONLY);

            dup2(null, 1);
            execv(arguments[0], arguments);
            _exit(1);
        }
        reap(child);
    }
}

static void *thread_body(void *argument)
{
    return argument;
}

static void thread_join(void *state, unsigned count)
{
    while (count--) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, thread_body, NULL) || pthread_join(thread, NULL))
            fail("pthread_create");
    }
}

void bench_processes(void)
{
    static const char *self[] = {"/bin/lat", "nothing", NULL};
    static const char *shell[] = {"/bin/busybox", "sh", "-c", "/bin/lat nothing; true", NULL};
    static const char *gzip[] = {"/bin/busybox", "gzip", "-c", "/bin/lat", NULL};
    static const char *sha[] = {"/bin/busybox", "sha256sum", "/bin/busybox", "/bin/busybox", "/bin/busybox", NULL};
    size_t large = 16UL << 20;
    char *memory;

    measure("thread create+join", thread_join, NULL, 100);
    measure("fork+exit", fork_exit, NULL, 30);
    measure("fork+exec", fork_exec, self, 20);
    measure("fork+exec sh -c", fork_exec, shell, 10);
    memory = mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    memset(memory, 1, large);
    measure("fork+exit with 16 MiB", fork_exit, NULL, 5);
    munmap(memory, large);
    measure("compute: gzip", fork_exec, gzip, 1);
    measure("compute: sha256sum", fork_exec, sha, 1);
}
