/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See evtgnt_fake.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <unistd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "evtgnt_fake.h"

char *fake_ram;
_Thread_local struct percpu fake_cpu;
struct fake_frame fake_frames[FAKE_FRAMES];
struct domain *fake_domains[FAKE_DOMAINS];
struct domain *domain_zero;
unsigned long max_frame = FAKE_FRAMES;
unsigned fake_kicks[FAKE_DOMAINS][FAKE_VCPUS], fake_wakes[FAKE_DOMAINS][FAKE_VCPUS];
int fake_allocations_left = -1;
unsigned fake_flushes, fake_messages, fake_written_count;
mfn_t fake_written_last;
char fake_log[4096];
int fake_map_host_status, fake_unmap_host_status, fake_pirq_error;
void (*fake_at_flush)(void);

static int slab_objects;
static char *low_page;
static spinlock_t frames_lock;
static struct {
    u64 address;
    mfn_t mfn;
} mappings[1024];

void copy_page(void *to, const void *from)
{
    memcpy(to, from, PAGE_SIZE);
}

void spin_wait(void)
{
    usleep(1);
}

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
    size_t used = strlen(fake_log);
    va_list args;

    va_start(args, format);
    vsnprintf(fake_log + used, sizeof(fake_log) - used, format, args);
    va_end(args);
    __atomic_add_fetch(&fake_messages, 1, __ATOMIC_RELAXED);
}

void guest_logf(enum log_level level, const char *format, ...)
{
    __atomic_add_fetch(&fake_messages, 1, __ATOMIC_RELAXED);
}

static bool allocation_fails(void)
{
    if (fake_allocations_left < 0)
        return false;
    return fake_allocations_left == 0 || fake_allocations_left-- == 0;
}

void *hv_alloc(size_t size)
{
    ck_assert_uint_le(size, PAGE_SIZE);
    if (allocation_fails())
        return NULL;
    slab_objects++;
    return calloc(1, size);
}

void hv_free(void *p)
{
    slab_objects -= p != NULL;
    free(p);
}

static unsigned long find_frames(unsigned long count)
{
    for (unsigned long first = 1; first + count <= FAKE_FRAMES; first++) {
        unsigned long run = 0;
        while (run < count && !fake_frames[first + run].allocated && fake_frames[first + run].refs == 0)
            run++;
        if (run == count)
            return first;
    }
    return 0;
}

mfn_t frame_alloc(unsigned order, unsigned address_bits)
{
    unsigned long first;

    spin_lock(&frames_lock);
    first = find_frames(1UL << order);
    for (unsigned long i = 0; first && i < 1UL << order; i++)
        fake_frames[first + i] = (struct fake_frame){.allocated = true, .refs = 1};
    spin_unlock(&frames_lock);
    return mfn_of(first ? first : INVALID_FRAME);
}

void frame_free(mfn_t mfn, unsigned order)
{
    for (unsigned long i = 0; i < 1UL << order; i++) {
        struct fake_frame *f = &fake_frames[mfn.value + i];
        ck_assert(f->allocated && f->refs == 1 && f->owner == NULL);
        *f = (struct fake_frame){0};
    }
}

void *hv_alloc_pages(unsigned order)
{
    mfn_t mfn = allocation_fails() ? mfn_of(INVALID_FRAME) : frame_alloc(order, 0);

    if (mfn.value == INVALID_FRAME)
        return NULL;
    memset(mfn_to_virt(mfn), 0, PAGE_SIZE << order);
    return mfn_to_virt(mfn);
}

void hv_free_pages(void *p, unsigned order)
{
    frame_free(virt_to_mfn(p), order);
}

/* Frees what nobody refers to any more. */
static void settle(struct fake_frame *f)
{
    ck_assert_int_ge(f->refs, 0);
    ck_assert_int_ge(f->writable, 0);
    if (f->refs == 0) {
        ck_assert(!f->allocated && f->writable == 0);
        if (f->owner && f->shared)
            domain_put(f->owner);
        *f = (struct fake_frame){0};
    }
}

