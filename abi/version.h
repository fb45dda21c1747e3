/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Operations of xen_version and what they fill in. Source of the facts: version.h.
 */
#ifndef PARAVANE_ABI_VERSION_H
#define PARAVANE_ABI_VERSION_H

#include "xen.h"
#include "features.h"

#define XENVER_version             0  /* no argument; returns major << 16 | minor */
#define XENVER_extraversion        1  /* xen_extraversion_t */
#define XENVER_compile_info        2  /* struct xen_compile_info */
#define XENVER_capabilities        3  /* xen_capabilities_info_t */
#define XENVER_changeset           4  /* xen_changeset_info_t */
#define XENVER_platform_parameters 5  /* struct xen_platform_parameters */
#define XENVER_get_features        6  /* struct xen_feature_info */
#define XENVER_pagesize            7  /* no argument; returns bytes */
#define XENVER_guest_handle        8  /* xen_domain_handle_t */
#define XENVER_commandline         9  /* xen_commandline_t */
#define XENVER_build_id            10 /* struct xen_build_id; with a null argument returns the length */

/* Strings end with a zero byte inside their array. */
typedef char xen_extraversion_t[16];
typedef char xen_capabilities_info_t[1024]; /* names joined by spaces: "xen-3.0-x86_64 xen-3.0-x86_32p" */
typedef char xen_changeset_info_t[64];
typedef char xen_commandline_t[1024];
#define XEN_EXTRAVERSION_LEN      (sizeof(xen_extraversion_t))
#define XEN_CAPABILITIES_INFO_LEN (sizeof(xen_capabilities_info_t))
#define XEN_CHANGESET_INFO_LEN    (sizeof(xen_changeset_info_t))

struct xen_compile_info {
    char compiler[64];
    char compile_by[16];
    char compile_domain[32];
    char compile_date[32];
};
typedef struct xen_compile_info xen_compile_info_t;

struct xen_platform_parameters {
    xen_ulong_t virt_start; /* start of the hypervisor's hole in the caller's address space */
};
typedef struct xen_platform_parameters xen_platform_parameters_t;

struct xen_feature_info {
    unsigned int submap_idx; /* in: which word */
    uint32_t submap;         /* out: bit n is feature 32 * submap_idx + n */
};
typedef struct xen_feature_info xen_feature_info_t;

struct xen_build_id {
    uint32_t len; /* in: room in buf */
    unsigned char buf[XEN_FLEX_ARRAY_DIM];
};
typedef struct xen_build_id xen_build_id_t;

#endif
