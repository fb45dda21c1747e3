/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * sysctl: what the control domain asks of the whole machine. The same layout in both widths, except the one handle
 * of page_offline_op. Version 0x15; another version is answered -EACCES. Source of the facts: sysctl.h.
 */
#ifndef PARAVANE_ABI_SYSCTL_H
#define PARAVANE_ABI_SYSCTL_H

#include "xen.h"
#include "domctl.h"
#include "physdev.h"

#define XEN_SYSCTL_INTERFACE_VERSION      0x00000015

#define XEN_SYSCTL_readconsole            1
#define XEN_SYSCTL_tbuf_op                2
#define XEN_SYSCTL_physinfo               3
#define XEN_SYSCTL_sched_id               4
#define XEN_SYSCTL_perfc_op               5
#define XEN_SYSCTL_getdomaininfolist      6
#define XEN_SYSCTL_debug_keys             7
#define XEN_SYSCTL_getcpuinfo             8
#define XEN_SYSCTL_availheap              9
#define XEN_SYSCTL_get_pmstat             10
#define XEN_SYSCTL_cpu_hotplug            11
#define XEN_SYSCTL_pm_op                  12
#define XEN_SYSCTL_page_offline_op        14
#define XEN_SYSCTL_lockprof_op            15
#define XEN_SYSCTL_cputopoinfo            16
#define XEN_SYSCTL_numainfo               17
#define XEN_SYSCTL_cpupool_op             18
#define XEN_SYSCTL_scheduler_op           19
#define XEN_SYSCTL_coverage_op            20
#define XEN_SYSCTL_psr_cmt_op             21
#define XEN_SYSCTL_pcitopoinfo            22
#define XEN_SYSCTL_psr_alloc              23
#define XEN_SYSCTL_get_cpu_levelling_caps 25
#define XEN_SYSCTL_get_cpu_featureset     26
#define XEN_SYSCTL_livepatch_op           27
#define XEN_SYSCTL_get_cpu_policy         29

/* The console ring. incremental: start at index and report the next one, else start with the oldest byte. */
struct xen_sysctl_readconsole {
    uint8_t clear;
    uint8_t incremental;
    uint8_t pad0, pad1;
    uint32_t index; /* in and out */
    XEN_GUEST_HANDLE_64(char) buffer;
    uint32_t count; /* in: room; out: bytes */
};

#define XEN_SYSCTL_TBUFOP_get_info     0
#define XEN_SYSCTL_TBUFOP_set_cpu_mask 1
#define XEN_SYSCTL_TBUFOP_set_evt_mask 2
#define XEN_SYSCTL_TBUFOP_set_size     3
#define XEN_SYSCTL_TBUFOP_enable       4
#define XEN_SYSCTL_TBUFOP_disable      5
struct xen_sysctl_tbuf_op {
    uint32_t cmd;
    struct xenctl_bitmap cpu_mask;
    uint32_t evt_mask;
    uint64_aligned_t buffer_mfn; /* out */
    uint32_t size;               /* out: bytes; for set_size in: pages */
};

#define _XEN_SYSCTL_PHYSCAP_hvm                0
#define XEN_SYSCTL_PHYSCAP_hvm                 (1u << _XEN_SYSCTL_PHYSCAP_hvm)
#define _XEN_SYSCTL_PHYSCAP_pv                 1
#define XEN_SYSCTL_PHYSCAP_pv                  (1u << _XEN_SYSCTL_PHYSCAP_pv)
#define _XEN_SYSCTL_PHYSCAP_directio           2
#define XEN_SYSCTL_PHYSCAP_directio            (1u << _XEN_SYSCTL_PHYSCAP_directio)
#define _XEN_SYSCTL_PHYSCAP_hap                3
#define XEN_SYSCTL_PHYSCAP_hap                 (1u << _XEN_SYSCTL_PHYSCAP_hap)
#define _XEN_SYSCTL_PHYSCAP_shadow             4
#define XEN_SYSCTL_PHYSCAP_shadow              (1u << _XEN_SYSCTL_PHYSCAP_shadow)
#define _XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share 5
#define XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share  (1u << _XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share)
#define XEN_SYSCTL_PHYSCAP_vmtrace             (1u << 6)
#define XEN_SYSCTL_PHYSCAP_vpmu                (1u << 7)
#define XEN_SYSCTL_PHYSCAP_gnttab_v1           (1u << 8)
#define XEN_SYSCTL_PHYSCAP_gnttab_v2           (1u << 9)
#define XEN_SYSCTL_PHYSCAP_MAX                 XEN_SYSCTL_PHYSCAP_gnttab_v2

