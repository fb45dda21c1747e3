/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * CPU policies as toolstacks read and give them: a list of CPUID leaves and one of MSRs. There is one PV policy, what
 * guest_cpuid answers; a domain may be given that or less in the toolstack's eyes, but never more.
 */
#include "control/control.h"
#include "emulate.h"
#include "guest_access.h"

#define LEAVES_MAX            120 /* what an answer may have at most, and what a caller is told to have room for */
#define MSRS_MAX              2
#define MSR_PLATFORM_INFO     0xCE
#define MSR_ARCH_CAPABILITIES 0x10A
#define FEATURE_WORDS         19

/* Bits that tell of topology, of the control domain's rights or of CR4, not of what the CPU can do: any policy may have
 * them. */
#define HTT        (1U << 28)
#define MTRR       (1U << 12)
#define OSXSAVE    (1U << 27)
#define CMP_LEGACY (1U << 1)

static void raw_cpuid(u32 leaf, u32 subleaf, u32 r[4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(subleaf));
}

/* What the domain's kernel is told, less what changes while it runs; of no domain, what the CPU says. */
static void policy_cpuid(struct domain *d, u32 leaf, u32 subleaf, u32 r[4])
{
    raw_cpuid(leaf & 0xC0000000, 0, r);
    if ((leaf & 0xC0000000) == 0x40000000 || (!d && leaf > r[0]))
        memset(r, 0, 4 * sizeof(*r));
    else if (!d)
        raw_cpuid(leaf, subleaf, r);
    else
        guest_cpuid(d, leaf, subleaf, r);
    if (d && leaf == 1)
        r[2] &= ~OSXSAVE;
    if (d && leaf == 0xD && subleaf == 0)
        r[1] = 0;
}

/* Where an answer of unknown length goes. */
struct leaf_sink {
    unsigned long to;
    u32 room, count;
    struct domain *d; /* NULL: the hardware's own */
    bool fault;
};

static void emit(struct leaf_sink *s, u32 leaf, u32 subleaf, u32 ask)
{
    xen_cpuid_leaf_t out = {.leaf = leaf, .subleaf = subleaf};
    u32 r[4];

    policy_cpuid(s->d, leaf, ask, r);
    out.a = r[0];
    out.b = r[1];
    out.c = r[2];
    out.d = r[3];
    if (s->to && s->count < s->room && copy_to_guest(s->to + s->count * sizeof(out), &out, sizeof(out)))
        s->fault = true;
    s->count++;
}

static void emit_basic(struct leaf_sink *s, u32 leaf)
{
    u32 r[4], last = 0;

    switch (leaf) {
    case 4: /* caches, until one of no type */
        for (u32 i = 0; i < 6; i++) {
            emit(s, leaf, i, i);
            policy_cpuid(s->d, leaf, i, r);
            if (!(r[0] & 31))
                break;
        }
        return;
    case 7:
        policy_cpuid(s->d, leaf, 0, r);
        last = MIN(r[0], 2U);
        break;
    case 0xD: {
        u64 states = cpu_features.xcr0;

        emit(s, leaf, 0, 0);
        emit(s, leaf, 1, 1);
        for (u32 i = 2; i < 62; i++)
            if (states & 1ULL << i)
                emit(s, leaf, i, i);
        return;
    }
    case 0xB:
        break;
    default:
        emit(s, leaf, XEN_CPUID_NO_SUBLEAF, 0);
        return;
    }
    for (u32 i = 0; i <= last; i++)
        emit(s, leaf, i, i);
}

static void emit_all(struct leaf_sink *s)
{
    u32 r[4], last;

    policy_cpuid(s->d, 0, 0, r);
    last = MIN(r[0], 0x20U);
    for (u32 leaf = 0; leaf <= last; leaf++)
        emit_basic(s, leaf);
    emit(s, 0x40000000, XEN_CPUID_NO_SUBLEAF, 0);
    emit(s, 0x40000100, XEN_CPUID_NO_SUBLEAF, 0);
    policy_cpuid(s->d, 0x80000000, 0, r);
    last = MIN(r[0], 0x80000021U);
    for (u32 leaf = 0x80000000; leaf <= last; leaf++)
        emit(s, leaf, XEN_CPUID_NO_SUBLEAF, 0);
}

static int copy_msrs(unsigned long to, u32 *count)
{
    static const xen_msr_entry_t msrs[MSRS_MAX] = {{.idx = MSR_PLATFORM_INFO}, {.idx = MSR_ARCH_CAPABILITIES}};
    u32 room = *count;

    *count = MSRS_MAX;
    if (!to)
        return 0;
    if (room < MSRS_MAX)
        return -ENOBUFS;
    return copy_to_guest(to, msrs, sizeof(msrs));
}

static long copy_policy(struct domain *d, unsigned long leaves, u32 *leaf_count, unsigned long msrs, u32 *msr_count)
{
    struct leaf_sink sink = {.to = leaves, .room = *leaf_count, .d = d};

    if (!leaves) {
        *leaf_count = LEAVES_MAX;
    } else {
        emit_all(&sink);
        *leaf_count = sink.count;
        if (sink.fault)
            return -EFAULT;
        if (sink.count > sink.room)
            return -ENOBUFS;
    }
    return copy_msrs(msrs, msr_count);
}

