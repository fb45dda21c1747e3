/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the control interface offers to the rest of the hypervisor.
 */
#ifndef HYPERVISOR_CONTROL_CONTROL_H
#define HYPERVISOR_CONTROL_CONTROL_H

#include "types.h"

/* The page of hypercall stubs that a kernel names, for its width. */
void hypercall_page_fill(void *page, bool is_32bit);

#endif
