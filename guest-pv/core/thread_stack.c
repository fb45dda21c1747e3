/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The first stack of a thread: the mirror image of thread_switch in arch/entry32.S and arch/entry64.S.
 */
#include "thread.h"

#ifdef __x86_64__
unsigned long thread_stack_prepare(unsigned long top, void (*fn)(void *arg), void *arg)
{
    unsigned long *sp = (unsigned long *)(top & -16UL);

    *--sp = (unsigned long)thread_trampoline;
    *--sp = 0;                  /* rbp */
    *--sp = 0;                  /* rbx */
    *--sp = (unsigned long)fn;  /* r12 */
    *--sp = (unsigned long)arg; /* r13 */
    *--sp = 0;                  /* r14 */
    *--sp = 0;                  /* r15 */
    return (unsigned long)sp;
}
#else
unsigned long thread_stack_prepare(unsigned long top, void (*fn)(void *arg), void *arg)
{
    unsigned long *sp = (unsigned long *)(top & -16UL);

    *--sp = (unsigned long)thread_trampoline;
    *--sp = 0;                  /* ebp */
    *--sp = 0;                  /* ebx */
    *--sp = (unsigned long)fn;  /* esi */
    *--sp = (unsigned long)arg; /* edi */
    return (unsigned long)sp;
}
#endif