/* All out. Pages of 4 KiB. hw_cap: CPUID 1.edx, 1.ecx, 80000001.edx, 80000001.ecx, d(1).eax, 7.ebx, ... */
struct xen_sysctl_physinfo {
    uint32_t threads_per_core;
    uint32_t cores_per_socket;
    uint32_t nr_cpus;
    uint32_t max_cpu_id;
    uint32_t nr_nodes;
    uint32_t max_node_id;
    uint32_t cpu_khz;
    uint32_t capabilities; /* XEN_SYSCTL_PHYSCAP_* */
    uint32_t arch_capabilities;
    uint32_t pad;
    uint64_aligned_t total_pages;
    uint64_aligned_t free_pages;
    uint64_aligned_t scrub_pages;
    uint64_aligned_t outstanding_pages;
    uint64_aligned_t max_mfn;
    uint32_t hw_cap[8];
};

struct xen_sysctl_sched_id {
    uint32_t sched_id; /* out: XEN_SCHEDULER_* */
};

#define XEN_SYSCTL_PERFCOP_reset 1
#define XEN_SYSCTL_PERFCOP_query 2
struct xen_sysctl_perfc_desc {
    char name[80];
    uint32_t nr_vals;
};
typedef struct xen_sysctl_perfc_desc xen_sysctl_perfc_desc_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_perfc_desc_t);
typedef uint32_t xen_sysctl_perfc_val_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_perfc_val_t);
struct xen_sysctl_perfc_op {
    uint32_t cmd;
    uint32_t nr_counters; /* out */
    uint32_t nr_vals;     /* out */
    XEN_GUEST_HANDLE_64(xen_sysctl_perfc_desc_t) desc;
    XEN_GUEST_HANDLE_64(xen_sysctl_perfc_val_t) val;
};

struct xen_sysctl_getdomaininfolist {
    domid_t first_domain;
    uint32_t max_domains;
    XEN_GUEST_HANDLE_64(xen_domctl_getdomaininfo_t) buffer;
    uint32_t num_domains; /* out */
};

struct xen_sysctl_debug_keys {
    XEN_GUEST_HANDLE_64(const_char) keys;
    uint32_t nr_keys;
};

struct xen_sysctl_cpuinfo {
    uint64_aligned_t idletime; /* ns */
};
typedef struct xen_sysctl_cpuinfo xen_sysctl_cpuinfo_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_cpuinfo_t);
struct xen_sysctl_getcpuinfo {
    uint32_t max_cpus;
    XEN_GUEST_HANDLE_64(xen_sysctl_cpuinfo_t) info;
    uint32_t nr_cpus; /* out */
};

/* Free memory whose machine addresses have that many bits; 0: any. node -1: all. */
struct xen_sysctl_availheap {
    uint32_t min_bitwidth;
    uint32_t max_bitwidth;
    int32_t node;
    uint64_aligned_t avail_bytes; /* out */
};

/* Frequency and idle states. */
#define PMSTAT_CATEGORY_MASK 0xf0
#define PMSTAT_PX            0x10
#define PMSTAT_CX            0x20
#define PMSTAT_get_max_px    (PMSTAT_PX | 0x1)
#define PMSTAT_get_pxstat    (PMSTAT_PX | 0x2)
#define PMSTAT_reset_pxstat  (PMSTAT_PX | 0x3)
#define PMSTAT_get_max_cx    (PMSTAT_CX | 0x1)
#define PMSTAT_get_cxstat    (PMSTAT_CX | 0x2)
#define PMSTAT_reset_cxstat  (PMSTAT_CX | 0x3)
struct pm_px_val {
    uint64_aligned_t freq;      /* MHz */
    uint64_aligned_t residency; /* ns */
    uint64_aligned_t count;
};
typedef struct pm_px_val pm_px_val_t;
DEFINE_XEN_GUEST_HANDLE(pm_px_val_t);
struct pm_px_stat {
    uint8_t total;
    uint8_t usable;
    uint8_t last;
    uint8_t cur;
    XEN_GUEST_HANDLE_64(uint64) trans_pt;
    XEN_GUEST_HANDLE_64(pm_px_val_t) pt;
};
struct pm_cx_stat {
    uint32_t nr;
    uint32_t last;
    uint64_aligned_t idle_time; /* ns */
    XEN_GUEST_HANDLE_64(uint64) triggers;
    XEN_GUEST_HANDLE_64(uint64) residencies;
    uint32_t nr_pc;
    uint32_t nr_cc;
    XEN_GUEST_HANDLE_64(uint64) pc;
    XEN_GUEST_HANDLE_64(uint64) cc;
};
struct xen_sysctl_get_pmstat {
    uint32_t type; /* PMSTAT_* */
    uint32_t cpuid;
    union {
        struct pm_px_stat getpx;
        struct pm_cx_stat getcx;
    } u;
};