void share_page_with_guest(void *page, struct domain *d, bool writable_ok)
{
    struct fake_frame *f = &fake_frames[virt_to_mfn(page).value];

    ck_assert(f->allocated && f->refs == 1 && !f->owner);
    f->owner = d;
    f->shared = true;
    d->refs++;
}

void unshare_page(void *page)
{
    struct fake_frame *f = &fake_frames[virt_to_mfn(page).value];

    ck_assert(f->shared && f->allocated);
    f->allocated = false;
    f->refs--;
    settle(f);
}

bool reclaim_page(void *page)
{
    struct fake_frame *f = &fake_frames[virt_to_mfn(page).value];

    ck_assert(f->shared && f->allocated);
    if (f->refs != 1)
        return false;
    domain_put(f->owner);
    *f = (struct fake_frame){.allocated = true, .refs = 1};
    return true;
}

bool page_get(mfn_t mfn, const struct domain *d)
{
    bool got;

    if (!mfn_valid(mfn))
        return false;
    spin_lock(&frames_lock);
    got = fake_frames[mfn.value].owner == d && fake_frames[mfn.value].allocated;
    fake_frames[mfn.value].refs += got;
    spin_unlock(&frames_lock);
    return got;
}

void page_put(mfn_t mfn)
{
    spin_lock(&frames_lock);
    fake_frames[mfn.value].refs--;
    settle(&fake_frames[mfn.value]);
    spin_unlock(&frames_lock);
}

int page_get_and_type(mfn_t mfn, const struct domain *d, enum frame_type type, bool preemptible)
{
    ck_assert_int_eq(type, FRAME_WRITABLE);
    if (!page_get(mfn, d))
        return -EINVAL;
    if (fake_frames[mfn.value].is_table) {
        page_put(mfn);
        return -EINVAL;
    }
    __atomic_add_fetch(&fake_frames[mfn.value].writable, 1, __ATOMIC_SEQ_CST);
    return 0;
}

u32 logging_domains;

void frame_written(mfn_t mfn)
{
    fake_written_count++;
    fake_written_last = mfn;
}

void domain_frame_written(struct domain *d, mfn_t mfn)
{
    frame_written(mfn);
}

void page_put_and_type(mfn_t mfn)
{
    ck_assert_int_ge(__atomic_sub_fetch(&fake_frames[mfn.value].writable, 1, __ATOMIC_SEQ_CST), 0);
    page_put(mfn);
}

unsigned page_owner_id(mfn_t mfn)
{
    return mfn_valid(mfn) && fake_frames[mfn.value].owner ? fake_frames[mfn.value].owner->id : OWNER_NONE;
}

int steal_page(struct domain *d, mfn_t mfn, bool keep_accounting)
{
    struct fake_frame *f = &fake_frames[mfn_valid(mfn) ? mfn.value : 0];

    if (!mfn_valid(mfn) || f->owner != d || f->refs != 1 || f->writable)
        return -EINVAL;
    f->owner = NULL;
    if (!keep_accounting)
        d->mm.tot_pages--;
    return 0;
}

void m2p_set(mfn_t mfn, pfn_t pfn)
{
    ck_assert_ptr_null(fake_frames[mfn.value].owner); /* whose it is says what it is */
    fake_frames[mfn.value].place = pfn;
}

void frame_leaves(struct domain *d, mfn_t mfn)
{
    ck_assert_ptr_null(fake_frames[mfn.value].owner);
    fake_frames[mfn.value] = (struct fake_frame){0};
}

int assign_page(struct domain *d, mfn_t mfn, bool keep_accounting)
{
    if (!keep_accounting && d->mm.tot_pages >= d->mm.max_pages)
        return -ENOMEM;
    fake_frames[mfn.value].owner = d;
    d->mm.tot_pages += !keep_accounting;
    return 0;
}

