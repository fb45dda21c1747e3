/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The Xen notes of a kernel image. Unknown notes and keys are passed over, as newer kernels bring newer ones; a note
 * that is known must have a sensible value. Texts are bounded by their note, a terminating zero is not relied upon.
 */
#include "elfnotes.h"

#include <abi/elfnote.h>
#include <abi/features.h>
#include <include/elf.h>
#include <string.h>

struct text {
    const char *start;
    size_t length;
};

static bool same_text(struct text one, struct text other)
{
    return one.length == other.length && memcmp(one.start, other.start, one.length) == 0;
}

static bool text_is(struct text text, const char *word)
{
    return same_text(text, (struct text){word, strlen(word)});
}

static bool text_contains(struct text text, const char *word)
{
    size_t length = strlen(word);

    for (size_t i = 0; i + length <= text.length; i++)
        if (memcmp(text.start + i, word, length) == 0)
            return true;
    return false;
}

static void text_copy(char to[ELF_IMAGE_STRING], struct text text)
{
    size_t length = text.length < ELF_IMAGE_STRING - 1 ? text.length : ELF_IMAGE_STRING - 1;

    memcpy(to, text.start, length);
    to[length] = '\0';
}

/* Cuts the piece before the separator off the front of *rest; false when nothing is left. */
static bool text_next(struct text *rest, char separator, struct text *piece)
{
    size_t length = 0;

    if (rest->length == 0)
        return false;
    while (length < rest->length && rest->start[length] != separator)
        length++;
    *piece = (struct text){rest->start, length};
    if (length < rest->length)
        length++;
    rest->start += length;
    rest->length -= length;
    return true;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

static bool text_number(struct text text, uint64_t *value)
{
    unsigned int base = 10;
    uint64_t sum = 0;

    if (text.length > 2 && text.start[0] == '0' && (text.start[1] == 'x' || text.start[1] == 'X')) {
        base = 16;
        text.start += 2;
        text.length -= 2;
    }
    if (text.length == 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        unsigned int digit = (unsigned int)digit_value(text.start[i]);

        if (digit >= base || sum > (UINT64_MAX - digit) / base)
            return false;
        sum = sum * base + digit;
    }
    *value = sum;
    return true;
}

/* From bit 0 on. Some bits have no name: what stands for it is no part of a list that bars divide. */
static const char feature_names[] = "writable_page_tables,writable_descriptor_tables,auto_translated_physmap,"
                                    "supervisor_mode_kernel,pae_pgdir_above_4gb,"
                                    "|,|,|,hvm_callback_vector,hvm_safe_pvclock,hvm_pirqs,dom0";
_Static_assert(XENFEAT_pae_pgdir_above_4gb == 4 && XENFEAT_hvm_callback_vector == 8 && XENFEAT_dom0 == 11, "");

static int read_feature(struct elf_note_values *values, struct text name)
{
    struct elf_features *features = &values->image->features;
    struct text names = {feature_names, sizeof(feature_names) - 1}, known;
    bool required = name.length > 0 && name.start[0] == '!';
    uint32_t bit = 1;

    if (required) {
        name.start++;
        name.length--;
    }
    while (text_next(&names, ',', &known)) {
        if (same_text(name, known)) {
            features->supported |= bit;
            if (required)
                features->required |= bit;
            return 0;
        }
        bit <<= 1;
    }
    if (!required)
        return 0;
    values->why = "the kernel requires a feature (marked with ! in its FEATURES note) that is not known here";
    return -1;
}

static int read_features(struct elf_note_values *values, struct text list)
{
    struct text name;

    while (text_next(&list, '|', &name))
        if (read_feature(values, name) != 0)
            return -1;
    return 0;
}

static enum elf_pae read_pae(struct text text, bool legacy)
{
    if (text_contains(text, "bimodal"))
        return ELF_PAE_BIMODAL;
    if (text_contains(text, "[extended-cr3]"))
        return ELF_PAE_EXTENDED_CR3;
    if (text_contains(text, "yes"))
        return legacy ? ELF_PAE_YES : ELF_PAE_EXTENDED_CR3;
    return ELF_PAE_NO;
}

void elf_notes_init(struct elf_note_values *values, struct elf_image *image)
{
    *values = (struct elf_note_values){.image = image,
                                       .virt_base = ELF_UNSET,
                                       .paddr_offset = ELF_UNSET,
                                       .entry = ELF_UNSET,
                                       .hypercall_frame = ELF_UNSET};
}

static bool desc_number(const uint8_t *desc, uint64_t size, uint64_t *value)
{
    uint64_t wide = 0;

    if (size != 1 && size != 2 && size != 4 && size != 8)
        return false;
    memcpy(&wide, desc, size); /* little endian, like every image accepted here */
    *value = wide;
    return true;
}

static int note_number(struct elf_note_values *values, const uint8_t *desc, uint64_t size, uint64_t *value)
{
    if (desc_number(desc, size, value))
        return 0;
    values->why = "a Xen note that must hold a number is cut off or has a size other than 1, 2, 4 or 8";
    return -1;
}

static int note_flag(struct elf_note_values *values, const uint8_t *desc, uint64_t size, bool *flag)
{
    uint64_t value;

    if (note_number(values, desc, size, &value) != 0)
        return -1;
    *flag = value != 0;
    return 0;
}

static int note_l1_mfn_valid(struct elf_note_values *values, const uint8_t *desc, uint64_t size)
{
    /* Pairs of mask and value; the first is the one for present entries, and the only one anybody uses. */
    uint64_t width = size % 16 == 0 ? 8 : 4;

    if (size < 2 * width) {
        values->why = "the L1_MFN_VALID note is shorter than one pair of mask and value";
        return -1;
    }
    memcpy(&values->image->l1_mfn_mask, desc, width);
    memcpy(&values->image->l1_mfn_value, desc + width, width);
    return 0;
}

static int note_supported_features(struct elf_note_values *values, const uint8_t *desc, uint64_t size)
{
    uint64_t bits;

    if (note_number(values, desc, size, &bits) != 0)
        return -1;
    values->image->features.supported |= (uint32_t)bits;
    return 0;
}

static struct text desc_text(const uint8_t *desc, uint64_t size)
{
    struct text text = {(const char *)desc, 0};

    while (text.length < size && text.start[text.length] != '\0')
        text.length++;
    return text;
}

static int read_note(struct elf_note_values *values, uint32_t type, const uint8_t *desc, uint64_t size)
{
    struct elf_image *image = values->image;
    struct text text = desc_text(desc, size);

    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        return note_number(values, desc, size, &values->entry);
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        return note_number(values, desc, size, &image->hypercall_page);
    case XEN_ELFNOTE_VIRT_BASE:
        return note_number(values, desc, size, &values->virt_base);
    case XEN_ELFNOTE_PADDR_OFFSET:
        return note_number(values, desc, size, &values->paddr_offset);
    case XEN_ELFNOTE_HV_START_LOW:
        return note_number(values, desc, size, &image->hv_start_low);
    case XEN_ELFNOTE_INIT_P2M:
        return note_number(values, desc, size, &image->init_p2m);
    case XEN_ELFNOTE_PHYS32_ENTRY:
        return note_number(values, desc, size, &image->phys32_entry);
    case XEN_ELFNOTE_SUSPEND_CANCEL:
        return note_flag(values, desc, size, &image->suspend_cancel);
    case XEN_ELFNOTE_MOD_START_PFN:
        return note_flag(values, desc, size, &image->mod_start_pfn);
    case XEN_ELFNOTE_L1_MFN_VALID:
        return note_l1_mfn_valid(values, desc, size);
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        return note_supported_features(values, desc, size);
    case XEN_ELFNOTE_FEATURES:
        return read_features(values, text);
    case XEN_ELFNOTE_XEN_VERSION:
        text_copy(image->xen_version, text);
        break;
    case XEN_ELFNOTE_GUEST_OS:
        text_copy(image->guest_os, text);
        break;
    case XEN_ELFNOTE_GUEST_VERSION:
        text_copy(image->guest_version, text);
        break;
    case XEN_ELFNOTE_LOADER:
        text_copy(image->loader, text);
        break;
    case XEN_ELFNOTE_PAE_MODE:
        image->pae = read_pae(text, false);
        break;
    case XEN_ELFNOTE_BSD_SYMTAB:
        values->bsd_symtab = text_is(text, "yes");
        break;
    default:
        break;
    }
    return 0;
}

