/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Small texts with a fixed form: lists of CPUs, UUIDs, and the distance between two words.
 */
#include "domain_config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cpu_map_fill(struct cpu_map *map)
{
    memset(map->bits, 0xff, sizeof(map->bits));
}

bool cpu_map_test(const struct cpu_map *map, unsigned int cpu)
{
    return cpu < DOMAIN_CPUS_MAX && (map->bits[cpu / 8] >> (cpu % 8) & 1);
}

bool cpu_map_empty(const struct cpu_map *map)
{
    for (size_t i = 0; i < sizeof(map->bits); i++)
        if (map->bits[i] != 0)
            return false;
    return true;
}

static void set_range(struct cpu_map *map, unsigned long first, unsigned long last, bool value)
{
    for (unsigned long cpu = first; cpu <= last; cpu++) {
        if (value)
            map->bits[cpu / 8] |= (uint8_t)(1u << (cpu % 8));
        else
            map->bits[cpu / 8] &= (uint8_t) ~(1u << (cpu % 8));
    }
}

static bool read_cpu(const char **at, unsigned long *cpu)
{
    char *end;

    if (!isdigit((unsigned char)**at))
        return false;
    *cpu = strtoul(*at, &end, 10);
    *at = end;
    return true;
}

static int parse_item(const char **at, struct cpu_map *map, const char **why)
{
    bool value = **at != '^';
    unsigned long first, last;

    if (!value)
        (*at)++;
    if (strncmp(*at, "all", 3) == 0) {
        *at += 3;
        set_range(map, 0, DOMAIN_CPUS_MAX - 1, value);
        return 0;
    }
    if (!read_cpu(at, &first)) {
        *why = "expected CPU numbers such as 0-3,^2,7 or all";
        return -1;
    }
    last = first;
    if (**at == '-') {
        (*at)++;
        if (!read_cpu(at, &last) || last < first) {
            *why = "a CPU range must go from a lower to a higher number";
            return -1;
        }
    }
    if (last >= DOMAIN_CPUS_MAX) {
        *why = "CPU numbers end at 255";
        return -1;
    }
    set_range(map, first, last, value);
    return 0;
}

int cpu_map_parse(const char *text, struct cpu_map *map, const char **why)
{
    memset(map, 0, sizeof(*map));
    if (strcmp(text, "none") == 0)
        return 0;
    for (;;) {
        while (*text == ' ')
            text++;
        if (parse_item(&text, map, why) != 0)
            return -1;
        while (*text == ' ')
            text++;
        if (*text == '\0')
            return 0;
        if (*text++ != ',') {
            *why = "expected a comma between CPU numbers";
            return -1;
        }
    }
}

void cpu_map_format(const struct cpu_map *map, unsigned int cpus, char *text, size_t size)
{
    size_t used = 0;
    bool all = true;

    text[0] = '\0';
    for (unsigned int cpu = 0; cpu < cpus; cpu++)
        all = all && cpu_map_test(map, cpu);
    if (all) {
        snprintf(text, size, "all");
        return;
    }
    for (unsigned int cpu = 0; cpu < cpus && used < size; cpu++) {
        unsigned int last = cpu;

        if (!cpu_map_test(map, cpu))
            continue;
        while (last + 1 < cpus && cpu_map_test(map, last + 1))
            last++;
        used +=
            (size_t)snprintf(text + used, size - used, last == cpu ? "%s%u" : "%s%u-%u", used ? "," : "", cpu, last);
        cpu = last;
    }
    if (used == 0)
        snprintf(text, size, "none");
}

bool uuid_parse(const char *text, uint8_t uuid[16])
{
    unsigned int digits = 0;

    for (; *text != '\0'; text++) {
        static const char hex[] = "0123456789abcdef";
        const char *at;

        if (*text == '-' && (digits == 8 || digits == 12 || digits == 16 || digits == 20))
            continue;
        at = strchr(hex, tolower((unsigned char)*text));
        if (at == NULL || digits == 32)
            return false;
        if (digits % 2 == 0)
            uuid[digits / 2] = (uint8_t)((at - hex) << 4);
        else
            uuid[digits / 2] |= (uint8_t)(at - hex);
        digits++;
    }
    return digits == 32;
}

void uuid_format(const uint8_t uuid[16], char text[37])
{
    for (unsigned int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *text++ = '-';
        text += snprintf(text, 3, "%02x", uuid[i]);
    }
}

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
    unsigned int best = a < b ? a : b;

    return best < c ? best : c;
}

unsigned int edit_distance(const char *a, const char *b)
{
    unsigned int rows[3][33], columns = (unsigned int)strlen(b), length = (unsigned int)strlen(a);

    if (columns > 32 || length > 32)
        return 99;
    for (unsigned int j = 0; j <= columns; j++)
        rows[0][j] = j;
    for (unsigned int i = 1; i <= length; i++) {
        unsigned int *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

        row[0] = i;
        for (unsigned int j = 1; j <= columns; j++) {
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
    }
    return rows[length % 3][columns];
}
