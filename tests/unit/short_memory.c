/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See short_memory.h. The linker puts these in front of the allocator (--wrap); what Check allocates for itself while it
 * notes that an assertion held does not count.
 */
#include "short_memory.h"

#include <errno.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void __real__mark_point(const char *file, int line);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
void __wrap__mark_point(const char *file, int line);

static unsigned int left, often;
static bool failed;

void memory_fails_at(unsigned int number)
{
    left = number;
    failed = false;
}

void memory_fails_often(unsigned int one_in)
{
    often = one_in;
    failed = false;
}

bool memory_failed(void)
{
    left = often = 0;
    return failed;
}

static bool fails(void)
{
    bool now = left != 0 && --left == 0;

    if (often != 0)
        now |= (unsigned int)rand() % often == 0;
    failed |= now;
    if (now)
        errno = ENOMEM;
    return now;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    return fails() ? NULL : __real_strndup(text, size);
}

void __wrap__mark_point(const char *file, int line)
{
    unsigned int number = left, one_in = often;

    left = often = 0;
    __real__mark_point(file, line);
    left = number;
    often = one_in;
}
