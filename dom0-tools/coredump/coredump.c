/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From a domain to a core file; see coredump.h. Frames are found by asking the hypervisor about each frame of the
 * machine, a thousand at a time, and its table from machine to guest frames says where they belong.
 */
#include "coredump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <pv/paging.h>
#include <pv/threads.h>

#define FRAMES_AT_ONCE 256u  /* mapped */
#define TYPES_AT_ONCE  1024u /* asked about */
#define PFN_LIMIT      (1ull << 32)

static int find_shape(struct ctl *ctl, struct core *core, const struct xen_domctl_getdomaininfo *info)
{
    unsigned int bits;

    if (ctl_domain_get_address_size(ctl, core->domid, &bits) != 0)
        return -1;
    core->shape.is_64bit = bits == 64;
    core->shared_info = (xen_pfn_t)info->shared_info_frame;
    core->contexts = calloc(info->max_vcpu_id + 1, CORE_CONTEXT_SIZE);
    if (core->contexts == NULL)
        return -1;
    for (unsigned int i = 0; i <= info->max_vcpu_id; i++) {
        uint8_t *context = core->contexts + (size_t)core->shape.vcpus * CORE_CONTEXT_SIZE;
        size_t size = core->shape.is_64bit ? CORE_CONTEXT_SIZE : CORE_CONTEXT_SIZE_32;

        if (ctl_vcpu_get_context(ctl, core->domid, i, context, size) == 0)
            core->shape.vcpus++; /* one that was never started has no context */
    }
    return 0;
}

/* Appends those of a batch of machine frames that are the domain's. */
static int take_batch(struct ctl *ctl, struct core *core, uint64_t first, size_t count, size_t room)
{
    xen_pfn_t types[TYPES_AT_ONCE];

    for (size_t i = 0; i < count; i++)
        types[i] = (xen_pfn_t)(first + i);
    if (ctl_frame_types(ctl, core->domid, types, count) != 0)
        return -1;
    for (size_t i = 0; i < count && core->shape.pages < room; i++) {
        unsigned long pfn;

        if ((uint32_t)types[i] == XEN_DOMCTL_PFINFO_XTAB)
            continue;
        pfn = machine_to_guest_frame((unsigned long)(first + i));
        if (pfn != INVALID_P2M)
            core->frames[core->shape.pages++] = (struct core_frame){pfn, first + i};
    }
    return 0;
}

/* A domain that runs may get frames meanwhile: those past what it had are left out. */
static int find_frames(struct ctl *ctl, struct core *core, uint64_t total)
{
    uint64_t end = machine_frame_limit();
    size_t room = (size_t)total + 64;

    core->frames = malloc(room * sizeof(*core->frames));
    if (core->frames == NULL)
        return -1;
    for (uint64_t first = 0; first < end; first += TYPES_AT_ONCE) {
        uint64_t left = end - first;

        if (take_batch(ctl, core, first, left < TYPES_AT_ONCE ? (size_t)left : TYPES_AT_ONCE, room) != 0)
            return -1;
        thread_yield();
    }
    core->shape.pages = core_sort_frames(core->frames, (size_t)core->shape.pages, PFN_LIMIT);
    return 0;
}

int core_collect(struct ctl *ctl, domid_t domid, struct core *core)
{
    struct xen_domctl_getdomaininfo info;

    memset(core, 0, sizeof(*core));
    core->domid = domid;
    if (ctl_domain_info(ctl, domid, &info) != 0 || find_shape(ctl, core, &info) != 0 ||
        find_frames(ctl, core, info.tot_pages) != 0) {
        core_free(core);
        return -1;
    }
    core_layout(&core->shape, &core->layout);
    return 0;
}

