/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * For files shared with programs that have a C library: the part of <string.h> that the hypervisor has.
 */
#include "lib.h"