int grant_map_host(struct vcpu *v, u64 address, mfn_t mfn, unsigned gntmap_flags)
{
    if (fake_map_host_status)
        return fake_map_host_status;
    for (unsigned i = 0; i < ARRAY_SIZE(mappings); i++)
        if (mappings[i].address == 0) {
            mappings[i].address = address;
            mappings[i].mfn = mfn;
            return GNTST_okay;
        }
    panic("no room for a mapping\n");
}

int grant_unmap_host(struct vcpu *v, u64 address, mfn_t mfn, unsigned gntmap_flags, u64 new_address)
{
    if (fake_unmap_host_status)
        return fake_unmap_host_status;
    for (unsigned i = 0; i < ARRAY_SIZE(mappings); i++)
        if (mappings[i].address == address && mfn_equal(mappings[i].mfn, mfn)) {
            mappings[i].address = 0;
            return GNTST_okay;
        }
    return GNTST_general_error;
}

unsigned fake_host_mappings(mfn_t mfn)
{
    unsigned count = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(mappings); i++)
        count += mappings[i].address && mfn_equal(mappings[i].mfn, mfn);
    return count;
}

void flush_tlb_mask(u32 mask)
{
    fake_flushes++;
    if (fake_at_flush)
        fake_at_flush();
}

u32 domain_dirty_mask(struct domain *d)
{
    return 1;
}

void vcpu_wake(struct vcpu *v)
{
    __atomic_add_fetch(&fake_wakes[v->domain->id][v->id], 1, __ATOMIC_RELAXED);
}

void vcpu_kick(struct vcpu *v)
{
    __atomic_add_fetch(&fake_kicks[v->domain->id][v->id], 1, __ATOMIC_RELAXED);
}

long pirq_bind(struct vcpu *v, unsigned pirq, bool share)
{
    return fake_pirq_error;
}

void pirq_unbind(struct domain *d, unsigned pirq)
{
}

struct domain *domain_get(unsigned domid)
{
    if (domid >= FAKE_DOMAINS || !fake_domains[domid])
        return NULL;
    __atomic_add_fetch(&fake_domains[domid]->refs, 1, __ATOMIC_SEQ_CST);
    return fake_domains[domid];
}

struct domain *domain_get_remote(unsigned domid, int *error)
{
    struct domain *d = domain_get(domid == DOMID_SELF ? current->domain->id : domid);

    *error = -ESRCH;
    if (d && d != current->domain && !current->domain->privileged) {
        domain_put(d);
        *error = -EPERM;
        return NULL;
    }
    return d;
}

static void free_domain(struct domain *d)
{
    fake_domains[d->id] = NULL;
    grant_free(d);
    evtchn_free(d);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        evtchn_vcpu_destroy(d->vcpus[i]);
        free(d->vcpus[i]);
    }
    free(d->vcpus);
    free(d->shared_info);
    free(d);
}

void domain_put(struct domain *d)
{
    if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_SEQ_CST) == 0)
        free_domain(d);
}

void fake_run(unsigned domid, unsigned vcpu)
{
    fake_cpu.vcpu = fake_domains[domid]->vcpus[vcpu];
}

static void point_vcpus(struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++)
        d->vcpus[i]->info = &d->shared_info->vcpu_info[i];
}

static struct domain *make_domain(unsigned id)
{
    struct domain *d = calloc(1, sizeof(*d));

    d->id = (u16)id;
    d->privileged = d->iopl_trusted = id == 0;
    d->refs = 1;
    d->max_vcpus = FAKE_VCPUS;
    d->mm.max_pages = 64;
    d->vcpus = calloc(FAKE_VCPUS, sizeof(*d->vcpus));
    d->shared_info = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    memset(d->shared_info, 0, PAGE_SIZE);
    for (unsigned i = 0; i < FAKE_VCPUS; i++) {
        d->vcpus[i] = calloc(1, sizeof(struct vcpu));
        d->vcpus[i]->domain = d;
        d->vcpus[i]->id = i;
        d->vcpus[i]->mm.copy_end = HV_VIRT_START;
        d->vcpus[i]->mm.copy_start = HV_VIRT_END;
    }
    point_vcpus(d);
    return d;
}

