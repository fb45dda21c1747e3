/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Configuration files and settings on the command line: a mistake has words and a place, and nothing else happens.
 */
#include <stdlib.h>
#include <string.h>
#include "dom0-tools/config/config.h"
#include "dom0-tools/config/domain_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A text up to the first NUL, and behind it a setting that overrides it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, '\0', size);
    size_t length = nul ? (size_t)(nul - data) : size, rest = nul ? size - length - 1 : 0;
    char *text = malloc(length ? length : 1), *setting = malloc(rest + 1);
    struct config_error error = {0};
    struct domain_config domain;
    struct config config;

    memcpy(text, data, length);
    memcpy(setting, data + size - rest, rest);
    setting[rest] = '\0';
    config_init(&config);
    if (config_parse(&config, "fuzz.cfg", text, length, &error) != 0 && error.text[0] == '\0')
        abort();
    if (rest > 0)
        (void)config_override(&config, setting, &error);
    memset(&domain, 0, sizeof(domain));
    error.text[0] = '\0';
    if (domain_config_read(&config, &domain, &error) != 0 && error.text[0] == '\0')
        abort();
    domain_config_free(&domain);
    config_free(&config);
    free(setting);
    free(text);
    return 0;
}
