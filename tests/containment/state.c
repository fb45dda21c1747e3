/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What one leaves in the processor and another finds there. The witnesses keep a pattern of theirs in every vector
 * register; an attacker looks into registers, fresh vCPUs and fresh memory for what is not his.
 */
#include "attack.h"

#define SECRET 0x5AFEC0DEU /* what the witnesses have everywhere */

static unsigned int secrets_in(const void *where, unsigned long size)
{
    const uint32_t *words = where;
    unsigned int count = 0;

    for (unsigned long i = 0; i < size / 4; i++)
        count += words[i] == SECRET;
    return count;
}

static unsigned char area[512] __attribute__((aligned(64)));

static void save_vectors(void)
{
    __asm__ volatile("fxsave %0" : "=m"(area));
}

/* Vector registers are switched with the vCPU, at once or when they are first used. A hypervisor that forgets, or that
 * trusts a flag of the guest's own about it, shows one guest the other's keys. With the flag that says "not used yet"
 * set and clear, across many switches. */
static void vector_registers(void)
{
    unsigned int found = 0, lost = 0;

    check_group("vector registers");
    for (int i = 0; i < 60; i++) {
        uint32_t mine[4] = {0x12345678u + (unsigned int)i, 1, 2, 3}, now[4];
        __asm__ volatile("movups %0, %%xmm3" : : "m"(mine));
        if (i & 1)
            HYPERVISOR_fpu_taskswitch(1);
        if (i % 3)
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        else
            time_spin_ns(1000000);
        HYPERVISOR_fpu_taskswitch(0);
        __asm__ volatile("movups %%xmm3, %0" : "=m"(now));
        lost += memcmp(mine, now, sizeof(now)) != 0;
        save_vectors();
        found += secrets_in(area, sizeof(area));
    }
    CHECK_EQ(lost, 0, "ours are as we left them");
    CHECK_EQ(found, 0, "and nobody else's are there");
}

/* A vCPU that starts has registers, too: they must be empty, not those of who ran there before. */
static volatile unsigned int fresh_found, fresh_done;

static void look_around(void *arg)
{
    save_vectors();
    fresh_found = secrets_in(area + 160, 256);
    fresh_done = 1;
}

static void fresh_vcpu(void)
{
    check_group("a fresh vCPU");
    if (smp_cpu_count() < 2 || smp_start(1, look_around, NULL) != 0)
        return;
    while (!fresh_done)
        time_spin_ns(1000000);
    CHECK_EQ(fresh_found, 0, "has nothing of others in its registers");
}

/* Memory that comes from the hypervisor was somebody's: given back by a domain that died, or a page of the hypervisor's
 * own. In pages of all orders, and by exchange. */
static void fresh_memory(void)
{
    unsigned int found = 0, dirty = 0, got = 0;

    check_group("fresh memory");
    for (unsigned int order = 0; order < 4; order++)
        for (int i = 0; i < 40; i++) {
            xen_pfn_t frame = 0x700;
            struct xen_memory_reservation r = {.nr_extents = 1, .extent_order = order, .domid = DOMID_SELF};
            char *view = vspace_alloc(1);
            set_xen_guest_handle(r.extent_start, &frame);
            if (HYPERVISOR_memory_op(XENMEM_populate_physmap, &r) != 1) {
                vspace_free(view, 1);
                continue;
            }
            got++;
            for (unsigned long j = 0; j < 1UL << order; j++) {
                pte_write(view, pte_make(frame + j, PTE_KERNEL_RW));
                found += secrets_in(view, PAGE_SIZE);
                for (unsigned long k = 0; k < PAGE_SIZE; k += sizeof(long))
                    dirty += *(unsigned long *)(view + k) != 0;
                *(unsigned long *)(view + 8) = 0;
                pte_write(view, 0);
            }
            HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r);
            vspace_free(view, 1);
        }
    CHECK(got > 0, "memory comes");
    CHECK_EQ(found, 0, "and has nothing of others in it");
    CHECK_EQ(dirty, 0, "nor anything at all");
}

/* Replies are structures; what the hypervisor does not fill in must not be what its stack or heap held. Each is asked for
 * into memory of a known pattern, twice: bytes that differ from the pattern and are not the same twice are suspicious,
 * and addresses of the hypervisor's are certain. */
static bool has_hypervisor_address(const void *at, unsigned long size)
{
    const unsigned char *bytes = at;

    for (unsigned long i = 0; i + 8 <= size; i += 4) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        if (word >> 43 == 0xffff808000000000ULL >> 43 && word >> 32 != 0xffffffff)
            return true;
    }
    return false;
}

static void replies(void)
{
    static unsigned char buffer[4096];
    unsigned int leaks = 0;

    check_group("replies");
    for (int command = 0; command < 12; command++) {
        memset(buffer, 0, sizeof(buffer));
        HYPERVISOR_xen_version(command, buffer);
        leaks += command != XENVER_platform_parameters && has_hypervisor_address(buffer, sizeof(buffer));
    }
    memset(buffer, 0, sizeof(buffer));
    HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, buffer);
    leaks += has_hypervisor_address(buffer, sizeof(buffer));
    for (unsigned int command = 0; command < 16; command++) {
        memset(buffer, 0, sizeof(buffer));
        HYPERVISOR_event_channel_op(command == EVTCHNOP_reset ? EVTCHNOP_status : command, buffer);
        leaks += has_hypervisor_address(buffer, sizeof(buffer));
    }
    CHECK_EQ(leaks, 0, "no address of the hypervisor's is in any of them");
}

int main(int argc, char **argv)
{
    vector_registers();
    fresh_vcpu();
    fresh_memory();
    replies();
    return check_summary("state");
}
