/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "mm_fake.h"
#include "guest_access.h"
#include "mm/reservation.h"

struct percpu host_cpu;
unsigned cpu_count = 1;
struct fake fake;
unsigned long host_m2p[FAKE_FRAMES];
unsigned host_m2p_compat[FAKE_FRAMES];
char fake_log[2048];
struct domain *domain_zero;
u32 stale_cpus;
u64 pte_disallowed_address = PTE_ADDRESS & ~((1UL << 40) - 1);
u64 compat_m2p_l2e[512 - COMPAT_L2_FIRST_HV_SLOT];
mfn_t m2p_first = {8}, m2p_end = {10};
static struct domain *all[32];
static unsigned domain_count;

void fake_start(void)
{
    static void *ram;
    if (ram)
        munmap(ram, FAKE_FRAMES * PAGE_SIZE);
    ram = mmap((void *)DIRECTMAP_START, FAKE_FRAMES * PAGE_SIZE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert(ram == (void *)DIRECTMAP_START);
    max_frame = FAKE_FRAMES;
    free(frame_table);
    frame_table = calloc(FAKE_FRAMES, sizeof(*frame_table));
    fake = (struct fake){0};
    memset(host_m2p, 0, sizeof(host_m2p));
    memset(host_m2p_compat, 0, sizeof(host_m2p_compat));
    fake_log[0] = 0;
    domain_count = 0;
    stale_cpus = 0;
    compat_m2p_l2e[0] = 0x123000 | PTE_P | PTE_PSE;
    for (unsigned i = 0; i < 16; i++)
        frame_table[i].word = i < 8 ? FW_OWNER(OWNER_IO) | FW_VALID(FRAME_NONE) : WORD_OURS;
    heap_init();
    heap_add(mfn_of(16), FAKE_FRAMES - 16, true);
}

struct domain *fake_domain(unsigned id, bool is_32bit, unsigned long max_pages)
{
    struct domain *d = calloc(1, sizeof(*d));
    d->id = (u16)id;
    d->is_32bit = is_32bit;
    d->refs = 1;
    d->max_vcpus = 1;
    d->mm.max_pages = max_pages;
    d->vcpus = calloc(1, sizeof(*d->vcpus));
    d->vcpus[0] = calloc(1, sizeof(struct vcpu));
    d->vcpus[0]->domain = d;
    d->vcpus[0]->is_32bit = is_32bit;
    d->vcpus[0]->kernel_mode = true;
    d->vcpus[0]->mm.kernel_table = d->vcpus[0]->mm.user_table = d->vcpus[0]->mm.old_table = mfn_of(INVALID_FRAME);
    all[domain_count++] = d;
    return d;
}

void fake_forget(struct domain *d)
{
    assert(all[--domain_count] == d);
    free(d->vcpus[0]);
    free(d->vcpus);
    free(d);
}

void fake_run(struct domain *d)
{
    for (unsigned i = 0; i < domain_count; i++)
        all[i]->mm.dirty_cpus = all[i] == d;
    host_cpu.running = d->vcpus[0];
}

mfn_t fake_page(struct domain *d)
{
    mfn_t mfn = {INVALID_FRAME};
    int rc = domain_alloc_frames(d, 0, 0, &mfn);
    assert(rc == 0);
    return mfn;
}

u64 *fake_table(mfn_t mfn)
{
    return mfn_to_virt(mfn);
}

static struct hoard {
    struct hoard *next;
    unsigned order;
} * hoards;

void fake_exhaust(void)
{
    for (unsigned order = 9; order-- > 0;)
        for (struct hoard *block; (block = hv_alloc_pages(order)); hoards = block)
            *block = (struct hoard){hoards, order};
}

void fake_relieve(void)
{
    while (hoards) {
        struct hoard *block = hoards;
        hoards = block->next;
        hv_free_pages(block, block->order);
    }
}

/* What other rooms provide. */
void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    abort();
}

void logf(enum log_level level, const char *format, ...)
{
    va_list args;
    size_t used = strlen(fake_log);
    va_start(args, format);
    vsnprintf(fake_log + used, sizeof(fake_log) - used, format, args);
    va_end(args);
    if (fake.quiet || level != LOG_ERROR || strncmp(format, "frame audit", 11) == 0)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
}

void guest_logf(enum log_level level, const char *format, ...)
{
}

void copy_page(void *to, const void *from)
{
    memcpy(to, from, PAGE_SIZE);
}

void *clear_pages(void *pages, unsigned order)
{
    return memset(pages, 0, PAGE_SIZE << order);
}

void spin_wait(void)
{
    if (!fake.threads)
        panic("deadlock: a lock is taken twice\n");
    __builtin_ia32_pause();
}

