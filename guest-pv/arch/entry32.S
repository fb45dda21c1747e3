/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Ring 1, 32-bit PAE: first instruction, exceptions, event upcall, and the way back by the iret hypercall.
 * Bounce frame at a callback: [error code], eip, cs with the upcall mask above it, eflags, and esp, ss when the
 * interrupted code ran in ring 2 or 3. All entries build a struct trap_frame.
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

note_begin NOTE_L1_MFN_VALID
    .quad 1, 1
note_end

.set HYPERCALL_IRET, 23
.set HYPERCALL_FPU_TASKSWITCH, 5
.set VECTOR_FAILSAFE, 257
.set KERNEL_DS, 0xe021

.section .text.start, "ax"
.globl _start
_start:
    cld
    mov $boot_stack_top, %esp
    xor %ebp, %ebp
    push $0
    push $0
    push $0
    push %esi
    call pv_start
1:  jmp 1b

.section .text.hypercall_page, "ax"
.balign 4096
.globl hypercall_page
hypercall_page:
    .skip 4096

.text
.macro push_registers
    pusha
    push %ds
    push %es
    push %fs
    push %gs
.endm

.macro pop_registers
    pop %gs
    pop %fs
    pop %es
    pop %ds
    popa
.endm

.macro trap_entry vector, has_error
trap_entry_\vector:
.if \has_error == 0
    push $0
.endif
    push $\vector
    jmp trap_common
.endm

#include "trap_entries.h"

/* Frame: ds, es, fs, gs, eip, ... : the selectors that could not be loaded are of no use to us. */
.globl failsafe_entry
failsafe_entry:
    add $16, %esp
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
    mov $KERNEL_DS, %eax
    mov %eax, %ds
    mov %eax, %es
    cld
    mov %esp, %ebx
    sub $512, %esp
    and $-16, %esp
.globl trap_fxsave
trap_fxsave:
    fxsave (%esp)
    sub $16, %esp
    mov %ebx, (%esp)
    call trap_dispatch
    add $16, %esp
    fxrstor (%esp)
    mov %ebx, %esp
    test %al, %al
    jz 1f
    mov $HYPERCALL_FPU_TASKSWITCH, %eax
    mov $1, %ebx
    int $0x82
1:  pop_registers
    add $8, %esp
    push %eax
    mov $HYPERCALL_IRET, %eax
    int $0x82
    ud2

/* First code of a secondary vCPU; ebx = its number. */
.globl smp_entry
smp_entry:
    cld
    xor %ebp, %ebp
    sub $12, %esp
    push %ebx
    call smp_main
    ud2

/* void thread_switch(unsigned long *save_sp, unsigned long load_sp): callee-saved registers travel on the stacks. */
.globl thread_switch
thread_switch:
    mov 4(%esp), %eax
    mov 8(%esp), %edx
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov %esp, (%eax)
    mov %edx, %esp
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    ret

/* First code of a thread: esi = fn, edi = arg, put there by thread_create. */
.globl thread_trampoline
thread_trampoline:
    xor %ebp, %ebp
    sub $8, %esp
    push %edi
    push %esi
    call thread_begin
    ud2

.section .rodata
.balign 4
.globl trap_entries
trap_entries:
.altmacro
.macro trap_address n
    .long trap_entry_\n
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
