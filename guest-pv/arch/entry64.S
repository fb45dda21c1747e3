/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Ring 3, 64-bit: first instruction, exceptions, event upcall, and the way back by the iret hypercall.
 * Bounce frame at a callback: rcx, r11, [error code], rip, cs, rflags, rsp, ss. All entries build a struct trap_frame.
 */
#include "notes.inc"

note_string NOTE_GUEST_OS, "paravane-guest"
note_string NOTE_GUEST_VERSION, "1.0"
note_string NOTE_XEN_VERSION, "xen-3.0"
note_string NOTE_LOADER, "generic"
note_string NOTE_PAE_MODE, "yes"
note_string NOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb"
note_word NOTE_VIRT_BASE, 0
note_word NOTE_PADDR_OFFSET, 0
note_word NOTE_ENTRY, _start
note_word NOTE_HYPERCALL_PAGE, hypercall_page
note_word NOTE_SUSPEND_CANCEL, 1
note_word NOTE_L1_MFN_VALID, 1, 1

.set HYPERCALL_IRET, 23
.set HYPERCALL_FPU_TASKSWITCH, 5
.set VECTOR_FAILSAFE, 257

.section .text.start, "ax"
.globl _start
_start:
    cld
    lea boot_stack_top(%rip), %rsp
    xor %ebp, %ebp
    mov %rsi, %rdi
    call pv_start
1:  jmp 1b

.section .text.hypercall_page, "ax"
.balign 4096
.globl hypercall_page
hypercall_page:
    .skip 4096

.text
.macro push_registers
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro pop_registers
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
.endm

.macro trap_entry vector, has_error
trap_entry_\vector:
    pop %rcx
    pop %r11
.if \has_error == 0
    push $0
.endif
    push $\vector
    jmp trap_common
.endm

#include "trap_entries.h"

/* Frame: rcx, r11, ds, es, fs, gs, rip, ... : the selectors that could not be loaded are of no use to us. */
.globl failsafe_entry
failsafe_entry:
    pop %rcx
    pop %r11
    add $32, %rsp
    push $0
    push $VECTOR_FAILSAFE
    jmp trap_common

/*
 * The vector FPU state of the interrupted code is saved: C handlers may use it. When the program had set the
 * task-switched flag, the save itself raises vector 7 once, which clears the flag; trap_dispatch then says that it is to
 * be set again.
 */
trap_common:
    push_registers
    cld
    mov %rsp, %rbx
    sub $512, %rsp
    and $-16, %rsp
.globl trap_fxsave
trap_fxsave:
    fxsave64 (%rsp)
    mov %rbx, %rdi
    call trap_dispatch
    fxrstor64 (%rsp)
    mov %rbx, %rsp
    test %al, %al
    jz 1f
    mov $HYPERCALL_FPU_TASKSWITCH, %eax
    mov $1, %edi
    syscall
1:  pop_registers
    add $16, %rsp
    push $0
    push %rcx
    push %r11
    push %rax
    mov $HYPERCALL_IRET, %eax
    syscall
    ud2

/* First code of a secondary vCPU; rdi = its number. */
.globl smp_entry
smp_entry:
    cld
    xor %ebp, %ebp
    call smp_main
    ud2

/* void thread_switch(unsigned long *save_sp, unsigned long load_sp): callee-saved registers travel on the stacks. */
.globl thread_switch
thread_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

/* First code of a thread: r12 = fn, r13 = arg, put there by thread_create. */
.globl thread_trampoline
thread_trampoline:
    xor %ebp, %ebp
    mov %r12, %rdi
    mov %r13, %rsi
    call thread_begin
    ud2

.section .rodata
.balign 8
.globl trap_entries
trap_entries:
.altmacro
.macro trap_address n
    .quad trap_entry_\n
.endm
.set i, 0
.rept 32
    trap_address %i
.set i, i + 1
.endr
.noaltmacro
.globl upcall_entry
.set upcall_entry, trap_entry_256

.bss
.balign 4096
.globl boot_stack
boot_stack:
    .skip 65536
boot_stack_top:

.section .note.GNU-stack, "", @progbits
