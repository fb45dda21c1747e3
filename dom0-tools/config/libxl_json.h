/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain's configuration as libxl 4.17 writes it into a saved domain, and `xl list -l` shows it. What libxl has no key
 * for goes into an object "paravane" at the top, and "paravane_shared" of a disk: libxl passes over keys it does not know.
 */
#ifndef CONFIG_LIBXL_JSON_H
#define CONFIG_LIBXL_JSON_H

#include "domain_config.h"

/* The text, to be freed; NULL when memory is out. */
char *config_to_json(const struct domain_config *config);

/*
 * 0, or -1 with the error, which names the key and its offset; `out` is to be freed in both cases. The same limits hold
 * as for a file that a user writes. What is not known here or has no effect is noted. `kernel` is "" where the text names
 * none: such a domain can be restored and cannot be built again.
 */
int config_from_json(const char *text, struct domain_config *out, struct config_error *error);

#endif
