/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The steps of building a domain, and what is checked before the first of them.
 */
#include "building.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int build_fail(struct build_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -1;
}

static int check_width(struct ctl *ctl, const struct build_input *input, const struct elf_image *image,
                       struct build_error *error)
{
    static char capabilities[sizeof(xen_capabilities_info_t)];
    const char *need = image->is_64bit ? "xen-3.0-x86_64" : "xen-3.0-x86_32p";

    if (!image->is_64bit && image->pae == ELF_PAE_NO)
        return build_fail(error,
                          "%s: a 32-bit kernel without PAE; only PAE kernels (note PAE_MODE \"yes\") can run here",
                          input->config->kernel);
    if (ctl_version(ctl, XENVER_capabilities, capabilities, sizeof(capabilities)) < 0)
        return build_fail(error, "asking the hypervisor for its capabilities failed: %s", strerror(errno));
    if (strstr(capabilities, need) == NULL)
        return build_fail(error, "%s: a %s kernel (%s); this hypervisor runs %s", input->config->kernel,
                          image->is_64bit ? "64-bit" : "32-bit", need, capabilities);
    return 0;
}

static int check_kernel(struct ctl *ctl, const struct build_input *input, struct elf_image *image,
                        struct build_error *error)
{
    const char *name = input->config->kernel, *why;

    if (elf_image_parse(input->kernel, input->kernel_size, image, &why) != 0)
        return build_fail(error, "%s: %s", name, why);
    if (image->phys32_entry != ELF_UNSET && image->xen_version[0] == '\0')
        return build_fail(error, "%s: a kernel for PVH domains only; this hypervisor runs PV kernels", name);
    if (image->notes == ELF_NOTES_NONE)
        return build_fail(error, "%s: not a kernel for Xen: it has no Xen notes and no __xen_guest section", name);
    return check_width(ctl, input, image, error);
}

int build_check_free(struct ctl *ctl, const struct domain_config *config, struct build_error *error)
{
    uint64_t pages = config->memory_kib / 4;
    struct xen_sysctl_physinfo info;

    if (ctl_physinfo(ctl, &info) != 0)
        return build_fail(error, "asking the hypervisor for free memory failed: %s", strerror(errno));
    if (info.free_pages < pages + info.outstanding_pages)
        return build_fail(error,
                          "not enough memory for \"%s\": %llu MiB asked for, %llu MiB free; shrink another domain with "
                          "mem-set or ask for less with memory=",
                          config->name, (unsigned long long)pages / 256,
                          (unsigned long long)(info.free_pages - info.outstanding_pages) / 256);
    return 0;
}

int build_plan(struct ctl *ctl, const struct build_input *input, struct build_plan *plan, struct build_error *error)
{
    static uint8_t list[BUILDING_PAGE];
    char why[LAYOUT_WHY_SIZE];

    if (check_kernel(ctl, input, &plan->image, error) != 0)
        return -1;
    if (input->module_package && building_module_list(input, list) != 0)
        return build_fail(error, "%zu modules are too many, or their command lines or sizes are: the list is one page",
                          input->module_count);
    plan->module_bytes = building_module_bytes(input);
    if (layout_plan(&plan->image, input->config->memory_kib / 4, plan->module_bytes, &plan->layout, why) != 0)
        return build_fail(error, "%s: %s", input->config->kernel, why);
    return build_check_free(ctl, input->config, error);
}

static int create_fail(const struct domain_config *config, struct build_error *error)
{

    if (errno != EINVAL)
        return build_fail(error, "the hypervisor refused to create \"%s\": %s", config->name, strerror(errno));
    return build_fail(error,
                      "the hypervisor refused to create \"%s\": one of these is more than it allows: maxvcpus %u, "
                      "max_grant_frames %u, max_maptrack_frames %u, max_event_channels %d",
                      config->name, config->max_vcpus, config->max_grant_frames, config->max_maptrack_frames,
                      config->max_event_channels + 1);
}

static int create(struct ctl *ctl, const struct domain_config *config, struct built_domain *out,
                  struct build_error *error)
{
    struct xen_domctl_createdomain create = {
        .max_vcpus = config->max_vcpus,
        .max_evtchn_port = (uint32_t)config->max_event_channels,
        .max_grant_frames = (int32_t)config->max_grant_frames,
        .max_maptrack_frames = (int32_t)config->max_maptrack_frames,
        .grant_opts = XEN_DOMCTL_GRANT_version(config->max_grant_version),
    };

