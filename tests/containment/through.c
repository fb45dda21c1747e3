/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A return frame that the hypervisor is to read through itself. With a linear mapping of level 4 the hypervisor's map of
 * all memory lies among the kernel's own addresses, closed to ring 3 but not to the hypervisor: wherever it reads a few
 * words for the guest without asking whether the address is such a one, any memory of the machine turns up in the
 * guest's registers. The return from an exception is the shortest of these ways, and the easiest to forget. The frame
 * here lies in a page of our own, so that an attack that works arrives where the frame says; one that is refused is the
 * end of the domain, whose stack is nowhere.
 */
#include "attack.h"

#define SLOT  300UL
#define CHUNK 2048UL /* pages, among which some lie where the hypervisor's map has a large page */

struct frame {
    unsigned long ax, r11, cx, vgcf, ip, cs, flags, sp, ss;
};

static unsigned long window(unsigned long l3, unsigned long l2, unsigned long l1)
{
    return 0xffff000000000000UL | SLOT << 39 | l3 << 30 | l2 << 21 | l1 << 12;
}

static void arrived(void)
{
    CHECK(false, "no return frame is read through the hypervisor's map of all memory");
    check_summary("through");
    pv_shutdown(SHUTDOWN_poweroff);
}

/* The first frame of two megabytes: as an entry of level 1, the large page's is a map of that frame alone. */
static struct frame *aligned_page(void)
{
    char *pages = pages_alloc(CHUNK);

    for (unsigned long i = 0; pages && i < CHUNK; i++)
        if (virt_to_mfn(pages + i * PAGE_SIZE) % 512 == 0)
            return (struct frame *)(pages + i * PAGE_SIZE);
    return NULL;
}

int main(int argc, char **argv)
{
    static char stack[4 * PAGE_SIZE] __attribute__((aligned(16)));
    unsigned long root = top_mfn(), mfn, at;
    struct frame *frame = aligned_page();

    CHECK(frame != NULL, "a page of ours lies at the beginning of two megabytes");
    CHECK_EQ(mmu_update(entry_of(root, SLOT), pte_make(root, PTE_P | PTE_US)), 0, "a linear mapping of level 4");
    if (frame == NULL)
        return check_summary("through");
    *frame = (struct frame){.ip = (unsigned long)arrived,
                            .cs = 0xe030,
                            .flags = 2,
                            .sp = (unsigned long)stack + sizeof(stack) - 8,
                            .ss = 0xe02b};
    mfn = virt_to_mfn(frame);
    at = window(262, mfn >> 18, mfn >> 9 & 511);
    printf("expected to crash: its stack is in the hypervisor's map of all memory\n");
    time_spin_ns(100000000);
    __asm__ volatile("mov %0, %%rsp\n\tmov $23, %%eax\n\tsyscall\n\tud2" : : "r"(at) : "memory");
    return 1;
}
