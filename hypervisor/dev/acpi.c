/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * ACPI tables: RSDP, RSDT or XSDT, MADT, FADT, and the one AML object \_S5 by its signature. A table with a wrong
 * checksum or an impossible length is not used, and that is said.
 */
#include "lib.h"
#include "mm.h"
#include "boot/boot.h"
#include "dev/acpi.h"

struct header {
    char signature[4];
    u32 length;
    u8 revision, checksum;
    char oem[24], pad[2];
} __attribute__((packed));

struct acpi acpi;

#define MAX_TABLE (1U << 20)

static bool sums_to_zero(const void *p, size_t length)
{
    u8 sum = 0;

    for (size_t i = 0; i < length; i++)
        sum = (u8)(sum + ((const u8 *)p)[i]);
    return sum == 0;
}

static u64 read_field(const void *table, unsigned offset, unsigned size)
{
    u64 value = 0;

    memcpy(&value, (const char *)table + offset, size);
    return value;
}

static const struct header *table_at(u64 address)
{
    const struct header *h = hv_map_device(address, sizeof(*h));

    if (!h || h->length < sizeof(*h) + 0 || h->length > MAX_TABLE)
        return NULL;
    h = hv_map_device(address, h->length);
    if (!h || !sums_to_zero(h, h->length)) {
        logf(LOG_WARNING, "ACPI: the table at %#lx has a wrong checksum and is ignored\n", (unsigned long)address);
        return NULL;
    }
    return h;
}

enum { MADT_CPU = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_APIC_ADDRESS = 5, MADT_X2APIC_CPU = 9 };

/* What the table says of one thing: its kind, the entry's length, then its fields. */
static void parse_madt_entry(const u8 *e)
{
    unsigned kind = e[0], length = e[1], n;

    if ((kind == MADT_CPU && length >= 8 && (e[4] & 1)) || (kind == MADT_X2APIC_CPU && length >= 16 && (e[8] & 1))) {
        if (acpi.cpu_count < MAX_CPUS)
            acpi.apic_ids[acpi.cpu_count++] = kind == MADT_CPU ? e[3] : (u32)read_field(e, 4, 4);
    } else if (kind == MADT_IOAPIC && length >= 12 && acpi.ioapic_count < ACPI_MAX_IOAPICS) {
        n = acpi.ioapic_count++;
        acpi.ioapics[n].id = e[2];
        acpi.ioapics[n].address = read_field(e, 4, 4);
        acpi.ioapics[n].gsi_base = (u32)read_field(e, 8, 4);
    } else if (kind == MADT_OVERRIDE && length >= 10 && acpi.override_count < ACPI_MAX_OVERRIDES) {
        n = acpi.override_count++;
        acpi.overrides[n].irq = e[3];
        acpi.overrides[n].gsi = (u32)read_field(e, 4, 4);
        acpi.overrides[n].flags = (u16)read_field(e, 8, 2);
    } else if (kind == MADT_APIC_ADDRESS && length >= 12) {
        acpi.local_apic = read_field(e, 4, 8);
    }
}

static void parse_madt(const struct header *madt)
{
    const u8 *t = (const u8 *)madt;

    acpi.local_apic = read_field(t, 36, 4);
    for (u32 at = 44; at + 2 <= madt->length && t[at + 1] >= 2 && at + t[at + 1] <= madt->length; at += t[at + 1])
        parse_madt_entry(t + at);
}

/* _S5_ is a package of small integers: name, PackageOp, length, count, then each with or without a byte prefix. */
static void find_s5(u64 dsdt_address)
{
    const struct header *dsdt = table_at(dsdt_address);
    const u8 *t = (const u8 *)dsdt;

    if (!dsdt)
        return;
    for (u32 at = sizeof(*dsdt); at + 12 < dsdt->length; at++) {
        if (memcmp(t + at, "_S5_", 4) || t[at + 4] != 0x12)
            continue;
        const u8 *p = t + at + 5;
        p += (*p >> 6) + 2u; /* the length's bytes, then the count */
        acpi.s5_type_a = *p == 0x0A ? p[1] : *p <= 1 ? *p : 0;
        p += *p == 0x0A ? 2 : 1;
        acpi.s5_type_b = *p == 0x0A ? p[1] : *p <= 1 ? *p : 0;
        return;
    }
}

static void parse_fadt(const struct header *fadt)
{
    if (fadt->length < 116)
        return;
    acpi.pm1a_control = (u16)read_field(fadt, 64, 4);
    acpi.pm1b_control = (u16)read_field(fadt, 68, 4);
    acpi.pm_timer = (u16)read_field(fadt, 76, 4);
    acpi.pm_timer_wide = (read_field(fadt, 112, 4) & (1U << 8)) != 0;
    if (fadt->length >= 129 && (read_field(fadt, 112, 4) & (1U << 10)) && read_field(fadt, 116, 1) == 1) {
        acpi.reset_port = (u16)read_field(fadt, 120, 8);
        acpi.reset_value = (u8)read_field(fadt, 128, 1);
    }
    find_s5(read_field(fadt, 40, 4));
}

static void parse_root(const struct header *root, unsigned entry_size)
{
    for (u32 at = sizeof(*root); at + entry_size <= root->length; at += entry_size) {
        const struct header *h = table_at(read_field(root, at, entry_size));
        if (!h)
            continue;
        if (memcmp(h->signature, "APIC", 4) == 0)
            parse_madt(h);
        else if (memcmp(h->signature, "FACP", 4) == 0)
            parse_fadt(h);
    }
}

static const void *search_bios(void)
{
    const char *bios = hv_map_device(0xE0000, 0x20000);

    for (u32 at = 0; bios && at < 0x20000; at += 16)
        if (memcmp(bios + at, "RSD PTR ", 8) == 0 && sums_to_zero(bios + at, 20))
            return bios + at;
    return NULL;
}

void acpi_init(const void *rsdp)
{
    const struct header *root = NULL;
    bool wide;

    acpi.local_apic = 0xFEE00000;
    if (!rsdp)
        rsdp = search_bios();
    if (!rsdp) {
        logf(LOG_WARNING, "no ACPI tables: one CPU, no power-off\n");
        return;
    }
    wide = read_field(rsdp, 15, 1) >= 2 && read_field(rsdp, 24, 8);
    root = table_at(wide ? read_field(rsdp, 24, 8) : read_field(rsdp, 16, 4));
    if (root)
        parse_root(root, wide ? 8 : 4);
}