static void ask_version(struct ctl *ctl, struct core_version *version)
{
    struct xen_compile_info compile = {.compiler = ""};
    xen_platform_parameters_t parameters = {0};
    int number = ctl_version(ctl, XENVER_version, NULL, 0);

    memset(version, 0, sizeof(*version));
    version->major = (uint64_t)number >> 16;
    version->minor = (uint64_t)number & 0xffff;
    (void)ctl_version(ctl, XENVER_extraversion, version->extra, sizeof(version->extra));
    (void)ctl_version(ctl, XENVER_compile_info, &compile, sizeof(compile));
    memcpy(version->compiler, compile.compiler, sizeof(version->compiler));
    memcpy(version->compile_by, compile.compile_by, sizeof(version->compile_by));
    memcpy(version->compile_domain, compile.compile_domain, sizeof(version->compile_domain));
    memcpy(version->compile_date, compile.compile_date, sizeof(version->compile_date));
    (void)ctl_version(ctl, XENVER_capabilities, version->capabilities, sizeof(version->capabilities));
    (void)ctl_version(ctl, XENVER_changeset, version->changeset, sizeof(version->changeset));
    (void)ctl_version(ctl, XENVER_platform_parameters, &parameters, sizeof(parameters));
    version->virt_start = parameters.virt_start;
    version->page_size = (uint64_t)ctl_version(ctl, XENVER_pagesize, NULL, 0);
}

/* Pages by machine frame; what cannot be mapped any more is written as zeros. */
static int write_pages(xenforeignmemory_handle *memory, struct core *core, const xen_pfn_t *mfns, size_t count,
                       core_put *put, void *own)
{
    static const char zeros[CORE_PAGE_SIZE];
    int errors[FRAMES_AT_ONCE], status = 0;
    char *mapped = xenforeignmemory_map(memory, core->domid, PROT_READ, count, mfns, errors);

    for (size_t i = 0; i < count && status == 0; i++) {
        bool good = mapped != NULL && errors[i] == 0;

        core->unreadable += !good;
        status = put(own, good ? mapped + i * CORE_PAGE_SIZE : zeros, CORE_PAGE_SIZE);
    }
    if (mapped != NULL)
        (void)xenforeignmemory_unmap(memory, mapped, count);
    return status;
}

static int write_contents(xenforeignmemory_handle *memory, struct core *core, core_put *put, void *own)
{
    xen_pfn_t mfns[FRAMES_AT_ONCE];
    int status = 0;

    for (uint64_t at = 0; at < core->shape.pages && status == 0;) {
        size_t count = 0;

        while (count < FRAMES_AT_ONCE && at + count < core->shape.pages) {
            mfns[count] = (xen_pfn_t)core->frames[at + count].mfn;
            count++;
        }
        status = write_pages(memory, core, mfns, count, put, own);
        at += count;
        thread_yield();
    }
    return status;
}

static int pad(core_put *put, void *own, uint64_t from, uint64_t to)
{
    static const char zeros[CORE_PAGE_SIZE];

    return to > from ? put(own, zeros, (size_t)(to - from)) : 0;
}

int core_write(struct ctl *ctl, xenforeignmemory_handle *memory, struct core *core, core_put *put, void *own)
{
    uint64_t contexts = (uint64_t)core->shape.vcpus * CORE_CONTEXT_SIZE;
    uint64_t frames = core->shape.pages * sizeof(*core->frames);
    const struct core_layout *at = &core->layout;
    struct core_version version;
    char head[CORE_HEAD_MAX] __attribute__((aligned(8)));
    int status;

    ask_version(ctl, &version);
    status = put(own, head, core_head(&core->shape, &version, head));
    if (status == 0)
        status = put(own, core->contexts, (size_t)contexts);
    if (status == 0)
        status = pad(put, own, at->contexts + contexts, at->shared_info);
    if (status == 0)
        status = write_pages(memory, core, &core->shared_info, 1, put, own);
    if (status == 0)
        status = put(own, core->frames, (size_t)frames);
    if (status == 0)
        status = pad(put, own, at->frames + frames, at->pages);
    return status == 0 ? write_contents(memory, core, put, own) : status;
}

void core_free(struct core *core)
{
    free(core->frames);
    free(core->contexts);
    core->frames = NULL;
    core->contexts = NULL;
}
