#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include "domain.h"
#include "emulate.h"
#include "control/control.h"
#define W __attribute__((weak))
W int assign_page(struct domain *d, mfn_t mfn, bool k) { return -1; }
W int steal_page(struct domain *d, mfn_t mfn, bool k) { return -1; }
W long do_domctl(void) { return -38; }
W long do_sysctl(void) { return -38; }
W long do_platform_op(void) { return -38; }
W long do_memory_op(void) { return -38; }
W long do_get_debugreg(void) { return 0; }
W long do_set_debugreg(void) { return 0; }
W long guest_set_debugreg(struct vcpu *v, unsigned r, u64 x) { return 0; }
W int guest_write_cr(struct vcpu *v, unsigned r, u64 x) { return 0; }
W bool emulate_forced(struct vcpu *v, struct cpu_regs *r) { return false; }
W bool emulate_privileged(struct vcpu *v, struct cpu_regs *r) { return false; }
W bool emulate_page_table_write(struct vcpu *v, struct cpu_regs *r, unsigned long a) { return false; }
W int __popcountdi2(long x) { int n = 0; for (; x; x &= x - 1) n++; return n; }
W void hypercall_page_fill(void *page, bool n) {
    unsigned char *p = page;
    for (int i = 0; i < 128; i++, p += 32) {
        memset(p, 0xcc, 32);
        if (!n) { unsigned char c[] = {0x51,0x41,0x53,0xb8,i,0,0,0,0x0f,0x05,0x41,0x5b,0x59,0xc3};
            if (i == 23) { unsigned char k[] = {0x51,0x41,0x53,0x50,0xb8,23,0,0,0,0x0f,0x05}; memcpy(p,k,sizeof k);} else memcpy(p, c, sizeof c); }
        else { unsigned char c[] = {0xb8,i,0,0,0,0xcd,0x82,0xc3}; 
            if (i == 23) { unsigned char k[] = {0x50,0xb8,23,0,0,0,0xcd,0x82}; memcpy(p,k,sizeof k);} else memcpy(p, c, sizeof c); }
    }
}
W int domain_alloc_frames(struct domain *d, unsigned order, unsigned bits, mfn_t *first);
#include "mm/internal.h"
W int domain_alloc_frames(struct domain *d, unsigned order, unsigned bits, mfn_t *first)
{
    bool dirty;
    if (charge_frames(d, 1UL << order)) return -12;
    *first = heap_take(order, max_frame, FW_ALLOCATED | FW_OWNER(d->id) | 1, &dirty);
    if (first->value == INVALID_FRAME) { uncharge_frames(d, 1UL << order); return -12; }
    note_owned(d, *first, 1UL << order);
    return 0;
}
