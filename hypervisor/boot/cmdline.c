/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Parsing of the command line: one table of names and functions. A value that cannot be used keeps the default.
 */
#include "lib.h"
#include "boot/cmdline.h"

struct options options = {
    .max_cpus = MAX_CPUS,
    .log_level = LOG_INFO,
    .guest_log_level = LOG_WARNING,
    .serial = true,
    .serial_port = 0x3F8,
    .conswitch = 'a',
    .switch_at_boot = true,
};

static char rejected[256];

/* Decimal or 0x-hexadecimal; *end is behind it. */
static u64 number(const char *s, const char **end)
{
    unsigned base = 10;
    u64 value = 0;

    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    for (;; s++) {
        unsigned digit = *s >= '0' && *s <= '9'   ? (unsigned)(*s - '0')
                         : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10
                         : *s >= 'A' && *s <= 'F' ? (unsigned)(*s - 'A') + 10
                                                  : 99;
        if (digit >= base)
            break;
        value = value * base + digit;
    }
    *end = s;
    return value;
}

/* A size with its suffix; plain numbers are KiB, as in Xen. */
static u64 size(const char *s, const char **end)
{
    u64 value = number(s, end);

    switch (**end) {
    case 'B':
    case 'b':
        break;
    case 'M':
    case 'm':
        value <<= 20;
        break;
    case 'G':
    case 'g':
        value <<= 30;
        break;
    case 'T':
    case 't':
        value <<= 40;
        break;
    case 'K':
    case 'k':
        value <<= 10;
        break;
    default:
        return value << 10;
    }
    ++*end;
    return value;
}

static bool set_dom0_mem(const char *v)
{
    const char *end = v;

    for (;; v = end + 1) {
        bool is_max = strncmp(v, "max:", 4) == 0, is_min = strncmp(v, "min:", 4) == 0;
        u64 bytes = size(is_max || is_min ? v + 4 : v, &end);
        if (is_max)
            options.dom0_mem_max = bytes;
        else if (!is_min)
            options.dom0_mem = bytes;
        if (*end != ',')
            return *end == 0;
    }
}

static bool set_unsigned(const char *v, unsigned *out)
{
    const char *end;
    u64 value = number(v, &end);

    if (*end || end == v || value > 0xFFFF)
        return false;
    *out = (unsigned)value;
    return true;
}

static bool set_dom0_max_vcpus(const char *v)
{
    return set_unsigned(v, &options.dom0_max_vcpus);
}

static bool set_maxcpus(const char *v)
{
    unsigned value;

    if (!set_unsigned(v, &value))
        return false;
    options.max_cpus = MIN(MAX(value, 1U), (unsigned)MAX_CPUS);
    return true;
}

/* "info", or "lower/upper": everything up to the upper level is shown, since we do not limit rates by level. */
static bool set_level(const char *v, enum log_level *out)
{
    static const struct {
        char name[8];
        u8 level;
    } names[] = {{"none", LOG_ERROR}, {"error", LOG_ERROR}, {"warning", LOG_WARNING},
                 {"info", LOG_INFO},  {"debug", LOG_DEBUG}, {"all", LOG_DEBUG}};
    const char *slash = strchr(v, '/');

    if (slash)
        v = slash + 1;
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(v, names[i].name) == 0) {
            *out = (enum log_level)names[i].level;
            return true;
        }
    }
    return false;
}

static bool set_loglvl(const char *v)
{
    return set_level(v, &options.log_level);
}

static bool set_guest_loglvl(const char *v)
{
    return set_level(v, &options.guest_log_level);
}

static bool set_console(const char *v)
{
    options.serial = false;
    while (*v) {
        if (strncmp(v, "com1", 4) == 0)
            options.serial = true;
        while (*v && *v != ',')
            v++;
        if (*v)
            v++;
    }
    return true;
}

/* <baud>[,<bits><parity><stop>[,<port>]]; "auto" keeps what the firmware set. The format is always 8n1. */
static bool set_com1(const char *v)
{
    const char *end = strchr(v, ',');

    options.serial_baud = (unsigned)number(v, &end);
    for (unsigned field = 1; *end == ','; field++) {
        v = end + 1;
        if (field == 2)
            options.serial_port = (u16)number(v, &end);
        while (*end && (*end != ',' || end < v))
            end++;
    }
    return true;
}

static bool truth(const char *v)
{
    return strcmp(v, "0") && strcmp(v, "no") && strcmp(v, "false") && strcmp(v, "off");
}

static bool set_noreboot(const char *v)
{
    options.noreboot = truth(v);
    return true;
}

static bool set_console_to_ring(const char *v)
{
    options.console_to_ring = truth(v);
    return true;
}

static bool set_conswitch(const char *v)
{
    options.conswitch = *v;
    if (*v)
        options.switch_at_boot = v[1] != 'x';
    return true;
}

static bool set_debug(const char *v)
{
    options.audit_frames = strcmp(v, "frames") == 0;
    return options.audit_frames;
}

static bool set_sched(const char *v)
{
    return strcmp(v, "credit2") == 0;
}

static const struct option {
    char name[16];
    bool (*set)(const char *value);
} table[] = {
    {"dom0_mem", set_dom0_mem},
    {"dom0_max_vcpus", set_dom0_max_vcpus},
    {"maxcpus", set_maxcpus},
    {"loglvl", set_loglvl},
    {"guest_loglvl", set_guest_loglvl},
    {"console", set_console},
    {"com1", set_com1},
    {"noreboot", set_noreboot},
    {"conswitch", set_conswitch},
    {"console_to_ring", set_console_to_ring},
    {"sched", set_sched},
    {"debug", set_debug},
};

static void reject(const char *word)
{
    size_t used = strlen(rejected);

    snprintf(rejected + used, sizeof(rejected) - used, " %s", word);
}

static void parse_word(char *word)
{
    char *value = strchr(word, '=');

    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        size_t length = value ? (size_t)(value - word) : strlen(word);
        if (strlen(table[i].name) == length && strncmp(word, table[i].name, length) == 0) {
            if (!table[i].set(value ? value + 1 : ""))
                reject(word);
            return;
        }
    }
    reject(word);
}

void cmdline_parse(const char *line)
{
    char word[128];

    while (*line) {
        size_t n = 0;
        while (*line == ' ')
            line++;
        for (; *line && *line != ' '; line++)
            if (n < sizeof(word) - 1)
                word[n++] = *line;
        word[n] = 0;
        if (n)
            parse_word(word);
    }
}

void cmdline_warn(void)
{
    if (rejected[0])
        logf(LOG_WARNING, "command line: not understood and ignored:%s\n", rejected);
}
