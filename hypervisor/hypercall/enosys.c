/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers for hypercalls that do not exist here.
 */
#include "lib.h"
#include "hypercall_prototypes.h"

long do_enosys(void)
{
    return -ENOSYS;
}

long do_eopnotsupp(void)
{
    return -EOPNOTSUPP;
}
