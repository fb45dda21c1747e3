/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The last touches on a new domain: its rings' ports and grants, start_info, the upcall masks in shared_info, the
 * hypercall page, the pinned top table and the registers of its first vCPU.
 */
#include "building.h"
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <abi/grant_table.h>

static int fail_call(struct building *building, const char *what)
{
    return build_fail(building->error, "%s of domain %u failed: %s", what, building->out->domid, strerror(errno));
}

static uint64_t module_start(const struct layout *layout)
{
    return layout->module.virt != 0 || layout->module.pages == 0 ? layout->module.virt : layout->module.pfn;
}

static uint32_t start_flags(const struct building *building)
{
    const struct layout *layout = &building->plan->layout;
    uint32_t flags = SIF_VIRT_P2M_4TOOLS;

    if (building->plan->image.mod_start_pfn && layout->module.pages > 0)
        flags |= SIF_MOD_START_PFN;
    if (building->input->module_package)
        flags |= SIF_MULTIBOOT_MOD;
    return flags;
}

static void fill_start_info(const struct building *building, struct start_info_64 *info)
{
    const struct layout *layout = &building->plan->layout;
    bool own_p2m = layout->p2m_map.virt != layout->p2m_map.virt_end;

    snprintf(info->magic, sizeof(info->magic), "xen-3.0-%s", layout->is_64bit ? "x86_64" : "x86_32p");
    info->nr_pages = layout->nr_pages;
    info->shared_info = (uint64_t)building->shared_info_mfn << 12;
    info->flags = start_flags(building);
    info->store_mfn = building->out->store_mfn;
    info->store_evtchn = building->out->store_port;
    info->console_frame = building->out->console_frame;
    info->console_port = building->out->console_port;
    info->pt_base = layout->page_tables.virt;
    info->nr_pt_frames = layout->page_tables.pages;
    info->mfn_list = layout->p2m.virt;
    info->mod_start = module_start(layout);
    info->mod_len = building->plan->module_bytes;
    info->first_p2m_pfn = own_p2m ? layout->p2m.pfn : 0;
    info->nr_p2m_frames = own_p2m ? layout->p2m.pages + layout->p2m_tables.pages : 0;
    snprintf(info->cmd_line, sizeof(info->cmd_line), "%s", building->input->config->command_line);
}

static void narrow_start_info(const struct start_info_64 *wide, struct start_info_32 *info)
{
    memcpy(info->magic, wide->magic, sizeof(info->magic));
    info->nr_pages = (uint32_t)wide->nr_pages;
    info->shared_info = (uint32_t)wide->shared_info;
    info->flags = wide->flags;
    info->store_mfn = (uint32_t)wide->store_mfn;
    info->store_evtchn = wide->store_evtchn;
    info->console_frame = (uint32_t)wide->console_frame;
    info->console_port = wide->console_port;
    info->pt_base = (uint32_t)wide->pt_base;
    info->nr_pt_frames = (uint32_t)wide->nr_pt_frames;
    info->mfn_list = (uint32_t)wide->mfn_list;
    info->mod_start = (uint32_t)wide->mod_start;
    info->mod_len = (uint32_t)wide->mod_len;
    info->first_p2m_pfn = (uint32_t)wide->first_p2m_pfn;
    info->nr_p2m_frames = (uint32_t)wide->nr_p2m_frames;
    memcpy(info->cmd_line, wide->cmd_line, sizeof(info->cmd_line));
}

static int write_start_info(struct building *building)
{
    const struct layout *layout = &building->plan->layout;
    struct start_info_64 wide = {.flags = 0};
    void *page = building_map(building, layout->start_info.pfn, 1);

    if (page == NULL)
        return -1;
    fill_start_info(building, &wide);
    memset(page, 0, 4096);
    if (layout->is_64bit)
        memcpy(page, &wide, sizeof(wide));
    else
        narrow_start_info(&wide, page);
    building_unmap(building, page, 1);
    return 0;
}

static int clear_page(struct building *building, uint64_t pfn)
{
    void *page = building_map(building, pfn, 1);

    if (page == NULL)
        return -1;
    memset(page, 0, 4096);
    building_unmap(building, page, 1);
    return 0;
}

static int clear_shared_info(struct building *building)
{
    struct xen_domctl_getdomaininfo info;
    uint8_t *page;

    if (ctl_domain_info(building->ctl, building->out->domid, &info) != 0)
        return fail_call(building, "asking for the state");
    building->shared_info_mfn = (xen_pfn_t)info.shared_info_frame;
    page = xenforeignmemory_map(building->memory, building->out->domid, 3, 1, &building->shared_info_mfn, NULL);
    if (page == NULL)
        return fail_call(building, "mapping the shared_info page");
    memset(page, 0, 4096);
    for (unsigned int i = 0; i < WIRE_VCPU_INFO_COUNT; i++)
        page[i * WIRE_VCPU_INFO_SIZE + WIRE_UPCALL_MASK] = 1;
    xenforeignmemory_unmap(building->memory, page, 1);
    return 0;
}

int build_ports(struct ctl *ctl, struct built_domain *out)
{
    int store = ctl_evtchn_alloc_unbound(ctl, out->domid, 0);
    int console = store < 0 ? -1 : ctl_evtchn_alloc_unbound(ctl, out->domid, 0);

    if (console < 0)
        return -1;
    out->store_port = (unsigned int)store;
    out->console_port = (unsigned int)console;
    return 0;
}

