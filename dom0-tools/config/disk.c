/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * xl's disk specifications. Parameters are separated by commas: flags and key=value pairs are known by name, anything
 * else takes the next place among target, format, vdev and access. target= consumes all that follows.
 */
#include "disk.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum parameter { TARGET, FORMAT, VDEV, ACCESS, DEVTYPE, BACKEND, BACKENDTYPE, SCRIPT, SPECIFICATION, PARAMETERS };

static const char *const parameter_names[PARAMETERS] = {
    "target", "format", "vdev", "access", "devtype", "backend", "backendtype", "script", "specification",
};

struct parsing {
    struct disk *disk;
    char *why;
    char *value[PARAMETERS]; /* point into a copy of the specification */
    bool old_syntax;         /* a deprecated prefix stands for the format, which has no place of its own then */
};

static int fail(struct parsing *parsing, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct parsing *parsing, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(parsing->why, DISK_ERROR_MAX, format, args);
    va_end(args);
    return -1;
}

/* "a" is 0, "z" 25, "aa" 26. Returns how many letters, 0 when there are none or too many. */
static size_t read_letters(const char *text, unsigned int *disk)
{
    size_t length = 0;

    *disk = 0;
    while (text[length] >= 'a' && text[length] <= 'z') {
        if (length == 4)
            return 0;
        *disk = (length > 0 ? (*disk + 1) * 26 : 0) + (unsigned int)(text[length] - 'a');
        length++;
    }
    return length;
}

/* The whole text as a decimal number without leading zeros, or nothing at all, which is 0. */
static bool read_partition(const char *text, unsigned int most, unsigned int *partition)
{
    *partition = 0;
    if (*text == '0')
        return false;
    for (; isdigit((unsigned char)*text); text++) {
        *partition = *partition * 10 + (unsigned int)(*text - '0');
        if (*partition > most)
            return false;
    }
    return *text == '\0';
}

static bool read_named(const char *vdev, const char *prefix, unsigned int disks, unsigned int partitions,
                       unsigned int *disk, unsigned int *partition)
{
    size_t skip = strlen(prefix), letters;

    if (strncmp(vdev, prefix, skip) != 0)
        return false;
    letters = read_letters(vdev + skip, disk);
    return letters > 0 && *disk < disks && read_partition(vdev + skip + letters, partitions, partition);
}

/* dNpM; without pM it is the whole disk. */
static bool read_plain(const char *vdev, unsigned int *disk, unsigned int *partition)
{
    char *end;
    unsigned long number;

    if (vdev[0] != 'd' || !isdigit((unsigned char)vdev[1]))
        return false;
    number = strtoul(vdev + 1, &end, 10);
    if (number >= 1u << 20)
        return false;
    *disk = (unsigned int)number;
    *partition = 0;
    if (*end == '\0')
        return true;
    return end[0] == 'p' && (strcmp(end, "p0") == 0 || (end[1] != '\0' && read_partition(end + 1, 255, partition)));
}

static bool read_number(const char *vdev, unsigned int *number)
{
    char *end;
    unsigned long value;

    if (!isdigit((unsigned char)vdev[0]))
        return false;
    value = strtoul(vdev, &end, 0);
    *number = (unsigned int)value;
    return *end == '\0' && value > 0 && value < 1u << 29;
}

bool disk_number(const char *vdev, unsigned int *number)
{
    unsigned int disk, partition;

    if (read_plain(vdev, &disk, &partition) || read_named(vdev, "xvd", 1u << 20, 255, &disk, &partition))
        *number = disk < 16 && partition < 16 ? 202u << 8 | disk << 4 | partition : 1u << 28 | disk << 8 | partition;
    else if (read_named(vdev, "sd", 16, 15, &disk, &partition))
        *number = 8u << 8 | disk << 4 | partition;
    else if (read_named(vdev, "hd", 4, 63, &disk, &partition))
        *number = (disk < 2 ? 3u : 22u) << 8 | (disk & 1) << 6 | partition;
    else
        return read_number(vdev, number);
    return true;
}

static int set(struct parsing *parsing, enum parameter which, char *value)
{
    /* An empty value leaves the default, and the place may be filled once more. */
    if (parsing->value[which] != NULL && *parsing->value[which] != '\0')
        return fail(parsing, "%s is given twice, \"%s\" and \"%s\"", parameter_names[which], parsing->value[which],
                    value);
    parsing->value[which] = value;
    return 0;
}