void fake_setup(unsigned count)
{
    memset(fake_frames, 0, sizeof(fake_frames));
    memset(fake_kicks, 0, sizeof(fake_kicks));
    memset(fake_wakes, 0, sizeof(fake_wakes));
    memset(mappings, 0, sizeof(mappings));
    fake_allocations_left = -1;
    fake_written_count = logging_domains = 0;
    fake_log[0] = 0;
    fake_map_host_status = fake_unmap_host_status = fake_pirq_error = 0;
    fake_at_flush = NULL;
    slab_objects = 0;
    fake_ram =
        mmap(NULL, FAKE_FRAMES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    low_page = mmap(NULL, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    ck_assert(fake_ram != MAP_FAILED && low_page != MAP_FAILED);
    for (unsigned id = 0; id < count; id++) {
        fake_domains[id] = make_domain(id);
        ck_assert_int_eq(evtchn_init(fake_domains[id], 1023), 0);
        ck_assert_int_eq(grant_init(fake_domains[id], 4, 4), 0);
    }
    domain_zero = fake_domains[0];
    fake_run(0, 0);
}

void fake_make_32bit(struct domain *d)
{
    d->is_32bit = true;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        d->vcpus[i]->is_32bit = true;
    evtchn_shared_info_changed(d);
}

/* Page tables of a dying domain go: so do the references of host mappings. Only read-write ones are made here. */
void fake_kill(struct domain *d)
{
    d->dying = DOMAIN_DYING;
    while (evtchn_destroy(d) == -ERESTART)
        fake_cpu.softirq_pending = 0;
    while (grant_release_mappings(d) == -ERESTART)
        fake_cpu.softirq_pending = 0;
    domain_put(d);
}

static void release_guest_frames(struct domain *d)
{
    for (unsigned i = 0; i < FAKE_FRAMES; i++)
        if (fake_frames[i].owner == d && !fake_frames[i].shared) {
            ck_assert_msg(fake_frames[i].refs == 1, "frame %u of d%u has %d references", i, d->id, fake_frames[i].refs);
            fake_frames[i] = (struct fake_frame){0};
        }
}

void fake_teardown(void)
{
    fake_allocations_left = -1;
    for (unsigned id = FAKE_DOMAINS; id-- > 0;)
        if (fake_domains[id]) {
            release_guest_frames(fake_domains[id]);
            fake_run(0, 0);
            fake_kill(fake_domains[id]);
        }
    for (unsigned id = 0; id < FAKE_DOMAINS; id++)
        ck_assert_msg(!fake_domains[id], "domain %u is still referred to", id);
    for (unsigned i = 0; i < FAKE_FRAMES; i++)
        ck_assert_msg(!fake_frames[i].allocated && fake_frames[i].refs == 0, "frame %u was not given back", i);
    ck_assert_int_eq(slab_objects, 0);
    munmap(fake_ram, FAKE_FRAMES * PAGE_SIZE);
    munmap(low_page, 4 * PAGE_SIZE);
}

mfn_t fake_guest_frame(struct domain *d)
{
    mfn_t mfn = frame_alloc(0, 0);

    fake_frames[mfn.value].owner = d;
    d->mm.tot_pages++;
    memset(mfn_to_virt(mfn), 0, PAGE_SIZE);
    return mfn;
}

void *fake_guest_memory(void)
{
    return low_page;
}

void smp_serve_requests(void)
{
}

/* Guests of these tests name their memory by the host's addresses. */
bool linear_range_ok(unsigned long va, unsigned long end)
{
    return end >= va && (end <= HV_VIRT_START || va >= HV_VIRT_END);
}
