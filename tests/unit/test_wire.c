/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The builder's own layouts of what it hands to a new domain, against the contract's: the 64-bit ones against the
 * structures as this width compiles them, the 32-bit ones against the sizes and offsets that a 32-bit guest sees.
 */
#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#include <abi/xen.h>
#include "dom0-tools/builder/wire.h"
#include "tests/unit/run_suite.h"

#define SAME(ours, our_field, theirs, their_field)                                                                     \
    ck_assert_uint_eq(offsetof(struct ours, our_field), offsetof(struct theirs, their_field))

START_TEST(start_info_of_64_bits)
{
    SAME(start_info_64, nr_pages, start_info, nr_pages);
    SAME(start_info_64, shared_info, start_info, shared_info);
    SAME(start_info_64, flags, start_info, flags);
    SAME(start_info_64, store_mfn, start_info, store_mfn);
    SAME(start_info_64, store_evtchn, start_info, store_evtchn);
    SAME(start_info_64, console_frame, start_info, console.domU.mfn);
    SAME(start_info_64, console_port, start_info, console.domU.evtchn);
    SAME(start_info_64, pt_base, start_info, pt_base);
    SAME(start_info_64, nr_pt_frames, start_info, nr_pt_frames);
    SAME(start_info_64, mfn_list, start_info, mfn_list);
    SAME(start_info_64, mod_start, start_info, mod_start);
    SAME(start_info_64, mod_len, start_info, mod_len);
    SAME(start_info_64, cmd_line, start_info, cmd_line);
    SAME(start_info_64, first_p2m_pfn, start_info, first_p2m_pfn);
    SAME(start_info_64, nr_p2m_frames, start_info, nr_p2m_frames);
    ck_assert_uint_eq(sizeof(struct start_info_64), sizeof(struct start_info));
}
END_TEST

START_TEST(context_of_64_bits)
{
    SAME(vcpu_guest_context_64, flags, vcpu_guest_context, flags);
    SAME(vcpu_guest_context_64, user_regs.rsi, vcpu_guest_context, user_regs.rsi);
    SAME(vcpu_guest_context_64, user_regs.rip, vcpu_guest_context, user_regs.rip);
    SAME(vcpu_guest_context_64, user_regs.cs, vcpu_guest_context, user_regs.cs);
    SAME(vcpu_guest_context_64, user_regs.rflags, vcpu_guest_context, user_regs.rflags);
    SAME(vcpu_guest_context_64, user_regs.rsp, vcpu_guest_context, user_regs.rsp);
    SAME(vcpu_guest_context_64, user_regs.ss, vcpu_guest_context, user_regs.ss);
    SAME(vcpu_guest_context_64, user_regs.gs, vcpu_guest_context, user_regs.gs);
    SAME(vcpu_guest_context_64, trap_ctxt, vcpu_guest_context, trap_ctxt);
    SAME(vcpu_guest_context_64, gdt_frames, vcpu_guest_context, gdt_frames);
    SAME(vcpu_guest_context_64, kernel_ss, vcpu_guest_context, kernel_ss);
    SAME(vcpu_guest_context_64, kernel_sp, vcpu_guest_context, kernel_sp);
    SAME(vcpu_guest_context_64, ctrlreg, vcpu_guest_context, ctrlreg);
    SAME(vcpu_guest_context_64, vm_assist, vcpu_guest_context, vm_assist);
    SAME(vcpu_guest_context_64, gs_base_user, vcpu_guest_context, gs_base_user);
    ck_assert_uint_eq(sizeof(struct vcpu_guest_context_64), sizeof(struct vcpu_guest_context));
}
END_TEST

START_TEST(layouts_of_32_bits)
{
    ck_assert_uint_eq(offsetof(struct start_info_32, flags), 40);
    ck_assert_uint_eq(offsetof(struct start_info_32, console_frame), 52);
    ck_assert_uint_eq(offsetof(struct start_info_32, cmd_line), 80);
    ck_assert_uint_eq(sizeof(struct start_info_32), 1112);
    ck_assert_uint_eq(sizeof(struct cpu_user_regs_32), 68);
    ck_assert_uint_eq(offsetof(struct vcpu_guest_context_32, user_regs), 516);
    ck_assert_uint_eq(offsetof(struct vcpu_guest_context_32, trap_ctxt), 584);
    ck_assert_uint_eq(offsetof(struct vcpu_guest_context_32, gdt_frames), 2640);
    ck_assert_uint_eq(offsetof(struct vcpu_guest_context_32, ctrlreg), 2716);
    ck_assert_uint_eq(sizeof(struct vcpu_guest_context_32), 2800);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tests = tcase_create("all");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, start_info_of_64_bits);
    tcase_add_test(tests, context_of_64_bits);
    tcase_add_test(tests, layouts_of_32_bits);
    return run_suite(suite);
}