static int set_named(struct parsing *parsing, const char *name, char *value)
{
    for (unsigned int i = 0; i < PARAMETERS; i++)
        if (strcmp(name, parameter_names[i]) == 0)
            return set(parsing, (enum parameter)i, value);
    if (strncmp(name, "colo-", 5) == 0 || strcmp(name, "active-disk") == 0 || strcmp(name, "hidden-disk") == 0)
        return fail(parsing, "%s: there is no COLO replication here", name);
    return fail(parsing,
                "there is no parameter \"%s\": target, format, vdev, access, devtype, backend, backendtype, script and "
                "specification are known",
                name);
}

/* True for a flag that stands alone. Those about discarding and direct I/O change nothing: there is neither here. */
static bool take_flag(struct parsing *parsing, const char *word)
{
    static char cdrom[] = "cdrom";

    if (strcmp(word, cdrom) == 0)
        parsing->value[DEVTYPE] = cdrom;
    else if (strcmp(word, "untrusted") == 0 || strcmp(word, "trusted") == 0)
        parsing->disk->untrusted = word[0] == 'u';
    else
        return strcmp(word, "direct-io-safe") == 0 || strcmp(word, "discard") == 0 || strcmp(word, "no-discard") == 0;
    return true;
}

/* "hdc:cdrom" is the old way to write a vdev with its type. */
static int set_vdev(struct parsing *parsing, char *word)
{
    char *colon = strrchr(word, ':');

    if (colon != NULL) {
        *colon = '\0';
        if (set(parsing, DEVTYPE, colon + 1) != 0)
            return -1;
    }
    return set(parsing, VDEV, word);
}

static int set_positional(struct parsing *parsing, char *word)
{
    if (parsing->value[TARGET] == NULL)
        return set(parsing, TARGET, word);
    if (parsing->value[FORMAT] == NULL && !parsing->old_syntax) {
        if (*parsing->value[TARGET] == '\0' && strchr(word, ':') != NULL) { /* ",hdc:cdrom,r": an empty drive */
            parsing->old_syntax = true;
            return set_vdev(parsing, word);
        }
        return set(parsing, FORMAT, word);
    }
    if (parsing->value[VDEV] == NULL)
        return set_vdev(parsing, word);
    if (parsing->value[ACCESS] == NULL)
        return set(parsing, ACCESS, word);
    return fail(parsing, "\"%s\" is one too many: target, format, vdev and access are given", word);
}

static char *skip_blanks(char *text)
{
    return text + strspn(text, " \t");
}

/* One parameter, without its comma. */
static int take_word(struct parsing *parsing, char *word)
{
    char *equals = strchr(word, '=');

    if (equals == NULL)
        return take_flag(parsing, word) ? 0 : set_positional(parsing, word);
    *equals = '\0';
    return set_named(parsing, word, equals + 1);
}

static char *take_prefix(struct parsing *parsing, char *rest, const char *prefix)
{
    static char raw[] = "raw";
    size_t length = strlen(prefix);

    if (strncmp(rest, prefix, length) != 0)
        return NULL;
    parsing->old_syntax = true;
    if (strcmp(prefix, "raw:") == 0)
        parsing->value[FORMAT] = raw;
    return rest + length;
}

/* Prefixes of long ago are taken off: file:, phy:, tap:aio: and the like; what we cannot do is refused. */
static char *strip_prefixes(struct parsing *parsing, char *rest)
{
    static const char *const ignored[] = {"raw:", "file:", "phy:", "tapdisk:", "tap2:", "tap:", "aio:", "ioemu:"};
    static const char *const refused[] = {"qcow:", "qcow2:", "vhd:", "qed:", "iscsi:", "nbd:", "enbd:", "drbd:"};
    bool again = true;

    while (again) {
        again = false;
        for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
            char *behind = take_prefix(parsing, rest, ignored[i]);

            again = again || behind != NULL;
            rest = behind != NULL ? behind : rest;
        }
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (strncmp(rest, refused[i], strlen(refused[i])) == 0) {
            (void)fail(parsing, "%s images are not possible here; convert it: qemu-img convert -O raw", refused[i]);
            return NULL;
        }
    }
    return rest;
}

static int take_words(struct parsing *parsing, char *rest)
{
    rest = strip_prefixes(parsing, skip_blanks(rest));
    if (rest == NULL)
        return -1;
    while (*(rest = skip_blanks(rest)) != '\0') {
        size_t length;

        if (strncmp(rest, "target=", 7) == 0)
            return set(parsing, TARGET, rest + 7);
        length = strcspn(rest, ",");
        if (rest[length] == ',')
            rest[length++] = '\0';
        if (take_word(parsing, rest) != 0)
            return -1;
        rest += length;
    }
    return 0;
}

static const char *value(const struct parsing *parsing, enum parameter which, const char *otherwise)
{
    const char *text = parsing->value[which];

    return text != NULL && *text != '\0' ? text : otherwise;
}

