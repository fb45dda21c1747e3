/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Secondary vCPUs. They run one function each, without newlib, threads or malloc: memory, atomics, pv_printk and
 * hypercalls only.
 */
#ifndef PV_SMP_H
#define PV_SMP_H

#include <pv/pv.h>

/* How many vCPUs the domain has, this one included. */
unsigned int smp_cpu_count(void);

/* Starts vCPU `cpu` at fn(arg) with a 32 KiB stack, upcalls masked. When fn returns the vCPU goes down. */
int smp_start(unsigned int cpu, void (*fn)(void *arg), void *arg);

/* True while the vCPU is up, by the hypervisor's word. */
bool smp_is_up(unsigned int cpu);

unsigned int smp_cpu_id(void);

/*
 * Where a secondary vCPU may stand still while the domain is suspended (suspend.h): to be called often, at moments when
 * it holds no machine frame number. Costs a load otherwise. One that takes events needs no calls.
 */
void smp_safe_point(void);

/* Sleeps on a secondary vCPU whose upcalls are masked, without keeping a suspension waiting. */
void smp_sleep_ns(uint64_t ns);

#endif
