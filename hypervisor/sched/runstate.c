/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a guest is told of its time by state: the answer to VCPUOP_get_runstate_info, and the area in its own memory
 * that is rewritten whenever it gets a CPU.
 */
#include "sched/runstate.h"
#include "guest_access.h"

u64 vcpu_run_time(struct vcpu *v)
{
    struct vcpu_runstate_info info;

    runstate_get(v, &info);
    return info.time[RUNSTATE_running];
}

/* The i386 layout is packed differently, so the flag's byte lies elsewhere. An area that cannot be written is the
 * guest's own loss. */
static void write_area(unsigned long area, void *info, size_t size, size_t entry_time_offset, bool flag)
{
    u8 *top = (u8 *)info + entry_time_offset + 7;
    int rc = 0;

    if (flag) {
        *top |= XEN_RUNSTATE_UPDATE >> 56;
        rc = copy_to_guest(area + entry_time_offset + 7, top, 1);
        barrier();
    }
    if (!rc)
        rc = copy_to_guest(area, info, size);
    if (flag && !rc) {
        barrier();
        *top &= (u8) ~(XEN_RUNSTATE_UPDATE >> 56);
        rc = copy_to_guest(area + entry_time_offset + 7, top, 1);
    }
}

static void write_by_width(struct vcpu *v)
{
    struct vcpu_runstate_info info = v->sched.runstate;
    struct compat_vcpu_runstate_info compat;
    unsigned long area = v->sched.runstate_area;
    bool flag = v->domain->vm_assist & 1U << VMASST_TYPE_runstate_update_flag;

    if (!v->is_32bit) {
        write_area(area, &info, sizeof(info), offsetof(struct vcpu_runstate_info, state_entry_time), flag);
        return;
    }
    compat.state = info.state;
    compat.state_entry_time = info.state_entry_time;
    memcpy(compat.time, info.time, sizeof(compat.time));
    write_area(area, &compat, sizeof(compat), offsetof(struct compat_vcpu_runstate_info, state_entry_time), flag);
}

/* v is current and its address space loaded. */
void update_runstate_area(struct vcpu *v)
{
    bool borrowed;

    if (!v->sched.runstate_area)
        return;
    borrowed = borrow_kernel_table(v);
    write_by_width(v);
    return_kernel_table(v, borrowed);
}
