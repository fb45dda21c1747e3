/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A dom0 of a few instructions: writes the time stamp of its first one to the console and turns the machine off.
 */
#define CONSOLE_IO      18
#define SCHED_OP        29
#define SCHED_SHUTDOWN  2

    .section .note.Xen, "a", @note
    .balign 4
    .long   4, 8, 5         /* XEN_VERSION */
    .asciz  "Xen"
    .asciz  "xen-3.0"
    .long   4, 8, 6         /* GUEST_OS */
    .asciz  "Xen"
    .asciz  "probe\0\0"
    .long   4, 8, 3         /* VIRT_BASE */
    .asciz  "Xen"
    .quad   0
    .long   4, 8, 1         /* ENTRY */
    .asciz  "Xen"
    .quad   _start

    .data
text:
    .fill   16, 1, '0'
    .ascii  ".\n"
poweroff:
    .long   0

    .text
    .globl  _start
_start:
    rdtsc
    shlq    $32, %rdx
    orq     %rdx, %rax
    leaq    text, %rdi
    movl    $16, %ecx
1:  rolq    $4, %rax
    movb    %al, %dl
    andb    $15, %dl
    addb    $'0', %dl
    cmpb    $'9', %dl
    jbe     2f
    addb    $'a' - '0' - 10, %dl
2:  movb    %dl, (%rdi)
    incq    %rdi
    loop    1b
    movl    $CONSOLE_IO, %eax
    xorl    %edi, %edi
    movl    $18, %esi
    leaq    text, %rdx
    syscall
    movl    $SCHED_OP, %eax
    movl    $SCHED_SHUTDOWN, %edi
    leaq    poweroff, %rsi
    syscall
3:  jmp     3b
