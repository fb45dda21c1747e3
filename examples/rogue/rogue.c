/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest that breaks the rules on purpose, one after the other, and prints what it got for each: an error code, an
 * exception, or nothing at all. Every attempt must fail and none may hurt anybody else. The last one is fatal: the
 * guest takes its own exception handlers away and faults, and the hypervisor writes its crash report.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <abi/domctl.h>
#include <abi/sysctl.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/pv.h>
#include <pv/traps.h>

#ifdef __x86_64__
#define HYPERVISOR_ADDRESS 0xffff830000000000UL
#else
#define HYPERVISOR_ADDRESS 0xfc000000UL
#endif

/* What an attempt got: a hypercall's result, unless an exception ended it. */
struct attempt {
    const char *what;
    long (*run)(void);
};

static char *data_page;

/* A machine frame that is not ours. */
static unsigned long foreign_frame(void)
{
    unsigned long mfn = 0x1000;

    while (mfn_to_pfn(mfn) != INVALID_P2M)
        mfn++;
    return mfn;
}

static long set_entry(void *addr, pte_t pte)
{
    return HYPERVISOR_update_va_mapping((unsigned long)addr, pte, UVMF_INVLPG);
}

static long map_foreign_frame(void)
{
    return set_entry(data_page, pte_make(foreign_frame(), PTE_KERNEL_RW));
}

static long map_in_the_name_of_dom0(void)
{
    struct mmu_update update = {
        .ptr = pte_slot(data_page),
        .val = pte_make(foreign_frame(), PTE_KERNEL_RW),
    };
    unsigned int done;

    return HYPERVISOR_mmu_update(&update, 1, &done, 0);
}

static long map_page_table_writable(void)
{
    unsigned long table = (unsigned long)start_info->pt_base;

    return set_entry((void *)table, pte_make(virt_to_mfn((void *)table), PTE_KERNEL_RW));
}

static long pin_data_as_table(void)
{
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L2_TABLE, .arg1.mfn = virt_to_mfn(data_page)};
    unsigned int done;

    memset(data_page, 0xff, PAGE_SIZE);
    return HYPERVISOR_mmuext_op(&pin, 1, &done, DOMID_SELF);
}

static long switch_to_data_as_root(void)
{
    struct mmuext_op base = {.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = virt_to_mfn(data_page)};
    unsigned int done;

    return HYPERVISOR_mmuext_op(&base, 1, &done, DOMID_SELF);
}

static long map_over_the_hypervisor(void)
{
    return set_entry((void *)HYPERVISOR_ADDRESS, pte_make(virt_to_mfn(data_page), PTE_KERNEL_RW));
}

static long write_to_the_hypervisor(void)
{
    *(volatile unsigned long *)HYPERVISOR_ADDRESS = 1;
    return 0;
}

static long write_to_the_m2p(void)
{
    *(volatile unsigned long *)MACH2PHYS_VIRT_START = 1;
    return 0;
}

static long pass_hypervisor_pointer(void)
{
    return HYPERVISOR_xen_version(XENVER_extraversion, (void *)HYPERVISOR_ADDRESS);
}

static long load_hypervisor_selector(void)
{
    __asm__ volatile("mov %0, %%ds" : : "r"(0xe008));
    return 0;
}

static long gdt_from_foreign_frame(void)
{
    unsigned long frames[1] = {foreign_frame()};

    return HYPERVISOR_set_gdt(frames, 512);
}

static long install_call_gate(void)
{
    const uint64_t call_gate = 0x0000ec00e0080000ULL; /* to the hypervisor's code */

    return HYPERVISOR_update_descriptor((uint64_t)virt_to_mfn(data_page) << PAGE_SHIFT, call_gate);
}

static long unknown_hypercall(void)
{
    return pv_hypercall0(63);
}

static long absurd_hypercall(void)
{
    return pv_hypercall0(0x80000000UL);
}

static long list_domains(void)
{
    struct xen_sysctl sysctl = {.cmd = XEN_SYSCTL_getdomaininfolist, .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    return pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&sysctl);
}

static long destroy_dom0(void)
{
    struct xen_domctl domctl = {.cmd = XEN_DOMCTL_destroydomain, .interface_version = XEN_DOMCTL_INTERFACE_VERSION};

    return pv_hypercall1(__HYPERVISOR_domctl, (unsigned long)&domctl);
}

static long bind_a_hardware_interrupt(void)
{
    struct evtchn_bind_pirq bind = {.pirq = 9};

    return HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &bind);
}

