/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Handlers in assembly: as short as the ABI lets them be, so that the bounce is what is measured.
 */
#ifndef BENCH_H
#define BENCH_H

void bench_iret_handler(void); /* straight back */
void bench_skip_handler(void); /* a fault's error code dropped, the faulting instruction (2 bytes) skipped */
void bench_fault(void);        /* reads an unmapped address by a 2-byte instruction */

#endif