bool hypercall_preempt_check(void)
{
    if (fake.preempt_after == 0)
        return false;
    static unsigned asked;
    if (++asked < fake.preempt_after)
        return false;
    asked = 0;
    return true;
}

long hypercall_continue(unsigned number, unsigned count, ...)
{
    va_list args;
    fake.continuations++;
    va_start(args, count);
    for (unsigned i = 0; i < count; i++)
        fake.continue_args[i] = va_arg(args, unsigned long);
    va_end(args);
    return -ERESTART;
}

int copy_from_guest(void *to, unsigned long from, size_t size)
{
    if (from < PAGE_SIZE)
        return -EFAULT;
    memcpy(to, (const void *)from, size);
    return 0;
}

int copy_to_guest(unsigned long to, const void *from, size_t size)
{
    if (to < PAGE_SIZE)
        return -EFAULT;
    memcpy((void *)to, from, size);
    return 0;
}

/* The fake guest is 64-bit. */
int read_guest_layout(void *to, unsigned long from, u32 sizes, const char *layout)
{
    return copy_from_guest(to, from, sizes >> 16);
}

int write_guest_layout(unsigned long to, const void *from, u32 sizes, const char *layout)
{
    return copy_to_guest(to, from, sizes >> 16);
}

/* memory_op's other commands are not in these tests. */
long memory_op_single(unsigned op, unsigned long arg)
{
    return -ENOSYS;
}

int read_guest_long(unsigned long *to, unsigned long array, unsigned long index)
{
    return copy_from_guest(to, array + index * 8, 8);
}

int write_guest_long(unsigned long array, unsigned long index, unsigned long value)
{
    return copy_to_guest(array + index * 8, &value, 8);
}

bool guest_range_ok(unsigned long va, size_t size)
{
    return true;
}

struct domain *memory_domain(unsigned domid, int *error)
{
    *error = -ESRCH;
    return domain_get(domid == DOMID_SELF ? current->domain->id : domid);
}

struct domain *domain_get(unsigned domid)
{
    for (unsigned i = 0; i < domain_count; i++)
        if (all[i]->id == domid) {
            all[i]->refs++;
            return all[i];
        }
    return NULL;
}

void domain_put(struct domain *d)
{
    __atomic_sub_fetch(&d->refs, 1, __ATOMIC_RELAXED);
    fake.domains_put++;
}

void m2p_set(mfn_t mfn, pfn_t pfn)
{
    if (fake.on_m2p)
        fake.on_m2p(mfn);
    host_m2p[mfn.value] = pfn.value;
    host_m2p_compat[mfn.value] = (unsigned)pfn.value;
}

void m2p_set_row(mfn_t first, pfn_t pfn, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++)
        m2p_set(mfn_add(first, i), pfn_of(pfn.value + i));
}

pfn_t m2p_get(mfn_t mfn)
{
    return mfn_valid(mfn) ? pfn_of(host_m2p[mfn.value]) : pfn_of(INVALID_FRAME);
}

int clear_guest(unsigned long to, size_t size)
{
    memset((void *)to, 0, size);
    return 0;
}

void vcpu_update_cr3(struct vcpu *v)
{
    v->mm.cr3 = v->mm.kernel_table.value << PAGE_SHIFT;
    if (v->domain->mm.shadow && v->mm.kernel_table.value != INVALID_FRAME)
        shadow_set_root(v);
}

void grant_frames_written(struct domain *d)
{
}

void grant_device_frames(struct domain *d, void (*visit)(mfn_t mfn, bool writable))
{
}

void evtchn_frames(struct domain *d, void (*visit)(mfn_t mfn))
{
}

u32 domain_dirty_mask(struct domain *d)
{
    return d->mm.dirty_cpus;
}

u64 m2p_l4e;
void hv_fill_l4(u64 *l4, bool compat)
{
    for (unsigned i = HV_SLOT_FIRST; i <= HV_SLOT_LAST; i++)
        l4[i] = 0xABC000 | PTE_P;
}

void invalidate_ldt(struct vcpu *v)
{
    fake.ldt_invalidations++;
    v->ldt_mapped = 0;
}

void mark_stale(const struct domain *d)
{
    stale_cpus |= d->mm.dirty_cpus;
}

void flush_stale(void)
{
    if (fake.on_flush)
        fake.on_flush();
    if (stale_cpus)
        flush_tlb_mask(stale_cpus);
}

void smp_serve_requests(void)
{
}

void flush_tlb_mask(u32 mask)
{
    fake.flushes++;
    stale_cpus &= ~mask;
}
