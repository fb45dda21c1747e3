/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hook of other_cpu.h. While the other CPU acts nobody disturbs it: its own exchanges succeed.
 */
#include <stdbool.h>
#include <stddef.h>
#include "other_cpu.h"

_Thread_local void (*other_cpu)(void *word);
static _Thread_local bool acting;

void other_cpu_acts(void *word)
{
    if (!other_cpu || acting)
        return;
    acting = true;
    other_cpu(word);
    acting = false;
}
