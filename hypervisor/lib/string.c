/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory and strings. Copies go by the CPU's string instructions: short code, and one instruction a word.
 */
#include "lib.h"

void *memcpy(void *to, const void *from, size_t size)
{
    void *result = to;
    size_t words = size / 8, rest = size % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    return result;
}

void *memmove(void *to, const void *from, size_t size)
{
    char *t = (char *)to + size;
    const char *f = (const char *)from + size;

    if ((unsigned long)to - (unsigned long)from >= size)
        return memcpy(to, from, size);
    while (size--)
        *--t = *--f;
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *result = to;
    size_t words = size / 8, rest = size % 8;
    u64 pattern = 0x0101010101010101UL * (u8)byte;

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return result;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const u8 *x = a, *y = b;

    for (; size--; x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t size)
{
    for (; size && *a && *a == *b; a++, b++, size--)
        ;
    return size ? (u8)*a - (u8)*b : 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

size_t strlcpy(char *to, const char *from, size_t size)
{
    size_t length = strlen(from);

    if (size) {
        size_t part = MIN(length, size - 1);
        memcpy(to, from, part);
        to[part] = 0;
    }
    return length;
}
