/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Costs of a Linux kernel's operations, in the terms of lmbench: lat all | disk PATH | serve PORT | net HOST PORT.
 */
#include "lat.h"

#include <errno.h>
#include <string.h>

_Noreturn void fail(const char *what)
{
    printf("bench failed: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

void report(const char *name, uint64_t batches[BATCHES], unsigned count)
{
    uint64_t sorted[BATCHES];

    memcpy(sorted, batches, sizeof(sorted));
    qsort(sorted, BATCHES, sizeof(sorted[0]), ascending);
    printf("row %s %.2f", name, (double)sorted[BATCHES / 2] / count);
    for (int i = 0; i < BATCHES; i++)
        printf(" %.2f", (double)batches[i] / count);
    printf("\n");
    fflush(stdout);
}

void measure(const char *name, work_fn *work, void *state, unsigned count)
{
    uint64_t batches[BATCHES];

    work(state, count);
    for (int i = 0; i < BATCHES; i++) {
        uint64_t start = ticks();

        work(state, count);
        batches[i] = ticks() - start;
    }
    report(name, batches, count);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "nothing")) /* what fork+execve executes */
        return 0;
    if (argc == 2 && !strcmp(argv[1], "all")) {
        bench_compute();
        bench_calls();
        bench_signals();
        bench_memory();
        bench_messages();
        bench_processes();
    } else if (argc == 3 && !strcmp(argv[1], "disk")) {
        bench_disk(argv[2]);
    } else if (argc == 3 && !strcmp(argv[1], "serve")) {
        net_serve(argv[2]);
    } else if (argc == 4 && !strcmp(argv[1], "net")) {
        bench_net(argv[2], argv[3]);
    } else {
        fprintf(stderr, "usage: lat all | disk PATH | serve PORT | net HOST PORT\n");
        return 2;
    }
    return 0;
}
