/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The records' names, as messages show them.
 */
#include "stream.h"

static const char *const names[STREAM_RECORD_TYPES] = {
    [STREAM_END] = "END",
    [STREAM_PAGE_DATA] = "PAGE_DATA",
    [STREAM_PV_INFO] = "X86_PV_INFO",
    [STREAM_PV_P2M_FRAMES] = "X86_PV_P2M_FRAMES",
    [STREAM_PV_VCPU_BASIC] = "X86_PV_VCPU_BASIC",
    [STREAM_PV_VCPU_EXTENDED] = "X86_PV_VCPU_EXTENDED",
    [STREAM_PV_VCPU_XSAVE] = "X86_PV_VCPU_XSAVE",
    [STREAM_SHARED_INFO] = "SHARED_INFO",
    [STREAM_TSC_INFO] = "X86_TSC_INFO",
    [STREAM_HVM_CONTEXT] = "HVM_CONTEXT",
    [STREAM_HVM_PARAMS] = "HVM_PARAMS",
    [STREAM_TOOLSTACK] = "TOOLSTACK",
    [STREAM_PV_VCPU_MSRS] = "X86_PV_VCPU_MSRS",
    [STREAM_VERIFY] = "VERIFY",
    [STREAM_CHECKPOINT] = "CHECKPOINT",
    [STREAM_CHECKPOINT_DIRTY_PFN_LIST] = "CHECKPOINT_DIRTY_PFN_LIST",
    [STREAM_STATIC_DATA_END] = "STATIC_DATA_END",
    [STREAM_CPUID_POLICY] = "X86_CPUID_POLICY",
    [STREAM_MSR_POLICY] = "X86_MSR_POLICY",
};

const char *stream_record_name(uint32_t type)
{
    return type < STREAM_RECORD_TYPES ? names[type] : "unknown";
}
