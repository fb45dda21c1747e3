/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * dom0 from the first module (its kernel) and the second (its RAM disk). The initial address space is laid out as the
 * ABI says, from virt_base up: kernel, module, P2M list, start_info, page tables, boot stack, slack up to a 4 MiB
 * boundary; a kernel whose notes ask for it finds the P2M list at an address of its own and the module by frame number.
 * The tables are then validated by the same code that validates any guest's.
 */
#include "domain.h"
#include "boot/boot.h"
#include "boot/cmdline.h"
#include "boot/dom0.h"
#include "boot/multiboot.h"
#include "cpu/entry.h"
#include "control/control.h"
#include "abi/grant_table.h"
#include "dom0-tools/builder/elfimage.h"

#define SLACK_BYTES (512UL << 10)
#define ROUND_BYTES (4UL << 20)
#define TABLE_FLAGS 0x67UL /* present, writable, user, accessed, dirty */
#define PAGE_FLAGS  0x23UL /* present, writable, accessed: the kernel's, who opens what programs shall reach */
#define FLAG_WRITE  0x02UL
#define RESERVE_MIN (32UL << 20 >> PAGE_SHIFT) /* what stays free for us when dom0_mem= is absent */
#define RESERVE_MAX (128UL << 20 >> PAGE_SHIFT)

/* All in guest frames, half-open. */
struct range {
    unsigned long start, end;
};

struct build {
    struct domain *d;
    struct vcpu *v;
    struct elf_image image;
    unsigned long pages;
    u32 *frames; /* [pages]: mfn of each guest frame */
    struct range module, p2m, tables, stack;
    unsigned long start_info, mapped_end;
    bool p2m_apart, module_apart;
    unsigned long next_table; /* next unused frame of the tables range */
    mfn_t root;
};

static void *frame_virt(struct build *b, unsigned long pfn)
{
    return mfn_to_virt(mfn_of(b->frames[pfn]));
}

static unsigned long pages_of(unsigned long bytes)
{
    return ROUND_UP(bytes, PAGE_SIZE) / PAGE_SIZE;
}

static unsigned long virt_of(struct build *b, unsigned long pfn)
{
    return b->image.virt_base + (pfn << PAGE_SHIFT);
}

/* Tables of one level that a virtual range needs. */
static unsigned long tables_for(unsigned long start, unsigned long end, unsigned shift)
{
    return end > start ? ((end - 1) >> shift) - (start >> shift) + 1 : 0;
}

static unsigned long count_tables(struct build *b, unsigned long mapped_end)
{
    unsigned long start = b->image.virt_base, end = virt_of(b, mapped_end), count;

    count = tables_for(start, end, 21);
    if (!b->image.is_64bit)
        return count + 4 + 1;
    count += tables_for(start, end, 30) + tables_for(start, end, 39) + 1;
    if (b->p2m_apart) {
        start = b->image.init_p2m;
        end = start + b->pages * 8;
        count += tables_for(start, end, 21) + tables_for(start, end, 30) + tables_for(start, end, 39);
    }
    return count;
}

static void plan(struct build *b, unsigned long module_bytes)
{
    unsigned long entry = b->image.is_64bit ? 8 : 4, next = pages_of(b->image.guest_end), tables = 0, end;

    b->p2m_apart = b->image.is_64bit && b->image.init_p2m != ELF_UNSET;
    b->module_apart = b->image.mod_start_pfn;
    if (!b->module_apart) {
        b->module = (struct range){next, next + pages_of(module_bytes)};
        next = b->module.end;
    }
    if (!b->p2m_apart) {
        b->p2m = (struct range){next, next + pages_of(b->pages * entry)};
        next = b->p2m.end;
    }
    b->start_info = next++;
    /* More tables push the end up, which may need more tables: grows at most a few times. */
    for (;;) {
        end = next + tables + 1 + pages_of(SLACK_BYTES);
        end = (ROUND_UP(virt_of(b, end), ROUND_BYTES) - b->image.virt_base) >> PAGE_SHIFT;
        unsigned long needed = count_tables(b, end);
        if (needed <= tables)
            break;
        tables = needed;
    }
    b->tables = (struct range){next, next + tables};
    b->stack = (struct range){b->tables.end, b->tables.end + 1};
    b->mapped_end = end;
    next = end;
    if (b->p2m_apart) {
        b->p2m = (struct range){next, next + pages_of(b->pages * entry)};
        next = b->p2m.end;
    }
    if (b->module_apart)
        b->module = (struct range){next, next + pages_of(module_bytes)};
    next = MAX(next, b->module.end);
    if (next > b->pages)
        panic("dom0 needs at least %lu KiB for its kernel and RAM disk, and gets %lu KiB: raise dom0_mem= or the "
              "machine's memory",
              next * 4, b->pages * 4);
}

