/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A dom0 that answers for its heap: linked around its allocator by the linker's --wrap (tests/system/rules.mk), it knows
 * who holds which block and can let one allocation fail. `cat` of a file below /.heap asks it:
 *
 *   /.heap/fail/N           the N-th allocation from now on fails; 0: none does
 *   /.heap/fail-in/A-B/N    the next N fail that are asked for by code from address A up to B
 *   /.heap/show             lines "heap: CALLER BLOCKS BYTES", then "heap: N allocations, M failed" since the last /.heap/fail
 *
 * There is no such file, so cat complains as well. Threads are cooperative: nobody comes in between.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define CALLERS_MAX 1024u

struct _reent;

/* In front of each block that a caller holds. */
struct block {
    struct block *next, *previous;
    const void *caller;
    size_t size;
};

void *__real__malloc_r(struct _reent *reent, size_t size);
void *__real__calloc_r(struct _reent *reent, size_t count, size_t size);
void *__real__realloc_r(struct _reent *reent, void *old, size_t size);
void __real__free_r(struct _reent *reent, void *old);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
int __real_open(const char *path, int flags, ...);

void *__wrap__malloc_r(struct _reent *reent, size_t size);
void *__wrap__calloc_r(struct _reent *reent, size_t count, size_t size);
void *__wrap__realloc_r(struct _reent *reent, void *old, size_t size);
void __wrap__free_r(struct _reent *reent, void *old);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
int __wrap_open(const char *path, int flags, ...);

static struct block all = {&all, &all, NULL, 0};
static const void *outermost; /* who called the function of the library that is under way */
static unsigned int depth;    /* the allocator calls itself */
static unsigned int allocations, failures, left;
static unsigned long victims, victims_end; /* code that gets nothing, */
static unsigned int refusals;              /* so many times more */

static bool fails(const void *caller)
{
    unsigned long at = (unsigned long)(outermost != NULL ? outermost : caller);
    bool now = left != 0 && --left == 0;

    if (refusals != 0 && at >= victims && at < victims_end) {
        refusals--;
        now = true;
    }
    allocations++;
    failures += now;
    if (now)
        errno = ENOMEM;
    return now;
}

static void *own(struct block *block, size_t size, const void *caller)
{
    if (block == NULL)
        return NULL;
    *block = (struct block){all.next, &all, outermost != NULL ? outermost : caller, size};
    all.next->previous = block;
    all.next = block;
    return block + 1;
}

static struct block *disown(void *data)
{
    struct block *block = (struct block *)data - 1;

    block->next->previous = block->previous;
    block->previous->next = block->next;
    return block;
}

void *__wrap__malloc_r(struct _reent *reent, size_t size)
{
    struct block *block;

    if (depth > 0)
        return __real__malloc_r(reent, size);
    if (fails(__builtin_return_address(0)) || size > SIZE_MAX - sizeof(*block))
        return NULL;
    depth++;
    block = __real__malloc_r(reent, size + sizeof(*block));
    depth--;
    return own(block, size, __builtin_return_address(0));
}

void *__wrap__calloc_r(struct _reent *reent, size_t count, size_t size)
{
    struct block *block;

    if (depth > 0)
        return __real__calloc_r(reent, count, size);
    if (fails(__builtin_return_address(0)) || (size != 0 && count > (SIZE_MAX - sizeof(*block)) / size))
        return NULL;
    depth++;
    block = __real__calloc_r(reent, 1, count * size + sizeof(*block));
    depth--;
    return own(block, count * size, __builtin_return_address(0));
}

void *__wrap__realloc_r(struct _reent *reent, void *old, size_t size)
{
    struct block *block, *grown;
    size_t had;

    if (depth > 0 || old == NULL)
        return depth > 0 ? __real__realloc_r(reent, old, size) : __wrap__malloc_r(reent, size);
    if (fails(__builtin_return_address(0)) || size > SIZE_MAX - sizeof(*block))
        return NULL;
    block = disown(old);
    had = block->size;
    depth++;
    grown = __real__realloc_r(reent, block, size + sizeof(*block));
    depth--;
    if (grown == NULL) {
        (void)own(block, had, __builtin_return_address(0));
        return NULL;
    }
    return own(grown, size, __builtin_return_address(0));
}

void __wrap__free_r(struct _reent *reent, void *old)
{
    if (depth > 0 || old == NULL) {
        __real__free_r(reent, old);
        return;
    }
    depth++;
    __real__free_r(reent, disown(old));
    depth--;
}

#define WITH_CALLER(type, call)                                                                                        \
    do {                                                                                                               \
        type result_;                                                                                                  \
                                                                                                                       \
        outermost = __builtin_return_address(0);                                                                       \
        result_ = (call);                                                                                              \
        outermost = NULL;                                                                                              \
        return result_;                                                                                                \
    } while (0)

void *__wrap_malloc(size_t size)
{
    WITH_CALLER(void *, __real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    WITH_CALLER(void *, __real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    WITH_CALLER(void *, __real_realloc(old, size));
}

char *__wrap_strdup(const char *text)
{
    WITH_CALLER(char *, __real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t size)
{
    WITH_CALLER(char *, __real_strndup(text, size));
}

static void show(void)
{
    static struct {
        const void *address;
        unsigned int blocks;
        size_t bytes;
    } callers[CALLERS_MAX];
    unsigned int count = 0;

    for (const struct block *block = all.next; block != &all; block = block->next) {
        unsigned int at = 0;

        while (at < count && callers[at].address != block->caller)
            at++;
        if (at == CALLERS_MAX)
            continue;
        if (at == count) {
            callers[count].address = block->caller;
            callers[count].blocks = 0;
            callers[count++].bytes = 0;
        }
        callers[at].blocks++;
        callers[at].bytes += block->size;
    }
    for (unsigned int at = 0; at < count; at++)
        printf("heap: %lx %u %lu\n", (unsigned long)callers[at].address, callers[at].blocks,
               (unsigned long)callers[at].bytes);
    printf("heap: %u allocations, %u failed\n", allocations, failures);
}

static void answer(const char *question)
{
    if (strcmp(question, "show") == 0) {
        left = 0;
        show();
    } else if (strncmp(question, "fail/", 5) == 0) {
        left = (unsigned int)strtoul(question + 5, NULL, 10);
        allocations = failures = refusals = 0;
    } else if (sscanf(question, "fail-in/%lx-%lx/%u", &victims, &victims_end, &refusals) == 3) {
        allocations = failures = 0;
    }
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    int mode;

    va_start(args, flags);
    mode = va_arg(args, int); /* read by open only when flags say that there is one */
    va_end(args);
    if (strncmp(path, "/.heap/", 7) == 0)
        answer(path + 7);
    return __real_open(path, flags, mode);
}