#define XEN_SYSCTL_CPU_HOTPLUG_ONLINE      0
#define XEN_SYSCTL_CPU_HOTPLUG_OFFLINE     1
#define XEN_SYSCTL_CPU_HOTPLUG_SMT_ENABLE  2
#define XEN_SYSCTL_CPU_HOTPLUG_SMT_DISABLE 3
struct xen_sysctl_cpu_hotplug {
    uint32_t cpu;
    uint32_t op;
};

#define CPUFREQ_NAME_LEN 16
struct xen_userspace {
    uint32_t scaling_setspeed;
};
struct xen_ondemand {
    uint32_t sampling_rate_max;
    uint32_t sampling_rate_min;
    uint32_t sampling_rate;
    uint32_t up_threshold;
};
struct xen_get_cpufreq_para {
    uint32_t cpu_num;
    uint32_t freq_num;
    uint32_t gov_num;
    XEN_GUEST_HANDLE_64(uint32) affected_cpus;
    XEN_GUEST_HANDLE_64(uint32) scaling_available_frequencies;
    XEN_GUEST_HANDLE_64(char) scaling_available_governors;
    char scaling_driver[CPUFREQ_NAME_LEN];
    uint32_t cpuinfo_cur_freq;
    uint32_t cpuinfo_max_freq;
    uint32_t cpuinfo_min_freq;
    uint32_t scaling_cur_freq;
    char scaling_governor[CPUFREQ_NAME_LEN];
    uint32_t scaling_max_freq;
    uint32_t scaling_min_freq;
    union {
        struct xen_userspace userspace;
        struct xen_ondemand ondemand;
    } u;
    int32_t turbo_enabled;
};
struct xen_set_cpufreq_gov {
    char scaling_governor[CPUFREQ_NAME_LEN];
};
#define SCALING_MAX_FREQ 1
#define SCALING_MIN_FREQ 2
#define SCALING_SETSPEED 3
#define SAMPLING_RATE    4
#define UP_THRESHOLD     5
struct xen_set_cpufreq_para {
    uint32_t ctrl_type;
    uint32_t ctrl_value;
};
#define PM_PARA_CATEGORY_MASK                     0xf0
#define CPUFREQ_PARA                              0x10
#define GET_CPUFREQ_PARA                          (CPUFREQ_PARA | 0x01)
#define SET_CPUFREQ_GOV                           (CPUFREQ_PARA | 0x02)
#define SET_CPUFREQ_PARA                          (CPUFREQ_PARA | 0x03)
#define GET_CPUFREQ_AVGFREQ                       (CPUFREQ_PARA | 0x04)
#define XEN_SYSCTL_pm_op_set_sched_opt_smt        0x21
#define XEN_SYSCTL_pm_op_get_max_cstate           0x22
#define XEN_SYSCTL_pm_op_set_max_cstate           0x23
#define XEN_SYSCTL_pm_op_set_vcpu_migration_delay 0x24
#define XEN_SYSCTL_pm_op_get_vcpu_migration_delay 0x25
#define XEN_SYSCTL_pm_op_enable_turbo             0x26
#define XEN_SYSCTL_pm_op_disable_turbo            0x27
#define XEN_SYSCTL_CX_UNLIMITED                   0xffffffff
struct xen_sysctl_pm_op {
    uint32_t cmd;
    uint32_t cpuid;
    union {
        struct xen_get_cpufreq_para get_para;
        struct xen_set_cpufreq_gov set_gov;
        struct xen_set_cpufreq_para set_para;
        uint64_aligned_t get_avgfreq;
        uint32_t set_sched_opt_smt;
        uint32_t get_max_cstate;
        uint32_t set_max_cstate;
    } u;
};

