/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * set_gdt and update_descriptor.
 */
#include "internal.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

long do_set_gdt(unsigned long frame_list, unsigned long entries_arg)
{
    u64 frames[16];
    unsigned entries = (u32)entries_arg;
    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    for (unsigned i = 0; i < (entries + 511) / 512; i++) {
        unsigned long frame;
        if (read_guest_long(&frame, frame_list, i))
            return -EFAULT;
        frames[i] = frame;
    }
    return set_gdt_frames(current, frames, entries);
}

long do_set_gdt_pv32(unsigned long frame_list, unsigned long entries)
{
    return do_set_gdt(frame_list, entries);
}

long do_update_descriptor(unsigned long maddr, unsigned long descriptor)
{
    struct domain *d = current->domain;
    mfn_t mfn = mfn_of(maddr >> PAGE_SHIFT);
    u64 value = descriptor;
    if ((maddr & 7) || !descriptor_ok(d, &value) || !mfn_valid(mfn))
        return -EINVAL;
    /* A frame in use as a descriptor table keeps that type; any other must be writable. */
    u64 word = frame_word(mfn);
    bool in_use = fw_type(word) == FRAME_DESCRIPTOR && (word & FW_VALIDATED);
    if (page_get_and_type(mfn, d, in_use ? FRAME_DESCRIPTOR : FRAME_WRITABLE, false))
        return -EINVAL;
    WRITE_ONCE(*(u64 *)maddr_to_virt(maddr), value);
    page_put_and_type(mfn);
    return 0;
}

long do_update_descriptor_pv32(unsigned long maddr_low, unsigned long maddr_high, unsigned long low, unsigned long high)
{
    return do_update_descriptor((u32)maddr_low | maddr_high << 32, (u32)low | high << 32);
}
