/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The syntax of a network interface; see vif.h. A keyword that means nothing here is an error, as one that xl does not
 * know is; keywords for emulated cards and routed networks are accepted where they change nothing.
 */
#include "vif.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REASON_SIZE 160
#define INTERVAL_US 50000u
#define RATE_MAX    1000000000000ull /* bytes in a second */

typedef int keyword_reader(struct vif_config *vif, const char *value, char *reason);

#define refuse(reason, ...) (snprintf((reason), REASON_SIZE, __VA_ARGS__), -1)

bool vif_mac_parse(const char *text, uint8_t mac[6])
{
    for (unsigned int i = 0; i < 6; i++, text += 3) {
        char digits[3] = {0};

        if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) || text[2] != (i < 5 ? ':' : '\0'))
            return false;
        memcpy(digits, text, 2);
        mac[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return true;
}

void vif_mac_format(const uint8_t mac[6], char text[18])
{
    snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

void vif_config_make_mac(struct vif_config *vif, uint32_t random)
{
    if (vif->has_mac)
        return;
    memcpy(vif->mac, (const uint8_t[3]){0x00, 0x16, 0x3e}, 3);
    vif->mac[3] = (uint8_t)(random & 0x7f);
    vif->mac[4] = (uint8_t)(random >> 8);
    vif->mac[5] = (uint8_t)(random >> 16);
    vif->has_mac = true;
}

static int read_mac(struct vif_config *vif, const char *value, char *reason)
{
    static const uint8_t none[6];

    if (!vif_mac_parse(value, vif->mac))
        return refuse(reason, "mac=%s is no address such as 00:16:3e:12:34:56", value);
    if ((vif->mac[0] & 1) != 0 || memcmp(vif->mac, none, 6) == 0)
        return refuse(reason, "mac=%s cannot be one interface's address: it is a group's, or zero", value);
    vif->has_mac = true;
    return 0;
}

static int copy(char *to, size_t size, const char *keyword, const char *value, char *reason)
{
    if (strlen(value) >= size)
        return refuse(reason, "%s=%.20s... has %zu characters: at most %zu are possible", keyword, value, strlen(value),
                      size - 1);
    strcpy(to, value);
    return 0;
}

static int read_bridge(struct vif_config *vif, const char *value, char *reason)
{
    if (value[0] == '\0')
        return refuse(reason, "bridge= wants a name");
    return copy(vif->bridge, sizeof(vif->bridge), "bridge", value, reason);
}

static int read_name(struct vif_config *vif, const char *value, char *reason)
{
    return copy(vif->name, sizeof(vif->name), "vifname", value, reason);
}

static int read_script(struct vif_config *vif, const char *value, char *reason)
{
    return copy(vif->script, sizeof(vif->script), "script", value, reason);
}

static int read_ip(struct vif_config *vif, const char *value, char *reason)
{
    return copy(vif->ip, sizeof(vif->ip), "ip", value, reason);
}

static int read_number(const char *keyword, const char *value, unsigned long low, unsigned long high, unsigned int *out,
                       char *reason)
{
    char *end;
    unsigned long number = strtoul(value, &end, 0);

    if (!isdigit((unsigned char)value[0]) || *end != '\0' || number < low || number > high)
        return refuse(reason, "%s=%s is out of range: %lu to %lu are possible", keyword, value, low, high);
    *out = (unsigned int)number;
    return 0;
}

static int read_mtu(struct vif_config *vif, const char *value, char *reason)
{
    return read_number("mtu", value, VIF_MTU_MIN, VIF_MTU_MAX, &vif->mtu, reason);
}

static int read_id(struct vif_config *vif, const char *value, char *reason)
{
    vif->has_id = true;
    return read_number("devid", value, 0, VIF_ID_MAX, &vif->id, reason);
}

static int read_type(struct vif_config *vif, const char *value, char *reason)
{
    if (strcmp(value, "vif") == 0)
        return 0;
    return refuse(reason, "type=%s is not possible: a paravirtualized guest has type=vif only", value);
}

static int read_backend(struct vif_config *vif, const char *value, char *reason)
{
    if (strcmp(value, "0") == 0 || strcmp(value, "Domain-0") == 0)
        return 0;
    return refuse(reason, "backend=%s is not possible: domain 0 has the network", value);
}

/* Of emulated cards, which no guest here has. */
static int read_model(struct vif_config *vif, const char *value, char *reason)
{
    return 0;
}

static int read_gateway(struct vif_config *vif, const char *value, char *reason)
{
    return refuse(reason, "gatewaydev is not possible: interfaces are switched here, not routed; use bridge=NAME");
}

/* An amount in a second: a number and "GB", "MB", "KB", "B" of bytes or "Gb", "Mb", "Kb", "b" of bits. */
static const char *read_amount(const char *text, uint64_t *bytes)
{
    static const char prefixes[] = "KMG";
    char *end;
    unsigned long long number = strtoull(text, &end, 10), scale = 1;
    const char *prefix = *end != '\0' ? strchr(prefixes, *end) : NULL;

    if (end == text || !isdigit((unsigned char)text[0]) || number > RATE_MAX)
        return NULL;
    if (prefix != NULL) {
        for (const char *p = prefixes; p <= prefix; p++)
            scale *= 1000;
        end++;
    }
    if ((*end != 'B' && *end != 'b') || number > RATE_MAX / scale)
        return NULL;
    *bytes = number * scale / (*end == 'b' ? 8 : 1);
    return end + 1;
}

static bool read_interval(const char *text, uint32_t *us)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10), scale = 0;

    if (strcmp(end, "us") == 0)
        scale = 1;
    else if (strcmp(end, "ms") == 0)
        scale = 1000;
    else if (strcmp(end, "s") == 0)
        scale = 1000000;
    if (end == text || scale == 0 || number == 0 || number > 60000000 / scale)
        return false;
    *us = (uint32_t)(number * scale);
    return true;
}

