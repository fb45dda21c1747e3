/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A 32-bit vCPU context that is widened and narrowed again is what it was, byte for byte; and contexts on their way from
 * and to guest memory have the domain's shape and leave nothing behind.
 */
#include <stdlib.h>
#include <stddef.h>
#include "domain.h"
#include "domain/lifecycle.h"
#include "tests/unit/run_suite.h"

static void randomise(void *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((u8 *)p)[i] = (u8)rand();
}

START_TEST(there_and_back)
{
    static struct compat_vcpu_guest_context narrow, again;
    static struct vcpu_guest_context wide;

    srand((unsigned)_i + 1);
    randomise(&narrow, sizeof(narrow));
    /* Selectors are 16 bits wide, padding carries nothing, vectors are kept. */
    narrow.event_callback_cs &= 0xFFFF;
    narrow.failsafe_callback_cs &= 0xFFFF;
    narrow.user_regs._pad0 = 0;
    narrow.user_regs._pad1 = narrow.user_regs._pad2 = narrow.user_regs._pad3 = 0;
    narrow.user_regs._pad4 = narrow.user_regs._pad5 = 0;
    randomise(&wide, sizeof(wide));
    widen_vcpu_context(&wide, &narrow);
    randomise(&again, sizeof(again));
    narrow_vcpu_context(&again, &wide);
    ck_assert_mem_eq(&narrow, &again, sizeof(narrow));
}
END_TEST

START_TEST(what_32_bits_do_not_have_is_zero)
{
    static struct compat_vcpu_guest_context narrow;
    static struct vcpu_guest_context wide;

    memset(&narrow, 0xFF, sizeof(narrow));
    memset(&wide, 0xFF, sizeof(wide));
    widen_vcpu_context(&wide, &narrow);
    ck_assert_uint_eq(wide.user_regs.r8 | wide.user_regs.r15, 0);
    ck_assert_uint_eq(wide.fs_base | wide.gs_base_kernel | wide.gs_base_user, 0);
    ck_assert_uint_eq(wide.user_regs.rip, 0xFFFFFFFF);
    ck_assert_uint_eq(wide.ctrlreg[3], 0xFFFFFFFF);
    ck_assert_uint_eq(wide.syscall_callback_eip, 0x0000FFFF0000FFFF);
}
END_TEST

static struct {
    bool no_memory, unreadable;
    unsigned held, copied;
    int set_result;
    u64 set_rip, get_rip;
} f;
static unsigned long memory[2 * PAGE_SIZE / sizeof(long)], guest[2 * PAGE_SIZE / sizeof(long)];

int copy_from_guest(void *to, unsigned long from, size_t size)
{
    if (f.unreadable)
        return -EFAULT;
    f.copied = (unsigned)size;
    memcpy(to, (const void *)from, size);
    return 0;
}

int copy_to_guest(unsigned long to, const void *from, size_t size)
{
    if (f.unreadable)
        return -EFAULT;
    f.copied = (unsigned)size;
    memcpy((void *)to, from, size);
    return 0;
}

void *hv_alloc_pages(unsigned order)
{
    ck_assert_uint_eq(order, 1);
    f.held += !f.no_memory;
    return f.no_memory ? NULL : memory;
}

void hv_free_pages(void *p, unsigned order)
{
    ck_assert_ptr_eq(p, memory);
    f.held--;
}

int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *context)
{
    f.set_rip = context->user_regs.rip;
    return f.set_result;
}

void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *context)
{
    memset(context, 0, sizeof(*context));
    context->user_regs.rip = f.get_rip;
}

static struct vcpu *vcpu_of(bool is_32bit)
{
    static struct domain d;
    static struct vcpu v;

    memset(&f, 0, sizeof(f));
    memset(memory, 0xAA, sizeof(memory)); /* somebody else had it before */
    memset(guest, 0, sizeof(guest));
    d.is_32bit = is_32bit;
    v = (struct vcpu){.domain = &d};
    return &v;
}

/* A 64-bit dom0 that starts a 32-bit guest hands over the guest's shape, not its own. */
START_TEST(the_shape_is_that_of_the_domain)
{
    struct vcpu *v = vcpu_of(_i);

    if (_i)
        ((struct compat_vcpu_guest_context *)guest)->user_regs.eip = 0x12345678;
    else
        ((struct vcpu_guest_context *)guest)->user_regs.rip = 0x12345678;
    ck_assert_int_eq(vcpu_load_context(v, (unsigned long)guest, false), 0);
    ck_assert_uint_eq(f.set_rip, 0x12345678);
    ck_assert_uint_eq(f.copied, _i ? sizeof(struct compat_vcpu_guest_context) : sizeof(struct vcpu_guest_context));

    v = vcpu_of(_i);
    f.get_rip = 0x87654321;
    ck_assert_int_eq(vcpu_store_context(v, (unsigned long)guest), 0);
    ck_assert_uint_eq(f.copied, _i ? sizeof(struct compat_vcpu_guest_context) : sizeof(struct vcpu_guest_context));
    if (_i)
        ck_assert_uint_eq(((struct compat_vcpu_guest_context *)guest)->user_regs.eip, 0x87654321);
    else
        ck_assert_uint_eq(((struct vcpu_guest_context *)guest)->user_regs.rip, 0x87654321);
    for (size_t i = f.copied; i < sizeof(guest); i++) /* a byte more would be of our memory */
        ck_assert_uint_eq(((u8 *)guest)[i], 0);
}
END_TEST

/* Whatever fails, the buffer goes back, and nothing is set from a context that was not read. */
START_TEST(failures_keep_no_memory)
{
    struct vcpu *v = vcpu_of(_i);

    f.no_memory = true;
    ck_assert_int_eq(vcpu_load_context(v, (unsigned long)guest, false), -ENOMEM);
    ck_assert_int_eq(vcpu_store_context(v, (unsigned long)guest), -ENOMEM);
    v = vcpu_of(_i);
    f.unreadable = true;
    f.set_rip = 7;
    ck_assert_int_eq(vcpu_load_context(v, (unsigned long)guest, false), -EFAULT);
    ck_assert_uint_eq(f.set_rip, 7);
    ck_assert_int_eq(vcpu_store_context(v, (unsigned long)guest), -EFAULT);
    f.unreadable = false;
    f.set_result = -EINVAL;
    ck_assert_int_eq(vcpu_load_context(v, (unsigned long)guest, true), -EINVAL);
    ck_assert_uint_eq(f.held, 0);
}
END_TEST

/* A guest that initialises a vCPU twice would change one that runs. */
START_TEST(a_vcpu_starts_once)
{
    struct vcpu *v = vcpu_of(_i);

    v->initialised = true;
    f.set_rip = 7;
    ck_assert_int_eq(vcpu_load_context(v, (unsigned long)guest, true), -EEXIST);
    ck_assert_uint_eq(f.set_rip, 7);
    ck_assert_int_eq(vcpu_load_context(v, (unsigned long)guest, false), 0);
    ck_assert_uint_eq(f.held, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("context width");
    TCase *tc = tcase_create("width");

    tcase_add_loop_test(tc, there_and_back, 0, 20);
    tcase_add_test(tc, what_32_bits_do_not_have_is_zero);
    tcase_add_loop_test(tc, the_shape_is_that_of_the_domain, 0, 2);
    tcase_add_loop_test(tc, failures_keep_no_memory, 0, 2);
    tcase_add_loop_test(tc, a_vcpu_starts_once, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
