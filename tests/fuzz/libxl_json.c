/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Fuzzing the reader of configurations. What it takes must come back the same from what is written of it.
 */
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/config/libxl_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *again(const struct domain_config *config, struct domain_config *other)
{
    struct config_error error = {""};
    char *text = config_to_json(config);

    if (text == NULL || config_from_json(text, other, &error) != 0)
        abort();
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *first, *second;
    struct domain_config config, other, third;
    struct config_error error = {""};

    memcpy(text, data, size);
    text[size] = '\0';
    if (config_from_json(text, &config, &error) == 0) {
        first = again(&config, &other);
        second = again(&other, &third);
        if (strcmp(first, second) != 0)
            abort();
        free(first);
        free(second);
        domain_config_free(&other);
        domain_config_free(&third);
    } else if (error.text[0] == '\0') {
        abort();
    }
    domain_config_free(&config);
    free(text);
    return 0;
}