#define sysctl_page_offline       1
#define sysctl_page_online        2
#define sysctl_query_page_offline 3
struct xen_sysctl_page_offline_op {
    uint32_t cmd;
    uint32_t start; /* machine frames, end included */
    uint32_t end;
    XEN_GUEST_HANDLE(uint32) status; /* out: PG_* for each */
};
#define PG_OFFLINE_STATUS_MASK            (0xFFUL)
#define PG_OFFLINE_INVALID                (0x1UL << 0)
#define PG_OFFLINE_OFFLINED               (0x1UL << 1)
#define PG_OFFLINE_PENDING                (0x1UL << 2)
#define PG_OFFLINE_FAILED                 (0x1UL << 3)
#define PG_OFFLINE_AGAIN                  (0x1UL << 4)
#define PG_ONLINE_FAILED                  PG_OFFLINE_FAILED
#define PG_ONLINE_ONLINED                 PG_OFFLINE_OFFLINED
#define PG_OFFLINE_STATUS_OFFLINED        (0x1UL << 1)
#define PG_OFFLINE_STATUS_ONLINE          (0x1UL << 2)
#define PG_OFFLINE_STATUS_OFFLINE_PENDING (0x1UL << 3)
#define PG_OFFLINE_STATUS_BROKEN          (0x1UL << 4)
#define PG_OFFLINE_MISC_MASK              (0xFFUL << 4)
#define PG_OFFLINE_XENPAGE                (0x1UL << 8)
#define PG_OFFLINE_DOM0PAGE               (0x1UL << 9)
#define PG_OFFLINE_ANONYMOUS              (0x1UL << 10)
#define PG_OFFLINE_NOT_CONV_RAM           (0x1UL << 11)
#define PG_OFFLINE_OWNED                  (0x1UL << 12)
#define PG_OFFLINE_BROKEN                 (0x1UL << 13)
#define PG_ONLINE_BROKEN                  PG_OFFLINE_BROKEN
#define PG_OFFLINE_OWNER_SHIFT            16

#define XEN_SYSCTL_LOCKPROF_reset         1
#define XEN_SYSCTL_LOCKPROF_query         2
#define LOCKPROF_TYPE_GLOBAL              0
#define LOCKPROF_TYPE_PERDOM              1
#define LOCKPROF_TYPE_N                   2
struct xen_sysctl_lockprof_data {
    char name[40];
    int32_t type;
    int32_t idx;
    uint64_aligned_t lock_cnt;
    uint64_aligned_t block_cnt;
    uint64_aligned_t lock_time;  /* ns */
    uint64_aligned_t block_time; /* ns */
};
typedef struct xen_sysctl_lockprof_data xen_sysctl_lockprof_data_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_lockprof_data_t);
struct xen_sysctl_lockprof_op {
    uint32_t cmd;
    uint32_t max_elem;
    uint32_t nr_elem;      /* out */
    uint64_aligned_t time; /* out: ns */
    XEN_GUEST_HANDLE_64(xen_sysctl_lockprof_data_t) data;
};

#define XEN_INVALID_CORE_ID   (~0U)
#define XEN_INVALID_SOCKET_ID (~0U)
#define XEN_INVALID_NODE_ID   (~0U)
#define XEN_INVALID_MEM_SZ    (~0U)
#define XEN_INVALID_NODE_DIST (~0U)
#define XEN_INVALID_DEV       (XEN_INVALID_NODE_ID - 1)

/* In the three topology calls a null array asks for the number only; a count goes in as room and out as entries. */
struct xen_sysctl_cputopo {
    uint32_t core;
    uint32_t socket;
    uint32_t node;
};
typedef struct xen_sysctl_cputopo xen_sysctl_cputopo_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_cputopo_t);
struct xen_sysctl_cputopoinfo {
    uint32_t num_cpus;
    XEN_GUEST_HANDLE_64(xen_sysctl_cputopo_t) cputopo;
};

struct xen_sysctl_meminfo {
    uint64_t memsize; /* bytes */
    uint64_t memfree;
};
typedef struct xen_sysctl_meminfo xen_sysctl_meminfo_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_meminfo_t);
struct xen_sysctl_numainfo {
    uint32_t num_nodes;
    XEN_GUEST_HANDLE_64(xen_sysctl_meminfo_t) meminfo;
    XEN_GUEST_HANDLE_64(uint32) distance; /* num_nodes squared; 10 is local */
};

struct xen_sysctl_pcitopoinfo {
    uint32_t num_devs;
    XEN_GUEST_HANDLE_64(physdev_pci_device_t) devs;
    XEN_GUEST_HANDLE_64(uint32) nodes; /* out */
};