static unsigned long dom0_pages(void)
{
    unsigned long available = free_frames(), reserve = available / 16, pages;

    reserve = MIN(MAX(reserve, RESERVE_MIN), RESERVE_MAX);
    pages = options.dom0_mem ? options.dom0_mem >> PAGE_SHIFT : available - MIN(reserve, available);
    if (pages + 1024 > available)
        panic("dom0_mem= asks for %lu KiB and only %lu KiB are free", pages * 4, available * 4);
    return pages;
}

static void allocate(struct build *b)
{
    unsigned order = 10;
    unsigned long pfn = 0;
    mfn_t mfn;

    b->d->mm.max_pages =
        options.dom0_mem_max ? MAX(b->pages, (unsigned long)(options.dom0_mem_max >> PAGE_SHIFT)) : MAX(b->pages, ~0U);
    while (pfn < b->pages) {
        while (order && (1UL << order) > b->pages - pfn)
            order--;
        if (domain_alloc_frames(b->d, order, b->d->is_32bit ? 44 : 64, &mfn)) {
            if (order-- == 0)
                panic("no memory left for dom0 after %lu of %lu KiB", pfn * 4, b->pages * 4);
            continue;
        }
        for (unsigned long i = 0; i < 1UL << order; i++, pfn++) {
            b->frames[pfn] = (u32)(mfn.value + i);
            m2p_set(mfn_add(mfn, i), pfn_of(pfn));
        }
    }
}

/* Copies (from NULL: clears) to guest-physical memory, page by page since frames need not be contiguous. */
static void put(struct build *b, unsigned long address, const void *from, unsigned long size)
{
    while (size) {
        unsigned long offset = address & ~PAGE_MASK, part = MIN(size, PAGE_SIZE - offset);
        char *to = (char *)frame_virt(b, address >> PAGE_SHIFT) + offset;
        if (from) {
            memcpy(to, from, part);
            from = (const char *)from + part;
        } else {
            memset(to, 0, part);
        }
        address += part;
        size -= part;
    }
}

static void load_image(struct build *b)
{
    for (unsigned i = 0; i < b->image.segment_count; i++) {
        const struct elf_segment *s = &b->image.segments[i];
        put(b, s->guest_addr, s->data, s->file_size);
        put(b, s->guest_addr + s->file_size, NULL, s->mem_size - s->file_size);
    }
    if (b->image.bsd_symtab) {
        unsigned order = 0;
        while ((PAGE_SIZE << order) < b->image.symtab_size)
            order++;
        void *symtab = hv_alloc_pages(order);
        if (!symtab)
            panic("no memory for dom0's symbol table of %lu bytes", (unsigned long)b->image.symtab_size);
        elf_image_write_symtab(&b->image, symtab);
        put(b, b->image.symtab_addr, symtab, b->image.symtab_size);
        hv_free_pages(symtab, order);
    }
    if (b->image.hypercall_page != ELF_UNSET) {
        unsigned long pfn = (b->image.hypercall_page - b->image.virt_base) >> PAGE_SHIFT;
        if (pfn >= b->mapped_end)
            panic("dom0's kernel names a hypercall page outside of itself");
        hypercall_page_fill(frame_virt(b, pfn), !b->image.is_64bit);
    }
}

static u64 table_entry(struct build *b, unsigned long pfn)
{
    return (u64)b->frames[pfn] << PAGE_SHIFT | TABLE_FLAGS;
}

static u64 *new_table(struct build *b, u64 *slot)
{
    unsigned long pfn = b->next_table++;

    BUG_ON(pfn >= b->tables.end);
    memset(frame_virt(b, pfn), 0, PAGE_SIZE);
    if (slot)
        *slot = table_entry(b, pfn);
    return frame_virt(b, pfn);
}

