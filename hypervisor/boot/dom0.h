/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Building dom0 from the boot modules.
 */
#ifndef HYPERVISOR_BOOT_DOM0_H
#define HYPERVISOR_BOOT_DOM0_H

/* Panics with a sentence that says what to change when dom0 cannot be built. Leaves it paused. */
void dom0_build(void);

#endif
