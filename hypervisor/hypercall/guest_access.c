/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copies to and from guest memory, layout translation for 32-bit kernels, continuations. This is the only file that
 * knows that an unsigned long or a pointer of a guest may be 4 bytes.
 *
 * A copy runs on the guest's own page tables, so a missing or forbidden page faults here as it would in the guest; the
 * fixup ends the copy. Our own range is excluded by comparison, since the CPU would let us write there.
 */
#include "domain.h"
#include "guest_access.h"
#include "cpu/cpu.h"

IN_PLACE bool range_ok(unsigned long va, size_t size)
{
    const struct vcpu_mm *mm = &current->mm;
    unsigned long end = va + size;

    return likely(end >= va && (end <= mm->copy_end || va >= mm->copy_start)) || linear_range_ok(va, end);
}

bool guest_range_ok(unsigned long va, size_t size)
{
    return range_ok(va, size);
}

/* Bytes not copied. */
IN_PLACE size_t copy_raw(void *to, const void *from, size_t size)
{
    size_t words = size / 8, rest = size % 8;

    __asm__ volatile("1: rep movsq\n"
                     "mov %3, %0\n"
                     "2: rep movsb\n"
                     "3:\n"
                     ".pushsection .text.fixup, \"ax\"\n"
                     "4: lea (%3,%0,8), %0; jmp 3b\n"
                     ".popsection\n"
                     ".pushsection .ex_table, \"a\"\n"
                     ".long 1b - ., 4b - .\n"
                     ".long 2b - ., 3b - .\n"
                     ".popsection"
                     : "+c"(words), "+D"(to), "+S"(from)
                     : "r"(rest)
                     : "memory");
    return words;
}

int copy_safe(void *to, const void *from, size_t size)
{
    return copy_raw(to, from, size) ? -EFAULT : 0;
}

int copy_from_guest(void *to, unsigned long from, size_t size)
{
    if (unlikely(!range_ok(from, size)))
        return -EFAULT;
    return copy_raw(to, (const void *)from, size) ? -EFAULT : 0;
}

int copy_to_guest(unsigned long to, const void *from, size_t size)
{
    if (unlikely(!range_ok(to, size)))
        return -EFAULT;
    return copy_raw((void *)to, from, size) ? -EFAULT : 0;
}

int clear_guest(unsigned long to, size_t size)
{
    static u8 zeroes[256]; /* never written: constants would take room in the image */

    while (size) {
        size_t part = MIN(size, sizeof(zeroes));
        if (copy_to_guest(to, zeroes, part))
            return -EFAULT;
        to += part;
        size -= part;
    }
    return 0;
}

#define MAX_STRUCT 256

/* By letter: bytes in the native shape; bytes in the 32-bit one, whose alignment is the same but for 'q'. */
static inline unsigned wide_size(char c)
{
    return c == 'b' ? 1 : c == 'h' ? 2 : c == 'w' ? 4 : 8;
}

static inline unsigned narrow_size(char c)
{
    return c == 'q' || c == 'Q' ? 8 : MIN(wide_size(c), 4U);
}

/* Steps both offsets to where the next field lies. */
static inline void align_field(char c, size_t *wide, size_t *narrow)
{
    *wide = ROUND_UP(*wide, wide_size(c));
    *narrow = ROUND_UP(*narrow, c == 'q' ? 4 : narrow_size(c));
}

static inline void put_field(void *to, unsigned size, u64 value)
{
    switch (size) {
    case 1:
        *(u8 *)to = (u8)value;
        break;
    case 2:
        *(u16 *)to = (u16)value;
        break;
    case 4:
        *(u32 *)to = (u32)value;
        break;
    default:
        *(u64 *)to = value;
        break;
    }
}

static inline u64 get_field(const void *from, unsigned size)
{
    return size == 1   ? *(const u8 *)from
           : size == 2 ? *(const u16 *)from
           : size == 4 ? *(const u32 *)from
                       : *(const u64 *)from;
}

