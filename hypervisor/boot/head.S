# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# From the boot loader (32-bit protected mode, paging off) to boot_main in long mode at the virtual address. The
# boot page tables map the low 4 GiB twice, at 0 and at the direct map, and the image; mm_boot replaces them.

#include "layout.h"
#include "boot/multiboot.h"
#include "asm-offsets.h"

#define PHYS(symbol) ((symbol) - (IMAGE_START - IMAGE_PHYS))

    .section .text.head, "ax", @progbits
    .code32

    .balign 8
multiboot1_header:
    .long MULTIBOOT1_HEADER_MAGIC, MULTIBOOT1_FLAGS, -(MULTIBOOT1_HEADER_MAGIC + MULTIBOOT1_FLAGS)

    .balign 8
multiboot2_header:
    .long MULTIBOOT2_HEADER_MAGIC, 0, multiboot2_header_end - multiboot2_header
    .long -(MULTIBOOT2_HEADER_MAGIC + (multiboot2_header_end - multiboot2_header))
    .short 6, 0             # modules page-aligned
    .long 8
    .short 0, 0             # end
    .long 8
multiboot2_header_end:

    .globl boot_entry32
boot_entry32:
    cli
    cld
    mov     %eax, %ebp      # magic
    mov     %ebx, %esi      # information
    lea     PHYS(boot_stack_top), %esp

    mov     $0x80000000, %eax
    cpuid
    cmp     $0x80000001, %eax
    jb      no_long_mode
    mov     $0x80000001, %eax
    cpuid
    bt      $29, %edx
    jnc     no_long_mode
    bt      $20, %edx
    jnc     no_long_mode     # no-execute

    # Four L2s of 2 MiB pages for the low 4 GiB.
    mov     $PHYS(boot_l2), %edi
    mov     $0x83, %eax
    mov     $2048, %ecx
1:  mov     %eax, (%edi)
    movl    $0, 4(%edi)
    add     $0x200000, %eax
    add     $8, %edi
    loop    1b

    mov     $PHYS(boot_l3), %edi
    mov     $PHYS(boot_l2) + 3, %eax
    mov     $4, %ecx
2:  mov     %eax, (%edi)
    add     $0x1000, %eax
    add     $8, %edi
    loop    2b

    movl    $PHYS(boot_l3) + 3, PHYS(boot_l4)
    movl    $PHYS(boot_l3) + 3, PHYS(boot_l4) + 8 * ((DIRECTMAP_START >> 39) & 511)
    movl    $PHYS(boot_l3_image) + 3, PHYS(boot_l4) + 8 * ((IMAGE_START >> 39) & 511)
    movl    $PHYS(boot_l2_image) + 3, PHYS(boot_l3_image)
    movl    $IMAGE_PHYS + 0x000083, PHYS(boot_l2_image)
    movl    $IMAGE_PHYS + 0x200083, PHYS(boot_l2_image) + 8
    movl    $IMAGE_PHYS + 0x400083, PHYS(boot_l2_image) + 16
    movl    $IMAGE_PHYS + 0x600083, PHYS(boot_l2_image) + 24

    mov     $PHYS(boot_l4), %eax
    mov     %eax, %cr3
    call    enter_long_mode
    ljmp    $8, $PHYS(boot_entry64)

# Paging with CR3 as set: PAE, EFER.LME and NXE and SCE, CR0.PG and WP. Clobbers eax, ecx, edx.
enter_long_mode:
    mov     $0x620, %eax    # PAE, OSFXSR, OSXMMEXCPT; never PGE: a load of CR3 must drop every translation
    mov     %eax, %cr4
    mov     $0xC0000080, %ecx
    rdmsr
    or      $0x901, %eax
    wrmsr
    mov     $0x80050033, %eax # PG, AM, WP, NE, ET, MP, PE
    mov     %eax, %cr0
    lgdt    PHYS(boot_gdt_pointer)
    ret

no_long_mode:
    mov     $PHYS(no_long_mode_text), %esi
3:  lodsb
    test    %al, %al
    jz      4f
    mov     $0x3F8, %edx
    out     %al, %dx
    jmp     3b
4:  hlt
    jmp     4b

no_long_mode_text:
    .asciz  "Paravane: this CPU has no 64-bit mode with no-execute pages; it cannot run here.\r\n"

    .balign 16
boot_gdt:
    .quad   0, 0x00AF9A000000FFFF, 0x00CF92000000FFFF, 0x00CF9A000000FFFF
boot_gdt_pointer:
    .short  . - boot_gdt - 1
    .long   PHYS(boot_gdt), 0

    .code64
boot_entry64:
    mov     $16, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    xor     %eax, %eax
    mov     %eax, %fs
    mov     %eax, %gs
    movabs  $boot_high, %rax
    jmp     *%rax
boot_high:
    lea     boot_stack_top(%rip), %rsp
    mov     %ebp, %edi
    mov     %esi, %esi
    xor     %ebp, %ebp
    call    boot_main
5:  hlt
    jmp     5b

# A secondary CPU starts here in real mode, in a page below 1 MiB that holds a copy of this code; cs is that page.
    .code16
    .globl ap_trampoline, ap_trampoline_end
ap_trampoline:
    cli
    cld
    mov     %cs, %ax
    mov     %ax, %ds
    movzwl  %ax, %ebx
    shl     $4, %ebx
    lea     (ap_gdt - ap_trampoline)(%ebx), %eax
    mov     %eax, (ap_gdt_pointer + 2 - ap_trampoline)
    lgdtl   (ap_gdt_pointer - ap_trampoline)
    mov     %cr0, %eax
    or      $1, %eax
    mov     %eax, %cr0
    ljmpl   $24, $PHYS(ap_entry32)
    .balign 8
ap_gdt:
    .quad   0, 0x00AF9A000000FFFF, 0x00CF92000000FFFF, 0x00CF9A000000FFFF
ap_gdt_pointer:
    .short  . - ap_gdt - 1
    .long   0
ap_trampoline_end:

    .code32
ap_entry32:
    mov     $16, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    lea     PHYS(boot_stack_top), %esp
    mov     $PHYS(boot_l4), %eax
    mov     %eax, %cr3
    call    enter_long_mode
    ljmp    $8, $PHYS(ap_entry64)
    .code64
ap_entry64:
    movabs  $ap_high, %rax
    jmp     *%rax
ap_high:
    mov     ap_root(%rip), %rax
    mov     %rax, %cr3
    xor     %esp, %esp              # a CPU that comes after it was given up finds no stack
    xchg    %rsp, ap_stack(%rip)
    xor     %ebp, %ebp
    test    %rsp, %rsp
    jz      6f
    call    ap_main
6:  hlt
    jmp     6b

    .section .bss.page_aligned, "aw", @nobits
    .balign STACK_ORDER_SIZE
boot_stack:
    .skip   STACK_ORDER_SIZE
boot_stack_limit:
    .globl boot_l4
boot_l4:
    .skip   4096
boot_l3:
    .skip   4096
boot_l3_image:
    .skip   4096
boot_l2_image:
    .skip   4096
boot_l2:
    .skip   4 * 4096
    .globl ap_root, ap_stack
ap_root:
    .skip   8
ap_stack:
    .skip   8
    .set boot_stack_top, boot_stack_limit - PERCPU_SIZE