static long send_to_nowhere(void)
{
    struct evtchn_send send = {.port = 0x7fffffff};

    return HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
}

static long map_a_grant_nobody_gave(void)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = (unsigned long)data_page,
        .flags = GNTMAP_host_map,
        .ref = 0x0fffffff,
        .dom = 0,
    };
    long rc = HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &map, 1);

    return rc != 0 ? rc : grant_error(map.status);
}

static long free_a_foreign_frame(void)
{
    xen_pfn_t frame = foreign_frame();
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, &frame);
    return HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r) == 0 ? -EPERM : 0;
}

static long talk_to_the_serial_port(void)
{
    __asm__ volatile("outb %%al, %%dx" : : "a"('!'), "d"(0x3f8));
    return 0;
}

static long load_a_gdt_directly(void)
{
    struct {
        unsigned short limit;
        unsigned long base;
    } __attribute__((packed)) table = {0, 0};

    __asm__ volatile("lgdt %0" : : "m"(table));
    return 0;
}

static long halt_the_machine(void)
{
    __asm__ volatile("cli\n\thlt");
    return 0;
}

static const struct attempt attempts[] = {
    {"map a frame that belongs to somebody else", map_foreign_frame},
    {"map a frame in the name of dom0", map_in_the_name_of_dom0},
    {"map a page table writable", map_page_table_writable},
    {"use a page of ones as a page directory", pin_data_as_table},
    {"use it as the root of the address space", switch_to_data_as_root},
    {"map a page over the hypervisor", map_over_the_hypervisor},
    {"write to the hypervisor's memory", write_to_the_hypervisor},
    {"write to the machine-to-physical table", write_to_the_m2p},
    {"let a hypercall write to the hypervisor's memory", pass_hypervisor_pointer},
    {"load the hypervisor's code selector", load_hypervisor_selector},
    {"take a descriptor table from a foreign frame", gdt_from_foreign_frame},
    {"install a call gate", install_call_gate},
    {"call hypercall 63", unknown_hypercall},
    {"call hypercall 0x80000000", absurd_hypercall},
    {"list all domains", list_domains},
    {"destroy dom0", destroy_dom0},
    {"bind an interrupt of the hardware", bind_a_hardware_interrupt},
    {"send to an event channel far out of range", send_to_nowhere},
    {"map a grant that nobody gave", map_a_grant_nobody_gave},
    {"free a frame of somebody else", free_a_foreign_frame},
    {"write to the serial port", talk_to_the_serial_port},
    {"load a descriptor table directly", load_a_gdt_directly},
    {"stop the processor", halt_the_machine},
};

struct outcome {
    const struct attempt *attempt;
    long rc;
};

static void run(void *arg)
{
    struct outcome *outcome = arg;

    outcome->rc = outcome->attempt->run();
}

static const char *error_name(int error)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {{EPERM, "EPERM"},   {ESRCH, "ESRCH"},   {EFAULT, "EFAULT"}, {EBUSY, "EBUSY"},
                 {EINVAL, "EINVAL"}, {ENOSYS, "ENOSYS"}, {ENOENT, "ENOENT"}};

    for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].number == error)
            return names[i].name;
    }
    return strerror(error);
}

static bool try_one(unsigned int number, const struct attempt *attempt)
{
    struct outcome outcome = {.attempt = attempt};
    struct fault fault;
    bool survived;

    printf("rogue: %2u. %s: ", number, attempt->what);
    fflush(stdout);
    survived = fault_catch(run, &outcome, &fault);
    if (!survived)
        printf("exception %u, error code %lx\n", fault.vector, fault.error);
    else if (outcome.rc < 0)
        printf("refused, %s\n", error_name((int)-pv_error(outcome.rc)));
    else
        printf("SUCCEEDED\n");
    return !survived || outcome.rc < 0;
}

int main(int argc, char **argv)
{
    unsigned int count = sizeof(attempts) / sizeof(attempts[0]), succeeded = 0;

    data_page = pages_alloc(1);
    printf("rogue: dom%u, a %u-bit guest, tries %u things it must not do\n", pv_domid(), (unsigned int)sizeof(long) * 8,
           count);
    for (unsigned int i = 0; i < count; i++)
        succeeded += !try_one(i + 1, &attempts[i]);
    printf("rogue: %u of %u succeeded\n", succeeded, count);
    if (pv_is_dom0())
        return 0;
    printf("rogue: now a fault without a handler; the hypervisor has the last word\n");
    fflush(stdout);
    HYPERVISOR_set_trap_table(NULL);
    __asm__ volatile("ud2");
    return 0;
}