static uint64_t padded(uint32_t size)
{
    return ((uint64_t)size + 3) & ~3ull;
}

int elf_notes_read(struct elf_note_values *values, const uint8_t *area, uint64_t size, const uint8_t *file_end)
{
    uint64_t offset = 0, available = (uint64_t)(file_end - area);
    Elf_Nhdr header;

    while (size - offset >= sizeof(header)) {
        uint64_t name, desc, left;

        memcpy(&header, area + offset, sizeof(header));
        name = offset + sizeof(header);
        desc = name + padded(header.n_namesz);
        if (desc > available || desc > size) {
            values->why = "a note's name runs past its segment or section";
            return -1;
        }
        left = header.n_descsz < available - desc ? header.n_descsz : available - desc;
        values->looked_at += sizeof(header) + left;
        if (values->looked_at / 4 > values->image->file_size) {
            values->why = "its notes lie one over the other";
            return -1;
        }
        if (header.n_namesz == 4 && memcmp(area + name, "Xen", 4) == 0) {
            values->count++;
            if (read_note(values, header.n_type, area + desc, left) != 0)
                return -1;
        }
        offset = desc + padded(header.n_descsz);
        if (offset > size)
            break;
    }
    return 0;
}

static int legacy_number(struct elf_note_values *values, struct text text, uint64_t *value)
{
    if (text_number(text, value))
        return 0;
    values->why = "a key of the __xen_guest section that must have a number has none";
    return -1;
}