static int read_narrow(void *to, size_t size64, unsigned long from, size_t size32, const char *layout)
{
    u8 narrow[MAX_STRUCT];
    size_t at64 = 0, at32 = 0;

    if (copy_from_guest(narrow, from, size32))
        return -EFAULT;
    memset(to, 0, size64);
    for (; *layout; layout++) {
        char c = *layout;
        align_field(c, &at64, &at32);
        u64 value = get_field(narrow + at32, narrow_size(c));
        put_field((char *)to + at64, wide_size(c), c == 's' ? (u64)(s64)(s32)value : value);
        at64 += wide_size(c);
        at32 += narrow_size(c);
    }
    return 0;
}

static int write_narrow(unsigned long to, size_t size32, const void *from, const char *layout)
{
    u8 narrow[MAX_STRUCT];
    size_t at64 = 0, at32 = 0;

    memset(narrow, 0, size32);
    for (; *layout; layout++) {
        char c = *layout;
        align_field(c, &at64, &at32);
        put_field(narrow + at32, narrow_size(c), get_field((const char *)from + at64, wide_size(c)));
        at64 += wide_size(c);
        at32 += narrow_size(c);
    }
    return copy_to_guest(to, narrow, size32);
}

int read_guest_layout(void *to, unsigned long from, u32 sizes, const char *layout)
{
    if (current->is_32bit)
        return read_narrow(to, sizes >> 16, from, sizes & 0xFFFF, layout);
    return copy_from_guest(to, from, sizes >> 16);
}

int write_guest_layout(unsigned long to, const void *from, u32 sizes, const char *layout)
{
    if (current->is_32bit)
        return write_narrow(to, sizes & 0xFFFF, from, layout);
    return copy_to_guest(to, from, sizes >> 16);
}

int read_guest_long(unsigned long *to, unsigned long array, unsigned long index)
{
    u32 narrow;

    if (!current->is_32bit)
        return copy_from_guest(to, array + index * 8, 8);
    if (copy_from_guest(&narrow, array + index * 4, 4))
        return -EFAULT;
    *to = narrow;
    return 0;
}

int write_guest_long(unsigned long array, unsigned long index, unsigned long value)
{
    u32 narrow = (u32)value;

    if (!current->is_32bit)
        return copy_to_guest(array + index * 8, &value, 8);
    return copy_to_guest(array + index * 4, &narrow, 4);
}

bool hypercall_preempt_check(void)
{
    return preemption_wanted(current);
}

static void set_guest_arguments(struct vcpu *v, struct cpu_regs *regs, const u64 *args, unsigned count)
{
    u64 *native[] = {&regs->rdi, &regs->rsi, &regs->rdx, &regs->r10, &regs->r8, &regs->r9};
    u64 *narrow[] = {&regs->rbx, &regs->rcx, &regs->rdx, &regs->rsi, &regs->rdi, &regs->rbp};

    for (unsigned i = 0; i < count; i++)
        *(v->is_32bit ? narrow : native)[i] = args[i];
}

/* Both instructions that call us are two bytes long. Inside a multicall only the entry's arguments change; the
 * multicall itself then stops and repeats from that entry. */
long hypercall_continue(unsigned number, unsigned count, ...)
{
    struct vcpu *v = current;
    struct cpu_regs *regs = guest_regs();
    u64 args[6];
    va_list list;

    BUG_ON(count > 6);
    va_start(list, count);
    for (unsigned i = 0; i < count; i++)
        args[i] = va_arg(list, unsigned long);
    va_end(list);

    if (v->multicall.active) {
        v->multicall.preempted = true;
        v->multicall.op = number;
        memcpy(v->multicall.args, args, count * sizeof(u64));
        return 0;
    }
    set_guest_arguments(v, regs, args, count);
    regs->rip -= 2;
    return number;
}
