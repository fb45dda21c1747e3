/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Our own address space (layout.h). Nothing of ours is both writable and executable: text is mapped read-only in the
 * image and has no writable alias in the direct map. The level-4 entries of our slots never change after mm_boot, so
 * every copy of them in a guest's L4 stays right; the first, for the M2P, is in those of guests' kernels alone (base.c).
 */
#include "internal.h"
#include "boot/boot.h"
#include "emulate.h"
#include "mm/bootmem.h"

#define LARGE_PAGE 0x200000UL
#define GUEST_RO   (PTE_P | PTE_US | PTE_A | PTE_D | PTE_NX)
#define OWN_RO     (PTE_P | PTE_A | PTE_D | PTE_NX)
#define OWN_RW     (OWN_RO | PTE_RW)
#define OWN_RX     (PTE_P | PTE_A | PTE_D)
#define OWN_DEVICE (OWN_RW | PTE_PCD | PTE_PWT)

u64 hv_l4[512] __attribute__((aligned(4096)));
u64 m2p_l4e;
u64 pte_disallowed_address;
u64 compat_m2p_l2e[512 - COMPAT_L2_FIRST_HV_SLOT];
mfn_t m2p_first, m2p_end;

static struct boot_block block;
static unsigned long device_next = DEVICES_START;
static spinlock_t map_lock;

static u64 image_phys(const void *symbol)
{
    return (unsigned long)symbol - IMAGE_START + IMAGE_PHYS;
}

static u64 *new_table(void)
{
    if (block.pool < block.pool_end) {
        block.pool += PAGE_SIZE;
        return memset(maddr_to_virt(block.pool - PAGE_SIZE), 0, PAGE_SIZE);
    }
    return hv_alloc_pages(0);
}

/* The table that `entry` points to, made when absent. USER in an upper entry grants nothing by itself. */
static u64 *descend(u64 *entry, bool make)
{
    if (!(*entry & PTE_P)) {
        u64 *table = make ? new_table() : NULL;
        if (table == NULL)
            return NULL;
        *entry = virt_to_maddr(table) | PTE_TABLE;
    }
    return maddr_to_virt(*entry & PTE_ADDRESS);
}

static u64 *large_entry(unsigned long va, bool make)
{
    u64 *l3 = descend(&hv_l4[va >> 39 & 511], make);
    u64 *l2 = l3 ? descend(&l3[va >> 30 & 511], make) : NULL;
    return l2 ? &l2[va >> 21 & 511] : NULL;
}

/* A large page in the way is split into small ones of the same kind. */
u64 *hv_l1e(unsigned long va, bool make)
{
    u64 *l2e = large_entry(va, make);
    if (l2e == NULL)
        return NULL;
    if (*l2e & PTE_PSE) {
        u64 *table = new_table();
        if (table == NULL)
            return NULL;
        for (unsigned i = 0; i < 512; i++)
            table[i] = (*l2e & ~PTE_PSE) + i * PAGE_SIZE;
        *l2e = virt_to_maddr(table) | PTE_TABLE;
    }
    u64 *l1 = descend(l2e, make);
    return l1 ? &l1[va >> 12 & 511] : NULL;
}

static u64 *boot_entry(u64 *entry)
{
    if (entry == NULL)
        panic("no memory for our own page tables");
    return entry;
}

static void map_large(unsigned long va, u64 phys, u64 size, u64 flags)
{
    for (u64 at = 0; at < size; at += LARGE_PAGE)
        *boot_entry(large_entry(va + at, true)) = (phys + at) | flags | PTE_PSE;
}

static void map_small(unsigned long va, u64 phys, u64 size, u64 flags)
{
    for (u64 at = 0; at < size; at += PAGE_SIZE)
        *boot_entry(hv_l1e(va + at, true)) = (phys + at) | flags;
}

static void map_direct(u64 start, u64 end)
{
    start &= ~(LARGE_PAGE - 1);
    end = ROUND_UP(end, LARGE_PAGE);
    map_large(DIRECTMAP_START + start, start, end - start, OWN_RW);
}

static void map_ram(void)
{
    u64 start, end;
    map_direct(0, LARGE_PAGE);
    for (unsigned i = 0; bootmem_ram(i, &start, &end); i++)
        if (start < end)
            map_direct(start, end);
    for (unsigned i = 0; i < boot_memory.count; i++) /* firmware tables lie in these */
        if (boot_memory.map[i].type == BOOT_ACPI || boot_memory.map[i].type == BOOT_NVS)
            map_direct(boot_memory.map[i].start, boot_memory.map[i].end);
}

static void map_image(void)
{
    u64 text = (u64)(_text_end - _image_start), rodata = (u64)(_rodata_end - _image_start);
    u64 all = (u64)(_image_end - _image_start);
    map_small(IMAGE_START, IMAGE_PHYS, text, OWN_RX);
    map_small(IMAGE_START + text, IMAGE_PHYS + text, rodata - text, OWN_RO);
    map_small(IMAGE_START + rodata, IMAGE_PHYS + rodata, all - rodata, OWN_RW);
    map_small(DIRECTMAP_START + IMAGE_PHYS, IMAGE_PHYS, rodata, OWN_RO);
}