static u64 *descend(struct build *b, u64 *table, unsigned long index)
{
    if (table[index] & 1)
        return maddr_to_virt(table[index] & 0x000FFFFFFFFFF000);
    return new_table(b, &table[index]);
}

static void map(struct build *b, u64 *root, unsigned long va, unsigned long pfn, bool writable)
{
    u64 *table = root;

    if (b->image.is_64bit)
        table = descend(b, table, va >> 39 & 511);
    table = descend(b, table, va >> 30 & 511);
    table = descend(b, table, va >> 21 & 511);
    table[va >> 12 & 511] = (u64)b->frames[pfn] << PAGE_SHIFT | (writable ? PAGE_FLAGS : PAGE_FLAGS & ~FLAG_WRITE);
}

static void build_tables(struct build *b)
{
    u64 *root;
    unsigned long pfn;

    b->next_table = b->tables.start;
    b->root = mfn_of(b->frames[b->next_table]);
    root = new_table(b, NULL);
    for (pfn = 0; pfn < b->mapped_end; pfn++)
        map(b, root, virt_of(b, pfn), pfn, pfn < b->tables.start || pfn >= b->tables.end);
    if (!b->image.is_64bit)
        for (unsigned i = 0; i < 4; i++)
            descend(b, root, i);
    if (b->p2m_apart)
        for (pfn = b->p2m.start; pfn < b->p2m.end; pfn++)
            map(b, root, b->image.init_p2m + ((pfn - b->p2m.start) << PAGE_SHIFT), pfn, true);
}

static void write_p2m(struct build *b)
{
    unsigned long entry = b->image.is_64bit ? 8 : 4, per_page = PAGE_SIZE / entry;

    for (unsigned long pfn = 0; pfn < b->pages; pfn++) {
        void *page = frame_virt(b, b->p2m.start + pfn / per_page);
        if (b->image.is_64bit)
            ((u64 *)page)[pfn % per_page] = b->frames[pfn];
        else
            ((u32 *)page)[pfn % per_page] = b->frames[pfn];
    }
}

/* Both widths have the same fields; the macro writes whichever structure it is given. */
#define FILL_START_INFO(si, b, shared, command)                                                                        \
    do {                                                                                                               \
        snprintf((si)->magic, sizeof((si)->magic), "xen-3.0-x86_%s%s", (b)->image.is_64bit ? "64" : "32",              \
                 (b)->image.pae == ELF_PAE_NO ? "" : "p");                                                             \
        (si)->nr_pages = (__typeof__((si)->nr_pages))(b)->pages;                                                       \
        (si)->shared_info = (__typeof__((si)->shared_info))(shared);                                                   \
        (si)->flags = SIF_PRIVILEGED | SIF_INITDOMAIN | ((b)->module_apart ? SIF_MOD_START_PFN : 0);                   \
        (si)->pt_base = (__typeof__((si)->pt_base))virt_of(b, (b)->tables.start);                                      \
        (si)->nr_pt_frames = (__typeof__((si)->nr_pt_frames))((b)->tables.end - (b)->tables.start);                    \
        (si)->mfn_list =                                                                                               \
            (__typeof__((si)->mfn_list))((b)->p2m_apart ? (b)->image.init_p2m : virt_of(b, (b)->p2m.start));           \
        (si)->first_p2m_pfn = (__typeof__((si)->first_p2m_pfn))(b)->mapped_end;                                        \
        if ((b)->p2m_apart)                                                                                            \
            (si)->nr_p2m_frames = (__typeof__((si)->nr_p2m_frames))((b)->p2m.end - (b)->p2m.start);                    \
        if (module_bytes) {                                                                                            \
            (si)->mod_start =                                                                                          \
                (__typeof__((si)->mod_start))((b)->module_apart ? (b)->module.start : virt_of(b, (b)->module.start));  \
            (si)->mod_len = (__typeof__((si)->mod_len))module_bytes;                                                   \
        }                                                                                                              \
        strlcpy((char *)(si)->cmd_line, command, sizeof((si)->cmd_line));                                              \
    } while (0)

static void write_start_info(struct build *b, const char *command, unsigned long module_bytes)
{
    void *page = frame_virt(b, b->start_info);
    maddr_t shared = virt_to_maddr(b->d->shared_info);

    memset(page, 0, PAGE_SIZE);
    if (b->image.is_64bit)
        FILL_START_INFO((struct start_info *)page, b, shared, command);
    else
        FILL_START_INFO((struct compat_start_info *)page, b, shared, command);
}

