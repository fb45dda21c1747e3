/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Linked with SPECULATION=1 only: an indirect call whose target the CPU cannot guess. The return predictor leads into a
 * loop that does nothing; the true return goes where r10 says.
 */
    .section .text.entry, "ax", @progbits
    .globl call_r10
call_r10:
    call    2f
1:  pause
    lfence
    jmp     1b
2:  mov     %r10, (%rsp)
    ret
    int3
