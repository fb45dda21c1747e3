/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Vector state of a descheduled vCPU: context_fpu.c.
 */
#ifndef HYPERVISOR_DOMAIN_CONTEXT_FPU_H
#define HYPERVISOR_DOMAIN_CONTEXT_FPU_H

#include "types.h"

struct vcpu;

void fpu_set_legacy(struct vcpu *v, const void *image);
void fpu_get_legacy(struct vcpu *v, void *image);
size_t fpu_state_size(void); /* 0: this CPU has no XSAVE */
const void *fpu_state(const struct vcpu *v);
int fpu_set_state(struct vcpu *v, const void *image, size_t size);

#endif
