/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A Multiboot kernel that says at which time stamp the boot loader entered it, and no more: what the firmware spends
 * before us is not ours to count.
 */
    .section .multiboot, "a"
    .balign 4
    .long   0x1BADB002, 0, -0x1BADB002

    .text
    .code32
    .globl  _start
_start:
    rdtsc
    movl    %edx, %esi
    movl    %eax, %edi
    movl    $8, %ebp
1:  roll    $4, %esi
    movl    %esi, %eax
    call    digit
    decl    %ebp
    jnz     1b
    movl    $8, %ebp
2:  roll    $4, %edi
    movl    %edi, %eax
    call    digit
    decl    %ebp
    jnz     2b
    movb    $'.', %al
    movw    $0x3f8, %dx
    outb    %al, %dx
3:  hlt
    jmp     3b

digit:
    andb    $15, %al
    addb    $'0', %al
    cmpb    $'9', %al
    jbe     4f
    addb    $'a' - '0' - 10, %al
4:  movw    $0x3f8, %dx
    outb    %al, %dx
    ret