static int read_rate(struct vif_config *vif, const char *value, char *reason)
{
    uint64_t bytes = 0;
    const char *end = read_amount(value, &bytes);

    vif->rate_interval_us = INTERVAL_US;
    if (end == NULL || strncmp(end, "/s", 2) != 0 ||
        !(end[2] == '\0' || (end[2] == '@' && read_interval(end + 3, &vif->rate_interval_us))))
        return refuse(reason, "rate=%s is none: write for example 10Mb/s, 250KB/s or 1MB/s@20ms (at most 60s)", value);
    vif->rate_bytes = bytes * vif->rate_interval_us / 1000000;
    if (vif->rate_bytes == 0 || vif->rate_bytes >= UINT32_MAX)
        return refuse(reason, "rate=%s gives %llu bytes in each interval: 1 to 4294967294 are possible", value,
                      (unsigned long long)vif->rate_bytes);
    return 0;
}

static const struct {
    const char *name;
    keyword_reader *read;
} keywords[] = {
    {"mac", read_mac},         {"bridge", read_bridge}, {"vifname", read_name}, {"script", read_script},
    {"ip", read_ip},           {"mtu", read_mtu},       {"devid", read_id},     {"type", read_type},
    {"backend", read_backend}, {"model", read_model},   {"rate", read_rate},    {"gatewaydev", read_gateway},
    {"netdev", read_gateway},
};

static int read_flag(struct vif_config *vif, const char *flag, char *reason)
{
    if (strcasecmp(flag, "trusted") == 0 || strcasecmp(flag, "untrusted") == 0) {
        vif->untrusted = tolower((unsigned char)flag[0]) == 'u';
        return 0;
    }
    return refuse(reason, "\"%s\" is neither a keyword with a value nor trusted or untrusted", flag);
}

static int read_word(struct vif_config *vif, char *word, char *reason)
{
    char *value = strchr(word, '=');

    if (value == NULL)
        return read_flag(vif, word, reason);
    *value++ = '\0';
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (strcasecmp(keywords[i].name, word) == 0)
            return keywords[i].read(vif, value, reason);
    return refuse(reason,
                  "unknown keyword \"%s\"; there are mac, bridge, rate, vifname, mtu, devid, script, ip, type, "
                  "model, backend, trusted, untrusted",
                  word);
}

int vif_config_parse(const char *text, struct vif_config *vif, char reason[REASON_SIZE])
{
    char words[256], *at = words, *comma;

    memset(vif, 0, sizeof(*vif));
    strcpy(vif->bridge, VIF_DEFAULT_BRIDGE);
    strcpy(vif->script, VIF_DEFAULT_SCRIPT);
    if (strlen(text) >= sizeof(words))
        return refuse(reason, "it has %zu characters: at most %zu are possible", strlen(text), sizeof(words) - 1);
    strcpy(words, text);
    for (; at != NULL; at = comma) {
        comma = strchr(at, ',');
        if (comma != NULL)
            *comma++ = '\0';
        at += strspn(at, " \t");
        for (size_t length = strlen(at); length > 0 && isspace((unsigned char)at[length - 1]);)
            at[--length] = '\0';
        if (*at != '\0' && read_word(vif, at, reason) != 0)
            return -1;
    }
    return 0;
}