static int read_legacy(struct elf_note_values *values, struct text key, struct text value)
{
    struct elf_image *image = values->image;

    if (text_is(key, "VIRT_BASE"))
        return legacy_number(values, value, &values->virt_base);
    if (text_is(key, "ELF_PADDR_OFFSET"))
        return legacy_number(values, value, &values->paddr_offset);
    if (text_is(key, "VIRT_ENTRY"))
        return legacy_number(values, value, &values->entry);
    if (text_is(key, "INIT_P2M"))
        return legacy_number(values, value, &image->init_p2m);
    if (text_is(key, "HYPERCALL_PAGE"))
        return legacy_number(values, value, &values->hypercall_frame);
    if (text_is(key, "FEATURES"))
        return read_features(values, value);
    if (text_is(key, "GUEST_OS"))
        text_copy(image->guest_os, value);
    else if (text_is(key, "GUEST_VER"))
        text_copy(image->guest_version, value);
    else if (text_is(key, "XEN_VER"))
        text_copy(image->xen_version, value);
    else if (text_is(key, "LOADER"))
        text_copy(image->loader, value);
    else if (text_is(key, "PAE"))
        image->pae = read_pae(value, true);
    else if (text_is(key, "BSD_SYMTAB"))
        values->bsd_symtab = true;
    return 0;
}

int elf_legacy_read(struct elf_note_values *values, const char *text, uint64_t size)
{
    struct text rest = desc_text((const uint8_t *)text, size), pair, key;

    while (text_next(&rest, ',', &pair)) {
        while (pair.length > 0 && pair.start[0] == ' ') {
            pair.start++;
            pair.length--;
        }
        if (!text_next(&pair, '=', &key))
            continue;
        values->count++;
        if (read_legacy(values, key, pair) != 0)
            return -1;
    }
    return 0;
}
