/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the attackers share.
 */
#include <abi/event_channel.h>
#include <abi/vcpu.h>
#include "attack.h"

long set_pte(void *addr, pte_t pte)
{
    return HYPERVISOR_update_va_mapping((unsigned long)addr, pte, UVMF_INVLPG);
}

long set_pte_unflushed(void *addr, pte_t pte)
{
    return HYPERVISOR_update_va_mapping((unsigned long)addr, pte, UVMF_NONE);
}

long mmu_update_in(uint64_t ptr, uint64_t value, unsigned int domid)
{
    struct mmu_update request = {.ptr = ptr, .val = value};

    return HYPERVISOR_mmu_update(&request, 1, NULL, domid);
}

long mmu_update(uint64_t ptr, uint64_t value)
{
    return mmu_update_in(ptr, value, DOMID_SELF);
}

long mmuext(unsigned int command, unsigned long mfn)
{
    struct mmuext_op op = {.cmd = command, .arg1.mfn = mfn};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

unsigned long top_mfn(void)
{
    return virt_to_mfn((void *)(unsigned long)start_info->pt_base);
}

unsigned long foreign_mfn(void)
{
    unsigned long mfn = 0x1000;

    while (mfn_to_pfn(mfn) != INVALID_P2M)
        mfn++;
    return mfn;
}

/* Before main: attackers go every way there is to a page table, and a guest has to ask for the direct one. */
__attribute__((constructor)) static void ask_for_writes(void)
{
    HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
}

pte_t *new_table(void)
{
    pte_t *page = pages_alloc(1);

    pages_protect(page, 1, false);
    return page;
}

void drop_table(pte_t *page)
{
    CHECK_EQ(pages_protect(page, 1, true), 0, "what was a table is an ordinary page again");
    pages_free(page, 1);
}

void poke(pte_t *entry, pte_t value)
{
    void *page = (void *)((unsigned long)entry & PAGE_MASK);

    pages_protect(page, 1, true);
    *entry = value;
    pages_protect(page, 1, false);
}

void new_chain(pte_t **tables, unsigned int levels)
{
    for (unsigned int level = 0; level < levels; level++) {
        tables[level] = new_table();
        if (level)
            poke(tables[level], pte_make(virt_to_mfn(tables[level - 1]), TABLE_FLAGS));
    }
}

long register_runstate(void *at)
{
    struct vcpu_register_runstate_memory_area area = {0};

    set_xen_guest_handle(area.addr.h, at);
    return HYPERVISOR_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area);
}

long register_time(void *at)
{
    struct vcpu_register_time_memory_area area = {0};

    set_xen_guest_handle(area.addr.h, at);
    return HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &area);
}

void take_timer(event_handler_t *heard)
{
    struct evtchn_status status = {.dom = DOMID_SELF};

    for (status.port = 1; status.port < 64; status.port++) {
        if (HYPERVISOR_event_channel_op(EVTCHNOP_status, &status) != 0 || status.status != EVTCHNSTAT_virq ||
            status.u.virq != VIRQ_TIMER || status.vcpu != 0)
            continue;
        event_clear_handler(status.port);
        event_set_handler(status.port, heard, NULL);
        return;
    }
}

bool race_start(struct race *race, void (*fn)(void *race))
{
    race->running = true;
    race->rounds = 0;
    if (smp_cpu_count() < 2 || smp_start(1, fn, race) != 0)
        return false;
    while (race->rounds == 0)
        time_spin_ns(10000);
    return true;
}

void race_stop(struct race *race)
{
    race->running = false;
    while (smp_is_up(1))
        time_spin_ns(10000);
}
