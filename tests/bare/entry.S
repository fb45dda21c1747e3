/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * First instruction, exceptions and user mode of the kernel without a library, in both widths. Everything goes through
 * the hypercall page, whose stub of iret is jumped to with the frame on the stack. The page comes first in the image:
 * its frame is a number that a note can name.
 */
#define IRET_STUB    hypercall_page + 23 * 32
#define RETURN       0x20
#define USER_VALUE   0x1234

.section .text.start, "ax"
.balign 4096
.globl hypercall_page
hypercall_page:
    .skip 4096

#ifdef __x86_64__
#define WORD         .quad
.globl _start
_start:
    mov %rax, first(%rip)
    mov %rcx, first + 8(%rip)
    mov %rdx, first + 16(%rip)
    mov %rbx, first + 24(%rip)
    mov %rbp, first + 32(%rip)
    mov %rdi, first + 40(%rip)
    mov %rsi, first + 48(%rip)
    mov %rsp, first + 56(%rip)
    pushf
    pop first + 64(%rip)
    mov %cs, %eax
    mov %rax, first + 72(%rip)
    mov %ss, %eax
    mov %rax, first + 80(%rip)
    mov %ds, %eax
    mov %rax, first + 88(%rip)
    mov %es, %eax
    mov %rax, first + 96(%rip)
    mov %fs, %eax
    mov %rax, first + 104(%rip)
    mov %gs, %eax
    mov %rax, first + 112(%rip)
    lea stack_top(%rip), %rsp
    mov %rsi, %rdi
    call kernel
1:  jmp 1b

.macro entry number, error
entry_\number:
    pop %rcx
    pop %r11
.if \error == 0
    push $0
.endif
    push $\number
    jmp common
.endm

common:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    mov %rsp, %rdi
    cld
    call trapped
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    push $0
    jmp IRET_STUB

.globl user_run, user_return
user_run:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, saved_sp(%rip)
    push $0xe02b
    push %rsi
    push $2
    push $0xe033
    push %rdi
    push $0
    jmp IRET_STUB
user_return:
    mov saved_sp(%rip), %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

.globl peek, peek_end
peek:
    mov (%rdi), %rax
peek_end:
    ret

#else
#define WORD         .long
.globl _start
_start:
    mov %eax, first
    mov %ecx, first + 4
    mov %edx, first + 8
    mov %ebx, first + 12
    mov %ebp, first + 16
    mov %edi, first + 20
    mov %esi, first + 24
    mov %esp, first + 28
    pushf
    popl first + 32
    mov %cs, %eax
    mov %eax, first + 36
    mov %ss, %eax
    mov %eax, first + 40
    mov %ds, %eax
    mov %eax, first + 44
    mov %es, %eax
    mov %eax, first + 48
    mov %fs, %eax
    mov %eax, first + 52
    mov %gs, %eax
    mov %eax, first + 56
    mov $stack_top - 12, %esp
    push %esi
    call kernel
1:  jmp 1b

.macro entry number, error
entry_\number:
.if \error == 0
    push $0
.endif
    push $\number
    jmp common
.endm

common:
    push %eax
    push %ecx
    push %edx
    push %ds
    push %es
    mov $0xe021, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %esp, %eax
    cld
    push %eax
    call trapped
    add $4, %esp
    pop %es
    pop %ds
    pop %edx
    pop %ecx
    pop %eax
    add $8, %esp
    jmp IRET_STUB

.globl user_run, user_return
user_run:
    mov 4(%esp), %eax
    mov 8(%esp), %ecx
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov %esp, saved_sp
    push $0xe033
    push %ecx
    push $2
    push $0xe02b
    push %eax
    jmp IRET_STUB
user_return:
    mov saved_sp, %esp
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    ret

.globl peek, peek_end
peek:
    mov 4(%esp), %eax
    mov (%eax), %eax
peek_end:
    ret
#endif

entry 3, 0
entry 6, 0
entry 13, 1
entry 14, 1
entry 32, 0

.globl undefined, undefined_end
undefined:
    ud2
undefined_end:
    ret

/* In pages of their own, which are opened to user mode. */
.section .text.user, "ax"
.balign 4096
.globl user_code
user_code:
    mov $USER_VALUE, %eax
    int $RETURN
    ud2

.section .rodata, "a"
.globl entries
.balign 8
entries:
    WORD entry_3, entry_6, entry_13, entry_14, entry_32, entry_32

.section .data, "aw"
.balign 8
.globl first
first:
    .skip 15 * 8, 0x55 /* that it is in the file tells that it was loaded */

.section .bss, "aw", @nobits
.balign 4096
.globl user_stack
user_stack:
    .skip 4096
stack:
    .skip 16384
stack_top:
saved_sp:
    .skip 8

.section .note.GNU-stack, "", @progbits
