/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which record may follow which, as a table: what must have come before a record, what must not, and whether it may come
 * again. What a restorer does with a record can rely on all that comes before it here.
 */
#include "decode.h"
#include "wire.h"

#define BIT(type) (1u << (type))
#define VCPU_TYPES                                                                                                     \
    (BIT(STREAM_PV_VCPU_BASIC) | BIT(STREAM_PV_VCPU_EXTENDED) | BIT(STREAM_PV_VCPU_XSAVE) | BIT(STREAM_PV_VCPU_MSRS))
#define REGISTERS (BIT(STREAM_SHARED_INFO) | VCPU_TYPES)
#define STATIC    (BIT(STREAM_PV_INFO) | BIT(STREAM_STATIC_DATA_END))
#define MEMORY    (STATIC | BIT(STREAM_PV_P2M_FRAMES) | BIT(STREAM_PAGE_DATA))

struct rule {
    uint32_t after, before; /* records that must, and must not, have come */
    bool again;             /* it may come more than once; vCPU records: once for each vCPU */
    const char *refused;    /* why there can be none at all */
};

static const char is_hvm[] = "it belongs to an HVM guest: only PV guests can be restored";
static const char is_checkpointed[] = "a stream with checkpoints (Remus, COLO) cannot be restored";

static const struct rule rules[STREAM_RECORD_TYPES] = {
    [STREAM_PV_INFO] = {.before = BIT(STREAM_STATIC_DATA_END)},
    [STREAM_CPUID_POLICY] = {.before = BIT(STREAM_STATIC_DATA_END)},
    [STREAM_MSR_POLICY] = {.before = BIT(STREAM_STATIC_DATA_END)},
    [STREAM_STATIC_DATA_END] = {.after = BIT(STREAM_PV_INFO)},
    [STREAM_PV_P2M_FRAMES] = {.after = STATIC, .before = BIT(STREAM_PAGE_DATA) | REGISTERS},
    [STREAM_PAGE_DATA] = {.after = STATIC | BIT(STREAM_PV_P2M_FRAMES), .before = REGISTERS, .again = true},
    [STREAM_VERIFY] = {.after = MEMORY, .before = REGISTERS},
    [STREAM_TSC_INFO] = {.after = STATIC},
    [STREAM_SHARED_INFO] = {.after = MEMORY},
    [STREAM_PV_VCPU_BASIC] = {.after = MEMORY, .again = true},
    [STREAM_PV_VCPU_EXTENDED] = {.after = MEMORY, .again = true},
    [STREAM_PV_VCPU_XSAVE] = {.after = MEMORY, .again = true},
    [STREAM_PV_VCPU_MSRS] = {.after = MEMORY, .again = true},
    [STREAM_END] = {.after = MEMORY | BIT(STREAM_SHARED_INFO) | BIT(STREAM_PV_VCPU_BASIC)},
    [STREAM_HVM_CONTEXT] = {.refused = is_hvm},
    [STREAM_HVM_PARAMS] = {.refused = is_hvm},
    [STREAM_TOOLSTACK] = {.refused = "records of this type are no longer in use and cannot be restored"},
    [STREAM_CHECKPOINT] = {.refused = is_checkpointed},
    [STREAM_CHECKPOINT_DIRTY_PFN_LIST] = {.refused = is_checkpointed},
};

void stream_order_start(struct stream_order *order)
{
    memset(order, 0, sizeof(*order));
}

static const char *first_of(uint32_t set)
{
    return stream_record_name((uint32_t)__builtin_ctz(set));
}

/* Each kind once for each vCPU, BASIC first. A vCPU that is out of all bounds is left to the decoder. */
static int take_vcpu(struct stream_order *order, struct stream_reader *reader, const struct stream_record *record)
{
    uint32_t vcpu, *seen;

    if (record->length < 4 || get_le32(record->body) >= STREAM_VCPUS_MAX)
        return 0;
    vcpu = get_le32(record->body);
    seen = &order->vcpus[vcpu];
    if ((*seen & BIT(record->type)) != 0)
        return stream_refuse(reader, "there was one for vCPU %u already", vcpu);
    if (record->type != STREAM_PV_VCPU_BASIC && (*seen & BIT(STREAM_PV_VCPU_BASIC)) == 0)
        return stream_refuse(reader, "no %s of vCPU %u came before it", stream_record_name(STREAM_PV_VCPU_BASIC), vcpu);
    *seen |= BIT(record->type);
    return 0;
}

static int check_version(struct stream_order *order, struct stream_reader *reader, uint32_t type)
{
    const uint32_t of_version_3 = BIT(STREAM_STATIC_DATA_END) | BIT(STREAM_CPUID_POLICY) | BIT(STREAM_MSR_POLICY);

    if (reader->version >= 3)
        return 0;
    if ((of_version_3 & BIT(type)) != 0)
        return stream_refuse(reader, "a stream of version %u cannot have it: version 3 brought it", reader->version);
    if (type == STREAM_PV_P2M_FRAMES)
        order->seen |= BIT(STREAM_STATIC_DATA_END);
    return 0;
}

int stream_order_take(struct stream_order *order, struct stream_reader *reader, const struct stream_record *record)
{
    const struct rule *rule = &rules[record->type];
    uint32_t missing, late;

    if (rule->refused != NULL)
        return stream_refuse(reader, "%s", rule->refused);
    if ((order->seen & BIT(STREAM_END)) != 0)
        return stream_refuse(reader, "%s came before it: nothing may follow", stream_record_name(STREAM_END));
    if (check_version(order, reader, record->type) != 0)
        return -1;
    missing = rule->after & ~order->seen;
    late = rule->before & order->seen;
    if (missing != 0)
        return stream_refuse(reader, "no %s came before it", first_of(missing));
    if (late != 0)
        return stream_refuse(reader, "it came after %s: it must come before", first_of(late));
    if (!rule->again && (order->seen & BIT(record->type)) != 0)
        return stream_refuse(reader, "there was one already");
    if ((VCPU_TYPES & BIT(record->type)) != 0 && take_vcpu(order, reader, record) != 0)
        return -1;
    if (record->type == STREAM_END && (order->vcpus[0] & BIT(STREAM_PV_VCPU_BASIC)) == 0)
        return stream_refuse(reader, "no %s of vCPU 0 came before it", stream_record_name(STREAM_PV_VCPU_BASIC));
    order->seen |= BIT(record->type);
    return 0;
}