static void set_entry(struct grant_entry_v1 *entry, xen_pfn_t mfn)
{
    entry->domid = 0;
    entry->frame = (uint32_t)mfn;
    entry->flags = GTF_permit_access;
}

/* The reserved entries hold, whatever the guest does with its table later. */
int build_grants(struct ctl *ctl, xenforeignmemory_handle *memory, const struct built_domain *out)
{
    struct grant_entry_v1 *table;
    xen_pfn_t mfn;

    if (ctl_grant_frame(ctl, out->domid, 0, &mfn) != 0)
        return -1;
    table = xenforeignmemory_map(memory, out->domid, 3, 1, &mfn, NULL);
    if (table == NULL)
        return -1;
    set_entry(&table[GNTTAB_RESERVED_CONSOLE], out->console_frame);
    set_entry(&table[GNTTAB_RESERVED_XENSTORE], out->store_mfn);
    xenforeignmemory_unmap(memory, table, 1);
    return 0;
}

static int fill_hypercall_page(struct building *building)
{
    const struct elf_image *image = &building->plan->image;
    uint64_t pfn;

    if (image->hypercall_page == ELF_UNSET)
        return 0;
    pfn = (image->hypercall_page - image->virt_base) >> 12;
    if (ctl_domain_hypercall_page(building->ctl, building->out->domid, building->mfns[pfn]) != 0)
        return fail_call(building, "filling the hypercall page");
    return 0;
}

static int set_context_64(struct building *building, xen_pfn_t top)
{
    static struct vcpu_guest_context_64 context;
    const struct build_plan *plan = building->plan;

    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel | VGCF_online;
    context.user_regs.rip = plan->image.entry;
    context.user_regs.rsp = plan->layout.boot_stack.virt + 4096;
    context.user_regs.rsi = plan->layout.start_info.virt;
    context.user_regs.rflags = 1 << 9;
    context.user_regs.cs = WIRE_FLAT_CS_64;
    context.user_regs.ss = WIRE_FLAT_SS_64;
    context.kernel_ss = context.user_regs.ss;
    context.kernel_sp = context.user_regs.rsp;
    context.ctrlreg[3] = (uint64_t)top << 12;
    return ctl_vcpu_set_context(building->ctl, building->out->domid, 0, &context, sizeof(context));
}

static int set_context_32(struct building *building, xen_pfn_t top)
{
    static struct vcpu_guest_context_32 context;
    const struct build_plan *plan = building->plan;

    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel | VGCF_online;
    context.user_regs.eip = (uint32_t)plan->image.entry;
    context.user_regs.esp = (uint32_t)plan->layout.boot_stack.virt + 4096;
    context.user_regs.esi = (uint32_t)plan->layout.start_info.virt;
    context.user_regs.eflags = 1 << 9;
    context.user_regs.cs = WIRE_FLAT_CS_32;
    context.user_regs.ss = context.user_regs.ds = context.user_regs.es = WIRE_FLAT_DS_32;
    context.user_regs.fs = context.user_regs.gs = WIRE_FLAT_DS_32;
    context.kernel_ss = context.user_regs.ss;
    context.kernel_sp = context.user_regs.esp;
    context.ctrlreg[3] = (uint32_t)top << 12 | (uint32_t)top >> 20;
    if (plan->image.pae == ELF_PAE_EXTENDED_CR3 || plan->image.pae == ELF_PAE_BIMODAL)
        context.vm_assist = 1u << VMASST_TYPE_pae_extended_cr3;
    return ctl_vcpu_set_context(building->ctl, building->out->domid, 0, &context, sizeof(context));
}

static int start_vcpu(struct building *building)
{
    const struct layout *layout = &building->plan->layout;
    xen_pfn_t top = building->mfns[layout->page_tables.pfn];
    unsigned int command = layout->is_64bit ? MMUEXT_PIN_L4_TABLE : MMUEXT_PIN_L3_TABLE;

    if (ctl_pin_table(building->ctl, building->out->domid, command, top) != 0)
        return fail_call(building, "pinning the page tables");
    if ((layout->is_64bit ? set_context_64(building, top) : set_context_32(building, top)) != 0)
        return fail_call(building, "setting the first vCPU's registers");
    return 0;
}

int building_boot_state(struct building *building)
{
    const struct layout *layout = &building->plan->layout;

    building->out->store_mfn = building->mfns[layout->xenstore.pfn];
    building->out->console_frame = building->mfns[layout->console.pfn];
    if (build_ports(building->ctl, building->out) != 0)
        return fail_call(building, "making the event channels");
    if (clear_shared_info(building) != 0)
        return -1;
    if (clear_page(building, layout->xenstore.pfn) != 0 || clear_page(building, layout->console.pfn) != 0 ||
        clear_page(building, layout->boot_stack.pfn) != 0)
        return -1;
    if (write_start_info(building) != 0 || fill_hypercall_page(building) != 0)
        return -1;
    if (build_grants(building->ctl, building->memory, building->out) != 0)
        return fail_call(building, "writing the first entries of the grant table");
    return start_vcpu(building);
}