    memcpy(create.handle, out->uuid, sizeof(create.handle));
    if (ctl_domain_create(ctl, &create, &out->domid) != 0)
        return create_fail(config, error);
    return 0;
}

static int affinity_fail(struct ctl *ctl, const struct domain_config *config, unsigned int vcpu,
                         struct build_error *error)
{
    struct xen_sysctl_physinfo info = {0};
    int reason = errno;

    (void)ctl_physinfo(ctl, &info);
    return build_fail(error, "vCPU %u of \"%s\" cannot run on the CPUs asked for: %s (the machine has CPUs 0 to %u)",
                      vcpu, config->name, strerror(reason), info.max_cpu_id);
}

static int set_affinity(struct ctl *ctl, domid_t domid, const struct domain_config *config, struct build_error *error)
{
    for (unsigned int vcpu = 0; vcpu < config->max_vcpus; vcpu++) {
        struct cpu_map hard = config->hard, soft = config->soft;
        bool own = config->pinning != NULL && config->pinning[vcpu].set;

        if (own)
            hard = config->pinning[vcpu].hard;
        if (!own && !config->has_hard && !config->has_soft)
            continue;
        if (ctl_vcpu_set_affinity(ctl, domid, vcpu, own || config->has_hard ? hard.bits : NULL,
                                  config->has_soft ? soft.bits : NULL, false) != 0)
            return affinity_fail(ctl, config, vcpu, error);
    }
    return 0;
}

static int set_scheduling(struct ctl *ctl, domid_t domid, const struct domain_config *config, struct build_error *error)
{
    struct xen_domctl_sched_credit2 params;

    if (config->weight == 0 && config->cap == 0)
        return 0;
    if (ctl_sched_get(ctl, domid, &params) != 0)
        return build_fail(error, "reading the scheduling parameters failed: %s", strerror(errno));
    if (config->weight != 0)
        params.weight = (uint16_t)config->weight;
    params.cap = (uint16_t)config->cap;
    if (ctl_sched_set(ctl, domid, &params) != 0)
        return build_fail(error, "the scheduler refused weight %u, cap %u: %s", params.weight, params.cap,
                          strerror(errno));
    return 0;
}

static int set_limits(struct ctl *ctl, domid_t domid, const struct domain_config *config, struct build_error *error)
{
    if (ctl_domain_max_vcpus(ctl, domid, config->max_vcpus) != 0)
        return build_fail(error, "\"%s\" cannot have %u vCPUs: %s", config->name, config->max_vcpus, strerror(errno));
    if (set_affinity(ctl, domid, config, error) != 0 || set_scheduling(ctl, domid, config, error) != 0)
        return -1;
    if (ctl_domain_max_mem(ctl, domid, config->memory_kib + BUILD_SLACK_KIB) != 0)
        return build_fail(error, "\"%s\" cannot have %llu MiB: %s", config->name,
                          (unsigned long long)config->memory_kib / 1024, strerror(errno));
    if (ctl_domain_memory_map(ctl, domid, config->max_memory_kib * 1024) != 0)
        return build_fail(error, "setting the memory map of \"%s\" failed: %s", config->name, strerror(errno));
    return 0;
}

int build_empty(struct ctl *ctl, const struct domain_config *config, struct built_domain *out,
                struct build_error *error)
{
    if (create(ctl, config, out, error) != 0)
        return -1;
    if (set_limits(ctl, out->domid, config, error) == 0)
        return 0;
    (void)ctl_domain_destroy(ctl, out->domid);
    return -1;
}

static int set_width(struct building *building)
{
    unsigned int bits = building->plan->layout.is_64bit ? 64 : 32;

    if (ctl_domain_address_size(building->ctl, building->out->domid, bits) == 0)
        return 0;
    return build_fail(building->error, "\"%s\" cannot be %u-bit: %s", building->input->config->name, bits,
                      strerror(errno));
}

int build_domain(struct ctl *ctl, xenforeignmemory_handle *memory, const struct build_input *input,
                 const struct build_plan *plan, struct built_domain *out, struct build_error *error)
{
    struct building building = {.ctl = ctl, .memory = memory, .input = input, .plan = plan, .out = out, .error = error};
    int status;

    if (build_empty(ctl, input->config, out, error) != 0)
        return -1;
    status = set_width(&building);
    if (status == 0)
        status = building_populate(&building);
    if (status == 0)
        status = building_write_image(&building);
    if (status == 0)
        status = building_boot_state(&building);
    free(building.mfns);
    if (status != 0)
        (void)ctl_domain_destroy(ctl, out->domid);
    return status;
}
