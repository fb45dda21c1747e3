/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The harness of the guest tests.
 */
#include <stdio.h>
#include "check.h"

static unsigned int passed, failed;

bool check_record(bool holds, const char *sentence, const char *condition, const char *file, int line)
{
    if (holds) {
        passed++;
    } else {
        failed++;
        printf("FAILED: %s [%s] %s:%d\n", sentence, condition, file, line);
    }
    return holds;
}

bool check_equal(long actual, long expected, const char *sentence, const char *what, const char *file, int line)
{
    if (actual == expected) {
        passed++;
        return true;
    }
    failed++;
    printf("FAILED: %s [%s is %ld, not %ld] %s:%d\n", sentence, what, actual, expected, file, line);
    return false;
}

void check_group(const char *name)
{
    printf("  %s\n", name);
}

int check_summary(const char *name)
{
    printf("%s: %u passed, %u failed\n", name, passed, failed);
    return (int)failed;
}