static void set_registers(struct build *b)
{
    struct vcpu *v = b->v;
    bool wide = b->image.is_64bit;

    v->regs.rip = b->image.entry;
    v->regs.rsi = virt_of(b, b->start_info);
    v->regs.rsp = virt_of(b, b->stack.end);
    v->regs.rflags = X86_EFLAGS_IF | X86_EFLAGS_MBS;
    v->regs.cs = wide ? GUEST64_CS : GUEST32_CS;
    v->regs.ss = wide ? GUEST64_SS : GUEST32_SS;
    v->regs.ds = v->regs.es = v->regs.fs = v->regs.gs = wide ? 0 : GUEST32_SS;
    v->kernel_sp = v->regs.rsp;
    v->kernel_ss = v->regs.ss;
    v->kernel_mode = true;
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        b->d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
}

static void parse_kernel(struct build *b, const struct boot_module *kernel)
{
    const char *why;

    if (elf_image_parse(maddr_to_virt(kernel->start), kernel->end - kernel->start, &b->image, &why))
        panic("dom0's kernel (module 0, %lu bytes) cannot be loaded: %s", (unsigned long)(kernel->end - kernel->start),
              why);
    logf(LOG_INFO, "dom0 kernel: %s-bit, %s, entry %#lx\n", b->image.is_64bit ? "64" : "32",
         b->image.guest_os[0] ? b->image.guest_os : "no operating system named", (unsigned long)b->image.entry);
}

static void create(struct build *b)
{
    /* More than there are CPUs if asked for, as on Xen. */
    unsigned vcpus = MIN(options.dom0_max_vcpus ? options.dom0_max_vcpus : cpu_count, (unsigned)MAX_VCPUS);
    int error = 0;

    b->d = domain_create(0, 0, MAX(vcpus, 1U), 64, 1024, ~0U, &error);
    if (!b->d)
        panic("dom0 cannot be created (error %d)", error);
    b->d->privileged = b->d->initial = b->d->iopl_trusted = true;
    if (!b->image.is_64bit && domain_set_32bit(b->d))
        panic("dom0 cannot be made a 32-bit domain");
    for (unsigned i = 0; i < b->d->max_vcpus; i++)
        if (!vcpu_create(b->d, i))
            panic("dom0's vCPU %u cannot be created", i);
    b->v = b->d->vcpus[0];
}

void dom0_build(void)
{
    static struct build build;
    struct build *b = &build;
    struct boot_module *kernel = &boot_info.modules[0], *ramdisk = NULL;
    unsigned long module_bytes = 0, frames_bytes;
    unsigned order = 0;

    if (boot_info.module_count == 0)
        panic("no module: give dom0's kernel as the first module (QEMU: -initrd \"kernel arguments,ramdisk\")");
    if (boot_info.module_count > 1) {
        ramdisk = &boot_info.modules[1];
        module_bytes = ramdisk->end - ramdisk->start;
    }
    parse_kernel(b, kernel);
    create(b);
    b->pages = dom0_pages();
    plan(b, module_bytes);
    frames_bytes = b->pages * sizeof(u32);
    while ((PAGE_SIZE << order) < frames_bytes)
        order++;
    b->frames = hv_alloc_pages(order);
    if (!b->frames)
        panic("no memory to build dom0");
    allocate(b);
    load_image(b);
    if (ramdisk)
        put(b, b->module.start << PAGE_SHIFT, maddr_to_virt(ramdisk->start), module_bytes);
    write_p2m(b);
    write_start_info(b, boot_info.dom0_command, module_bytes);
    build_tables(b);
    /* A kernel may unpin the tables it was given, so they are pinned. */
    if (mm_pin_root(b->d, b->root) || vcpu_set_base(b->v, b->root, false, false))
        panic("dom0's initial page tables do not validate");
    set_registers(b);
    hv_free_pages(b->frames, order);
    b->v->initialised = true;
    domain_zero = b->d;
    vcpu_clear_blocked(b->v, PAUSE_DOWN);
    logf(LOG_INFO, "dom0: %lu KiB, %u vCPU%s\n", b->pages * 4, b->d->max_vcpus, b->d->max_vcpus == 1 ? "" : "s");
}
