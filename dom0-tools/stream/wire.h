/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The numbers of the three layers' headers, and integers in either byte order at any address. For this room only.
 */
#ifndef STREAM_WIRE_H
#define STREAM_WIRE_H

#include <stdint.h>
#include <string.h>

#define FILE_MAGIC            "Xen saved domain, xl format\n \0 \r" /* 32 bytes with its closing NUL, which is not in it */
#define FILE_MAGIC_SIZE       32u
#define FILE_HEADER_SIZE      48u
#define FILE_BYTE_ORDER       0x01020304u
#define FILE_MANDATORY_JSON   1u
#define FILE_MANDATORY_STREAM 2u /* libxl's stream of version 2 follows */

#define OUTER_HEADER_SIZE     16u
#define OUTER_IDENT           0x4C6962786C466D74ull /* LibxlFmt */
#define OUTER_VERSION         2u
#define OUTER_BIG_ENDIAN      1u
#define OUTER_LEGACY          2u

enum outer_record_type {
    OUTER_END,
    OUTER_LIBXC_CONTEXT,
    OUTER_EMULATOR_XENSTORE_DATA,
    OUTER_EMULATOR_CONTEXT,
    OUTER_CHECKPOINT_END,
    OUTER_CHECKPOINT_STATE,
    OUTER_RECORD_TYPES
};

#define INNER_HEADER_SIZE  24u
#define INNER_MARKER       0xFFFFFFFFFFFFFFFFull
#define INNER_IDENT        0x58454E46u /* XENF */
#define INNER_VERSION      3u
#define INNER_BIG_ENDIAN   1u

#define DOMAIN_HEADER_SIZE 16u
#define DOMAIN_TYPE_PV     1u
#define DOMAIN_TYPE_HVM    2u
#define DOMAIN_PAGE_SHIFT  12u
#define DOMAIN_XEN_MAJOR   4u
#define DOMAIN_XEN_MINOR   17u

#define RECORD_HEADER_SIZE 8u

static inline uint32_t padding_of(uint32_t length)
{
    return -length & 7;
}

static inline uint32_t get_le32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline uint64_t get_le64(const uint8_t *from)
{
    return get_le32(from) | (uint64_t)get_le32(from + 4) << 32;
}

static inline uint16_t get_be16(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static inline uint32_t get_be32(const uint8_t *from)
{
    return (uint32_t)get_be16(from) << 16 | get_be16(from + 2);
}

static inline uint64_t get_be64(const uint8_t *from)
{
    return (uint64_t)get_be32(from) << 32 | get_be32(from + 4);
}

static inline void put_le32(uint8_t *to, uint32_t value)
{
    for (unsigned int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static inline void put_be32(uint8_t *to, uint32_t value)
{
    for (unsigned int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static inline void put_be64(uint8_t *to, uint64_t value)
{
    put_be32(to, (uint32_t)(value >> 32));
    put_be32(to + 4, (uint32_t)value);
}

#endif