#define XEN_SYSCTL_CPUPOOL_OP_CREATE     1
#define XEN_SYSCTL_CPUPOOL_OP_DESTROY    2
#define XEN_SYSCTL_CPUPOOL_OP_INFO       3
#define XEN_SYSCTL_CPUPOOL_OP_ADDCPU     4
#define XEN_SYSCTL_CPUPOOL_OP_RMCPU      5
#define XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN 6
#define XEN_SYSCTL_CPUPOOL_OP_FREEINFO   7
#define XEN_SYSCTL_CPUPOOL_PAR_ANY       0xFFFFFFFF
/* INFO answers for the first pool at or after cpupool_id. */
struct xen_sysctl_cpupool_op {
    uint32_t op;
    uint32_t cpupool_id;
    uint32_t sched_id;
    uint32_t domid;
    uint32_t cpu;
    uint32_t n_dom;              /* out */
    struct xenctl_bitmap cpumap; /* out */
};

#define ARINC653_MAX_DOMAINS_PER_SCHEDULE 64
struct xen_sysctl_arinc653_schedule {
    uint64_aligned_t major_frame; /* ns */
    uint8_t num_sched_entries;
    struct {
        xen_domain_handle_t dom_handle;
        uint32_t vcpu_id;
        uint64_aligned_t runtime; /* ns */
    } sched_entries[ARINC653_MAX_DOMAINS_PER_SCHEDULE];
};
typedef struct xen_sysctl_arinc653_schedule xen_sysctl_arinc653_schedule_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_arinc653_schedule_t);

#define XEN_SYSCTL_SCHED_RATELIMIT_MAX   500000 /* us */
#define XEN_SYSCTL_SCHED_RATELIMIT_MIN   100
#define XEN_SYSCTL_CSCHED_TSLICE_MAX     1000 /* ms */
#define XEN_SYSCTL_CSCHED_TSLICE_MIN     1
#define XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US (100 * 1000)
struct xen_sysctl_credit_schedule {
    uint32_t tslice_ms;
    uint32_t ratelimit_us;
    uint32_t vcpu_migr_delay_us;
};
struct xen_sysctl_credit2_schedule {
    uint32_t ratelimit_us;
};

#define XEN_SYSCTL_SCHEDOP_putinfo 0
#define XEN_SYSCTL_SCHEDOP_getinfo 1
struct xen_sysctl_scheduler_op {
    uint32_t cpupool_id;
    uint32_t sched_id;
    uint32_t cmd;
    union {
        struct xen_sysctl_sched_arinc653 {
            XEN_GUEST_HANDLE_64(xen_sysctl_arinc653_schedule_t) schedule;
        } sched_arinc653;
        struct xen_sysctl_credit_schedule sched_credit;
        struct xen_sysctl_credit2_schedule sched_credit2;
    } u;
};

#define XEN_SYSCTL_COVERAGE_get_size 0
#define XEN_SYSCTL_COVERAGE_read     1
#define XEN_SYSCTL_COVERAGE_reset    2
struct xen_sysctl_coverage_op {
    uint32_t cmd;
    uint32_t size;
    XEN_GUEST_HANDLE_64(char) buffer;
};

#define XEN_SYSCTL_PSR_CMT_get_total_rmid          0
#define XEN_SYSCTL_PSR_CMT_get_l3_upscaling_factor 1
#define XEN_SYSCTL_PSR_CMT_get_l3_cache_size       2
#define XEN_SYSCTL_PSR_CMT_enabled                 3
#define XEN_SYSCTL_PSR_CMT_get_l3_event_mask       4
struct xen_sysctl_psr_cmt_op {
    uint32_t cmd;
    uint32_t flags;
    union {
        uint64_t data;
        struct {
            uint32_t cpu;
            uint32_t rsvd;
        } l3_cache;
    } u;
};

#define XEN_SYSCTL_PSR_get_l3_info  0
#define XEN_SYSCTL_PSR_get_l2_info  1
#define XEN_SYSCTL_PSR_get_mba_info 2
#define XEN_SYSCTL_PSR_CAT_L3_CDP   (1u << 0)
#define XEN_SYSCTL_PSR_MBA_LINEAR   (1u << 0)
struct xen_sysctl_psr_alloc {
    uint32_t cmd;
    uint32_t target; /* socket */
    union {
        struct {
            uint32_t cbm_len;
            uint32_t cos_max;
            uint32_t flags;
        } cat_info;
        struct {
            uint32_t thrtl_max;
            uint32_t cos_max;
            uint32_t flags;
        } mba_info;
    } u;
};

