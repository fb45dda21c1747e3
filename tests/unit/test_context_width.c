/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A 32-bit vCPU context that is widened and narrowed again is what it was, byte for byte.
 */
#include <stdlib.h>
#include <stddef.h>
#include "domain.h"

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

/* The test is about layouts: the rest of that file is not called. */
int copy_from_guest(void *to, unsigned long from, size_t size)
{
    return -EFAULT;
}

int copy_to_guest(unsigned long to, const void *from, size_t size)
{
    return -EFAULT;
}

void *hv_alloc_pages(unsigned order)
{
    return NULL;
}

void hv_free_pages(void *p, unsigned order)
{
}

int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *context)
{
    return -EINVAL;
}

void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *context)
{
}

int main(void)
{
    Suite *suite = suite_create("context width");
    TCase *tc = tcase_create("width");
    SRunner *runner;

    tcase_add_loop_test(tc, there_and_back, 0, 20);
    tcase_add_test(tc, what_32_bits_do_not_have_is_zero);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
