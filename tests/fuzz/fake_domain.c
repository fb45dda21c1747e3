/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See fake_domain.h. Machine frames are those of a memory file, so that any of them can be mapped side by side; the domain
 * gets them in an order that makes no machine frame equal to its guest frame.
 */
#define _GNU_SOURCE
#include "fake_domain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenforeignmemory.h>

#include "dom0-tools/builder/wire.h"
#include "dom0-tools/libctl/ctl.h"

#define PAGE              4096u
#define FRAME_MASK        0x000FFFFFFFFFF000ull
#define SHARED_INFO_FRAME 1u
#define GRANT_FRAME       2u
#define FIRST_FRAME       16u

static int file = -1;
static uint8_t *machine;
static bool owned[FAKE_FRAMES], ever_owned[FAKE_FRAMES];
static unsigned int given, pages, pins_set, vcpus_set, mapped, bits;

static void give(unsigned int frame)
{
    owned[frame] = ever_owned[frame] = true;
    memset(machine + (size_t)frame * PAGE, 0, PAGE);
}

void fake_domain_reset(void)
{
    if (machine == NULL) {
        file = memfd_create("machine", 0);
        if (file < 0 || ftruncate(file, (off_t)FAKE_FRAMES * PAGE) != 0)
            abort();
        machine = mmap(NULL, (size_t)FAKE_FRAMES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (machine == MAP_FAILED)
            abort();
    }
    memset(owned, 0, sizeof(owned));
    memset(ever_owned, 0, sizeof(ever_owned));
    given = pages = pins_set = vcpus_set = mapped = bits = 0;
    give(SHARED_INFO_FRAME);
    give(GRANT_FRAME);
}

unsigned int fake_domain_pages(void)
{
    return pages;
}

unsigned int fake_domain_pins(void)
{
    return pins_set;
}

unsigned int fake_domain_vcpus(void)
{
    return vcpus_set;
}

void fake_domain_check(bool restored)
{
    if (mapped != 0 || (restored && vcpus_set == 0))
        abort();
}

static void must_have_been_owned(uint64_t frame)
{
    if (frame >= FAKE_FRAMES || !ever_owned[frame])
        abort();
}

int ctl_domain_info(struct ctl *ctl, domid_t domid, struct xen_domctl_getdomaininfo *info)
{
    memset(info, 0, sizeof(*info));
    info->domain = domid;
    info->max_pages = FAKE_MAX_PAGES;
    info->max_vcpu_id = FAKE_VCPUS - 1;
    info->shared_info_frame = SHARED_INFO_FRAME;
    return 0;
}

int ctl_domain_address_size(struct ctl *ctl, domid_t domid, unsigned int width)
{
    if (width != 32 && width != 64)
        abort();
    bits = width;
    return 0;
}

int ctl_policy_set(struct ctl *ctl, domid_t domid, struct ctl_policy *policy)
{
    for (uint32_t i = 0; i < policy->leaf_count; i++) {
        if (policy->leaves[i].leaf == 0xBAD) {
            policy->bad_leaf = 0xBAD;
            policy->bad_msr = UINT32_MAX;
            errno = EINVAL;
            return -1;
        }
    }
    return 0;
}

long ctl_populate(struct ctl *ctl, domid_t domid, unsigned long count, unsigned int order, unsigned int flags,
                  xen_pfn_t *frames)
{
    for (unsigned long i = 0; i < count; i++) {
        if (pages == FAKE_MAX_PAGES || given == FAKE_FRAMES - FIRST_FRAME)
            return (long)i;
        frames[i] = FIRST_FRAME + (given++ * 2053) % (FAKE_FRAMES - FIRST_FRAME);
        give((unsigned int)frames[i]);
        pages++;
    }
    return (long)count;
}

long ctl_decrease(struct ctl *ctl, domid_t domid, unsigned long count, unsigned int order, xen_pfn_t *frames)
{
    for (unsigned long i = 0; i < count; i++) {
        if (frames[i] >= FAKE_FRAMES || !owned[frames[i]])
            abort();
        owned[frames[i]] = false;
        pages--;
    }
    return (long)count;
}

int ctl_physinfo(struct ctl *ctl, struct xen_sysctl_physinfo *info)
{
    info->free_pages = FAKE_FRAMES;
    return 0;
}

/* A table's entries may name memory that the domain had and gave back, which the hypervisor sees; never any other's. */
int ctl_pin_tables(struct ctl *ctl, domid_t domid, const struct mmuext_op *pins, unsigned int count, unsigned int *done)
{
    for (*done = 0; *done < count; (*done)++) {
        const uint64_t *table;

        must_have_been_owned(pins[*done].arg1.mfn);
        table = (const void *)(machine + pins[*done].arg1.mfn * PAGE);
        for (unsigned int i = 0; i < PAGE / 8; i++) {
            if ((table[i] & 1) == 0)
                continue;
            must_have_been_owned((table[i] & FRAME_MASK) >> 12);
            if (!owned[(table[i] & FRAME_MASK) >> 12]) {
                errno = EINVAL;
                return -1;
            }
        }
        pins_set++;
    }
    return 0;
}

int ctl_domain_set_tsc(struct ctl *ctl, domid_t domid, const struct xen_domctl_tsc_info *tsc)
{
    return 0;
}

int ctl_vcpu_set_context(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *context, size_t size)
{
    const struct vcpu_guest_context_64 *wide = context;
    const struct vcpu_guest_context_32 *narrow = context;

    if (vcpu >= FAKE_VCPUS || size != (bits == 64 ? sizeof(*wide) : sizeof(*narrow)))
        abort();
    if (bits == 64) {
        must_have_been_owned((wide->ctrlreg[3] & FRAME_MASK) >> 12);
        if (wide->ctrlreg[1] != 0)
            must_have_been_owned(wide->ctrlreg[1] >> 12);
        for (unsigned int i = 0; i * 512 < wide->gdt_ents; i++)
            must_have_been_owned(wide->gdt_frames[i]);
    } else {
        must_have_been_owned((uint32_t)(narrow->ctrlreg[3] >> 12 | narrow->ctrlreg[3] << 20));
        for (unsigned int i = 0; i * 512 < narrow->gdt_ents; i++)
            must_have_been_owned(narrow->gdt_frames[i]);
    }
    vcpus_set++;
    return 0;
}

int ctl_vcpu_set_extended(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *extended, size_t size)
{
    if (vcpu >= FAKE_VCPUS || size == 0)
        abort();
    return 0;
}

int ctl_vcpu_set_xsave(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *buffer, size_t size)
{
    if (vcpu >= FAKE_VCPUS || size == 0)
        abort();
    return 0;
}

int ctl_vcpu_set_msrs(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *msrs, unsigned int count)
{
    if (vcpu >= FAKE_VCPUS || count == 0)
        abort();
    return 0;
}

int ctl_grant_frame(struct ctl *ctl, domid_t domid, unsigned int index, xen_pfn_t *mfn)
{
    *mfn = GRANT_FRAME;
    return 0;
}

void *xenforeignmemory_map(xenforeignmemory_handle *handle, uint32_t dom, int prot, size_t count,
                           const xen_pfn_t frames[], int err[])
{
    uint8_t *area;

    for (size_t i = 0; i < count; i++) {
        if (frames[i] >= FAKE_FRAMES || !owned[frames[i]]) {
            errno = EINVAL;
            return NULL;
        }
    }
    mapped += (unsigned int)count;
    if (count == 1)
        return machine + frames[0] * PAGE;
    area = mmap(NULL, count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED)
        abort();
    for (size_t i = 0; i < count; i++)
        if (mmap(area + i * PAGE, PAGE, prot, MAP_SHARED | MAP_FIXED, file, (off_t)(frames[i] * PAGE)) == MAP_FAILED)
            abort();
    return area;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *handle, void *addr, size_t count)
{
    mapped -= (unsigned int)count;
    return count == 1 ? 0 : munmap(addr, count * PAGE);
}

/* Of the embedded dom0's kernel. */
void thread_yield(void);
void thread_sleep_ns(uint64_t ns);
uint64_t time_monotonic_ns(void);

void thread_yield(void)
{
}

void thread_sleep_ns(uint64_t ns)
{
}

uint64_t time_monotonic_ns(void)
{
    return 0;
}

/* Only a domain that is saved is looked up by machine frame. */
unsigned long machine_frame_limit(void);
unsigned long machine_to_guest_frame(unsigned long mfn);
unsigned long machine_to_guest_frame_known(unsigned long mfn);

unsigned long machine_frame_limit(void)
{
    abort();
}

unsigned long machine_to_guest_frame(unsigned long mfn)
{
    abort();
}

unsigned long machine_to_guest_frame_known(unsigned long mfn)
{
    abort();
}