#define XEN_SYSCTL_CPU_LEVELCAP_faulting    (1ul << 0) /* CPUID can be made to fault */
#define XEN_SYSCTL_CPU_LEVELCAP_ecx         (1ul << 1)
#define XEN_SYSCTL_CPU_LEVELCAP_edx         (1ul << 2)
#define XEN_SYSCTL_CPU_LEVELCAP_extd_ecx    (1ul << 3)
#define XEN_SYSCTL_CPU_LEVELCAP_extd_edx    (1ul << 4)
#define XEN_SYSCTL_CPU_LEVELCAP_xsave_eax   (1ul << 5)
#define XEN_SYSCTL_CPU_LEVELCAP_thermal_ecx (1ul << 6)
#define XEN_SYSCTL_CPU_LEVELCAP_l7s0_eax    (1ul << 7)
#define XEN_SYSCTL_CPU_LEVELCAP_l7s0_ebx    (1ul << 8)
struct xen_sysctl_cpu_levelling_caps {
    uint32_t caps; /* out */
};

#define XEN_SYSCTL_cpu_featureset_raw     0
#define XEN_SYSCTL_cpu_featureset_host    1
#define XEN_SYSCTL_cpu_featureset_pv      2
#define XEN_SYSCTL_cpu_featureset_hvm     3
#define XEN_SYSCTL_cpu_featureset_pv_max  4
#define XEN_SYSCTL_cpu_featureset_hvm_max 5
struct xen_sysctl_cpu_featureset {
    uint32_t index;
    uint32_t nr_features; /* in: room; out: words */
    XEN_GUEST_HANDLE_64(uint32) features;
};

#define XEN_SYSCTL_cpu_policy_raw         0
#define XEN_SYSCTL_cpu_policy_host        1
#define XEN_SYSCTL_cpu_policy_pv_max      2
#define XEN_SYSCTL_cpu_policy_hvm_max     3
#define XEN_SYSCTL_cpu_policy_pv_default  4
#define XEN_SYSCTL_cpu_policy_hvm_default 5
struct xen_sysctl_cpu_policy {
    uint32_t index;
    uint32_t nr_leaves; /* in: room; out: count */
    uint32_t nr_msrs;
    uint32_t _rsvd; /* zero */
    XEN_GUEST_HANDLE_64(xen_cpuid_leaf_t) leaves;
    XEN_GUEST_HANDLE_64(xen_msr_entry_t) msrs;
};
typedef struct xen_sysctl_cpu_policy xen_sysctl_cpu_policy_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_cpu_policy_t);

struct xen_sysctl {
    uint32_t cmd;
    uint32_t interface_version;
    union {
        struct xen_sysctl_readconsole readconsole;
        struct xen_sysctl_tbuf_op tbuf_op;
        struct xen_sysctl_physinfo physinfo;
        struct xen_sysctl_cputopoinfo cputopoinfo;
        struct xen_sysctl_pcitopoinfo pcitopoinfo;
        struct xen_sysctl_numainfo numainfo;
        struct xen_sysctl_sched_id sched_id;
        struct xen_sysctl_perfc_op perfc_op;
        struct xen_sysctl_getdomaininfolist getdomaininfolist;
        struct xen_sysctl_debug_keys debug_keys;
        struct xen_sysctl_getcpuinfo getcpuinfo;
        struct xen_sysctl_availheap availheap;
        struct xen_sysctl_get_pmstat get_pmstat;
        struct xen_sysctl_cpu_hotplug cpu_hotplug;
        struct xen_sysctl_pm_op pm_op;
        struct xen_sysctl_page_offline_op page_offline;
        struct xen_sysctl_lockprof_op lockprof_op;
        struct xen_sysctl_cpupool_op cpupool_op;
        struct xen_sysctl_scheduler_op scheduler_op;
        struct xen_sysctl_coverage_op coverage_op;
        struct xen_sysctl_psr_cmt_op psr_cmt_op;
        struct xen_sysctl_psr_alloc psr_alloc;
        struct xen_sysctl_cpu_levelling_caps cpu_levelling_caps;
        struct xen_sysctl_cpu_featureset cpu_featureset;
        struct xen_sysctl_cpu_policy cpu_policy;
        uint8_t pad[128];
    } u;
};
typedef struct xen_sysctl xen_sysctl_t;
DEFINE_XEN_GUEST_HANDLE(xen_sysctl_t);

#endif