long domctl_get_cpu_policy(struct domain *d, struct domctl *c)
{
    struct xen_domctl_cpu_policy *p = &c->op.u.cpu_policy;

    c->copy_back = true;
    return copy_policy(d, (unsigned long)p->leaves.p, &p->nr_leaves, (unsigned long)p->msrs.p, &p->nr_msrs);
}

/* Leaves whose words are sets of features: nothing may be asked for that a guest does not get. */
static bool exceeds(struct domain *d, const xen_cpuid_leaf_t *want)
{
    u32 have[4], subleaf = want->subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : want->subleaf;

    policy_cpuid(d, want->leaf, subleaf, have);
    switch (want->leaf) {
    case 1:
        return (want->c & ~(have[2] | OSXSAVE)) || (want->d & ~(have[3] | HTT | MTRR));
    case 0x80000001:
        return (want->c & ~(have[2] | CMP_LEGACY)) || (want->d & ~(have[3] | MTRR));
    case 7:
        return subleaf == 0 && ((want->b & ~have[1]) || (want->c & ~have[2]) || (want->d & ~have[3]));
    default:
        return false;
    }
}

long domctl_set_cpu_policy(struct domain *d, struct domctl *c)
{
    struct xen_domctl_cpu_policy *p = &c->op.u.cpu_policy;

    if (d == current->domain)
        return -EINVAL;
    if (d->started)
        return -EEXIST;
    if (p->nr_leaves > LEAVES_MAX || p->nr_msrs > MSRS_MAX)
        return -E2BIG;
    p->err_leaf = p->err_subleaf = p->err_msr = ~0U;
    c->copy_back = true;
    for (u32 i = 0; i < p->nr_leaves; i++) {
        xen_cpuid_leaf_t want;

        if (copy_from_guest(&want, (unsigned long)p->leaves.p + i * sizeof(want), sizeof(want)))
            return -EFAULT;
        if (exceeds(d, &want)) {
            p->err_leaf = want.leaf;
            p->err_subleaf = want.subleaf;
            return -EINVAL;
        }
    }
    for (u32 i = 0; i < p->nr_msrs; i++) {
        xen_msr_entry_t want;

        if (copy_from_guest(&want, (unsigned long)p->msrs.p + i * sizeof(want), sizeof(want)))
            return -EFAULT;
        if (want.flags || want.val || (want.idx != MSR_PLATFORM_INFO && want.idx != MSR_ARCH_CAPABILITIES)) {
            p->err_msr = want.idx;
            return -EINVAL;
        }
    }
    return 0;
}

#define NOTHING                                                                                                        \
    {                                                                                                                  \
        0x8000FFFF, 0, 0                                                                                               \
    }

static const struct {
    u32 leaf, subleaf, reg;
} feature_words[FEATURE_WORDS] = {
    {1, 0, 3},          {1, 0, 2},          {0x80000001, 0, 3}, {0x80000001, 0, 2}, {0xD, 1, 0}, {7, 0, 1},
    {7, 0, 2},          {0x80000007, 0, 3}, {0x80000008, 0, 1}, {7, 0, 3},          {7, 1, 0},   {0x80000021, 0, 0},
    {7, 1, 1},          {7, 2, 3},          {7, 1, 2},          {7, 1, 3},          NOTHING,     NOTHING,
    {0x80000021, 0, 2}, /* the two are an MSR's */
};

static u32 feature_word(struct domain *d, unsigned i)
{
    u32 r[4];

    policy_cpuid(d, feature_words[i].leaf, feature_words[i].subleaf, r);
    return r[feature_words[i].reg];
}

void host_features(u32 words[8])
{
    for (unsigned i = 0; i < 8; i++)
        words[i] = feature_word(NULL, i);
}

long sysctl_cpu_featureset(struct xen_sysctl_cpu_featureset *set)
{
    unsigned long to = (unsigned long)set->features.p;
    u32 room = set->nr_features;
    bool host = set->index <= XEN_SYSCTL_cpu_featureset_host;

    if (set->index > XEN_SYSCTL_cpu_featureset_hvm_max)
        return -EINVAL;
    if (set->index == XEN_SYSCTL_cpu_featureset_hvm || set->index == XEN_SYSCTL_cpu_featureset_hvm_max)
        return -EOPNOTSUPP;
    set->nr_features = FEATURE_WORDS;
    if (!to)
        return 0;
    for (u32 i = 0; i < MIN(room, (u32)FEATURE_WORDS); i++) {
        u32 word = feature_word(host ? NULL : current->domain, i);

        if (copy_to_guest(to + i * sizeof(word), &word, sizeof(word)))
            return -EFAULT;
    }
    return room < FEATURE_WORDS ? -ENOBUFS : 0;
}

long sysctl_cpu_policy(struct xen_sysctl_cpu_policy *p)
{
    if (p->_rsvd || p->index > XEN_SYSCTL_cpu_policy_hvm_default)
        return -EINVAL;
    if (p->index == XEN_SYSCTL_cpu_policy_hvm_max || p->index == XEN_SYSCTL_cpu_policy_hvm_default)
        return -EOPNOTSUPP;
    return copy_policy(p->index <= XEN_SYSCTL_cpu_policy_host ? NULL : current->domain, (unsigned long)p->leaves.p,
                       &p->nr_leaves, (unsigned long)p->msrs.p, &p->nr_msrs);
}
