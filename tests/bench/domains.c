/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * stub
 */
#include "bench.h"
void bench_domains(void) {}
_Noreturn void bench_partner(const char *role) { pv_shutdown(0); }