static bool is_one_of(const char *text, const char *first, const char *second)
{
    return strcmp(text, first) == 0 || strcmp(text, second) == 0;
}

/* What only a Linux dom0 could do is refused, with what to do instead. */
static int check_kind(struct parsing *parsing)
{
    const char *format = value(parsing, FORMAT, "raw"), *type = value(parsing, BACKENDTYPE, "phy");

    if (strcmp(format, "raw") != 0)
        return fail(parsing, "format=%s is not possible here, only raw; convert the image: qemu-img convert -O raw",
                    format);
    if (!is_one_of(type, "phy", "qdisk") && strcmp(type, "tap") != 0)
        return fail(parsing, "backendtype=%s is not possible here: phy, the default, serves images and disks", type);
    if (strcmp(value(parsing, SPECIFICATION, "xen"), "xen") != 0)
        return fail(parsing, "specification=%s is not possible here, only xen", value(parsing, SPECIFICATION, ""));
    if (!is_one_of(value(parsing, BACKEND, "0"), "0", "Domain-0"))
        return fail(parsing, "backend=%s: there are no driver domains here, all disks are served by Domain-0",
                    value(parsing, BACKEND, ""));
    if (value(parsing, SCRIPT, NULL) != NULL)
        return fail(parsing, "script=%s: there are no block scripts here; target is a file or a disk of the machine",
                    value(parsing, SCRIPT, ""));
    if (strcmp(value(parsing, DEVTYPE, "cdrom"), "cdrom") != 0 && strcmp(value(parsing, DEVTYPE, ""), "disk") != 0)
        return fail(parsing, "devtype=%s is unknown; cdrom is possible", value(parsing, DEVTYPE, ""));
    return 0;
}

static int take_access(struct parsing *parsing)
{
    struct disk *disk = parsing->disk;
    const char *access;

    disk->cdrom = strcmp(value(parsing, DEVTYPE, "disk"), "cdrom") == 0;
    access = value(parsing, ACCESS, disk->cdrom ? "r" : "rw");
    disk->read_only = is_one_of(access, "r", "ro");
    disk->shared = strcmp(access, "w!") == 0;
    if (!disk->read_only && !disk->shared && !is_one_of(access, "w", "rw"))
        return fail(parsing, "access=%s is unknown: rw or w, ro or r, w! for a disk that several domains write",
                    access);
    if (disk->cdrom && !disk->read_only)
        return fail(parsing, "a CD-ROM cannot be written: access is ro");
    return 0;
}

static int take_vdev(struct parsing *parsing)
{
    const char *vdev = value(parsing, VDEV, NULL);

    if (vdev == NULL)
        return fail(parsing, "vdev is missing, the name of the disk in the guest: for instance vdev=xvda");
    if (strlen(vdev) >= DISK_VDEV_MAX || !disk_number(vdev, &parsing->disk->number))
        return fail(parsing, "vdev=%s names no disk: xvda, xvda1, d0p1, sda (to sdp15) and hda (to hdd63) are names",
                    vdev);
    strcpy(parsing->disk->vdev, vdev);
    return 0;
}

/* A target that does not begin with a slash lies in /dev. */
static int take_target(struct parsing *parsing)
{
    const char *target = value(parsing, TARGET, "");
    size_t size = strlen(target) + sizeof("/dev/");

    if (*target == '\0' && !parsing->disk->cdrom)
        return fail(parsing, "target is missing, the image file or disk: for instance target=/images/root.img");
    parsing->disk->target = malloc(size);
    if (parsing->disk->target == NULL)
        return fail(parsing, "out of memory");
    snprintf(parsing->disk->target, size, "%s%s", *target == '\0' || *target == '/' ? "" : "/dev/", target);
    return 0;
}

int disk_parse(const char *spec, struct disk *disk, char why[DISK_ERROR_MAX])
{
    struct parsing parsing = {.disk = disk, .why = why};
    char *copy = strdup(spec);
    int status;

    memset(disk, 0, sizeof(*disk));
    if (copy == NULL)
        return fail(&parsing, "out of memory");
    status = take_words(&parsing, copy);
    if (status == 0)
        status = check_kind(&parsing);
    if (status == 0)
        status = take_access(&parsing);
    if (status == 0)
        status = take_vdev(&parsing);
    if (status == 0)
        status = take_target(&parsing);
    free(copy);
    return status;
}

void disk_free(struct disk *disk)
{
    free(disk->target);
    memset(disk, 0, sizeof(*disk));
}

bool disk_copy(struct disk *to, const struct disk *from)
{
    *to = *from;
    to->target = strdup(from->target);
    return to->target != NULL;
}
