/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The page that a kernel calls its hypercalls through: slot n, 32 bytes long, makes call n. The iret call does not come
 * back, and finds what it needs pushed on the caller's stack.
 */
#include "control/control.h"

#define SLOT_SIZE 32

static void put(u8 *slot, u32 number, const u8 *before, unsigned before_size, const u8 *after, unsigned after_size)
{
    memcpy(slot, before, before_size);
    slot[before_size] = 0xB8; /* mov $number, %eax */
    memcpy(slot + before_size + 1, &number, sizeof(number));
    memcpy(slot + before_size + 5, after, after_size);
}

void hypercall_page_fill(void *page, bool is_32bit)
{
    static const u8 save64[] = {0x51, 0x41, 0x53};                   /* push %rcx, %r11 */
    static const u8 call64[] = {0x0F, 0x05, 0x41, 0x5B, 0x59, 0xC3}; /* syscall; pop %r11, %rcx; ret */
    static const u8 iret_save64[] = {0x51, 0x41, 0x53, 0x50};        /* push %rcx, %r11, %rax */
    static const u8 iret_call64[] = {0x0F, 0x05};                    /* syscall */
    static const u8 call32[] = {0xCD, 0x82, 0xC3};                   /* int $0x82; ret */
    static const u8 iret_save32[] = {0x50};                          /* push %eax */
    static const u8 iret_call32[] = {0xCD, 0x82};

    memset(page, 0xCC, PAGE_SIZE);
    for (u32 n = 0; n < PAGE_SIZE / SLOT_SIZE; n++) {
        u8 *slot = (u8 *)page + n * SLOT_SIZE;

        if (is_32bit && n == __HYPERVISOR_iret)
            put(slot, n, iret_save32, sizeof(iret_save32), iret_call32, sizeof(iret_call32));
        else if (is_32bit)
            put(slot, n, NULL, 0, call32, sizeof(call32));
        else if (n == __HYPERVISOR_iret)
            put(slot, n, iret_save64, sizeof(iret_save64), iret_call64, sizeof(iret_call64));
        else
            put(slot, n, save64, sizeof(save64), call64, sizeof(call64));
    }
}