static void map_m2p(void)
{
    map_large(M2P_START, block.m2p, block.m2p_bytes, GUEST_RO);
    map_large(M2P_WRITABLE, block.m2p, block.m2p_bytes, OWN_RW);
    map_large(M2P_COMPAT_WRITABLE, block.compat, block.compat_bytes, OWN_RW);
    for (u64 at = 0; at < block.compat_bytes; at += LARGE_PAGE)
        compat_m2p_l2e[at / LARGE_PAGE] = (block.compat + at) | GUEST_RO | PTE_PSE;
}

/* Slots that may be filled later get their level-3 table now. Guests see none of them: a linear mapping would show them
 * our tables otherwise. The M2P's is for their kernels alone, and not for us. */
static void fix_slots(void)
{
    m2p_l4e = hv_l4[HV_SLOT_FIRST];
    hv_l4[HV_SLOT_FIRST] = 0;
    for (unsigned slot = HV_SLOT_FIRST + 1; slot <= 262; slot++) {
        boot_entry(descend(&hv_l4[slot], true));
        hv_l4[slot] &= ~PTE_US;
    }
}

void mm_boot(void)
{
    unsigned bits = cpu_features.physical_bits ? cpu_features.physical_bits : 36;
    pte_disallowed_address = bits < 52 ? PTE_ADDRESS & ~((1UL << bits) - 1) : 0;
    bootmem_init(&block);
    map_ram();
    map_image();
    map_m2p();
    fix_slots();
    __asm__ volatile("mov %0, %%cr3" : : "r"(image_phys(hv_l4)) : "memory");
}

void hv_fill_l4(u64 *l4, bool compat)
{
    if (compat)
        memset(l4, 0, PAGE_SIZE);
    memcpy(&l4[HV_SLOT_FIRST], &hv_l4[HV_SLOT_FIRST], (HV_SLOT_LAST - HV_SLOT_FIRST + 1) * sizeof(*l4));
}

static int map_new_page(unsigned long va)
{
    u64 *entry = hv_l1e(va, true);
    if (entry == NULL)
        return -ENOMEM;
    if (*entry & PTE_P)
        return 0;
    void *page = hv_alloc_pages(0);
    if (page == NULL)
        return -ENOMEM;
    *entry = virt_to_maddr(page) | OWN_RW;
    return 0;
}

/* Guard pages stay unmapped. Of the window only our GDT page is there; the guests' come and go (window.c). */
int mm_map_cpu_area(unsigned cpu)
{
    unsigned long stack = STACKS_START + cpu * (unsigned long)STACK_ORDER_SIZE;
    unsigned long window = WINDOWS_START + cpu * (unsigned long)WINDOW_SIZE;
    int rc = 0;
    for (unsigned page = 1; page < 8 && rc == 0; page++)
        if (page != STACK_GUARD)
            rc = map_new_page(stack + page * PAGE_SIZE);
    if (rc == 0)
        rc = map_new_page(window + 14 * PAGE_SIZE);
    return rc;
}

void *hv_map_device(maddr_t maddr, size_t size)
{
    unsigned long offset = maddr & ~PAGE_MASK;
    size = ROUND_UP(size + offset, PAGE_SIZE);
    spin_lock(&map_lock);
    unsigned long va = device_next;
    device_next += size;
    for (size_t at = 0; at < size; at += PAGE_SIZE) {
        u64 *entry = hv_l1e(va + at, true);
        if (entry == NULL) {
            spin_unlock(&map_lock);
            return NULL;
        }
        *entry = ((maddr & PTE_ADDRESS) + at) | OWN_DEVICE;
    }
    spin_unlock(&map_lock);
    return (void *)(va + offset);
}

/* Both M2Ps. Frames beyond RAM have no entry. */
void m2p_set(mfn_t mfn, pfn_t pfn)
{
    if (!mfn_valid(mfn))
        return;
    WRITE_ONCE(((u64 *)M2P_WRITABLE)[mfn.value], pfn.value);
    WRITE_ONCE(((u32 *)M2P_COMPAT_WRITABLE)[mfn.value], (u32)pfn.value);
    if (unlikely(logging_domains))
        frame_written(mfn);
}

void m2p_set_row(mfn_t first, pfn_t pfn, unsigned long count)
{
    u64 *wide = (u64 *)M2P_WRITABLE + first.value;
    u32 *narrow = (u32 *)M2P_COMPAT_WRITABLE + first.value;
    for (unsigned long i = 0; i < count; i++) {
        wide[i] = pfn.value + i;
        narrow[i] = (u32)(pfn.value + i);
    }
}

pfn_t m2p_get(mfn_t mfn)
{
    return pfn_of(mfn_valid(mfn) ? ((const u64 *)M2P_WRITABLE)[mfn.value] : INVALID_FRAME);
}
