# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The hypervisor's symbol table for backtraces: `nm -nS` on standard input, assembly on standard output. The image has
a budget: static functions too small to hide a fault in are left out, and names are packed by byte pairs, the commonest
pair of codes becoming a code of its own until all codes above ASCII are taken."""
import collections
import sys

IMAGE_START = 0xFFFF828000000000
SMALL = 256
LONGEST = 63  # SYMBOL_NAME_MAX without its zero


def functions(lines):
    """(address, name) of each function worth its place, in ascending order."""
    for line in lines:
        fields = line.split()
        kind, name = fields[-2], fields[-1]
        size = int(fields[1], 16) if len(fields) == 4 else SMALL
        if kind in "tT" and not name.startswith((".", "_image", "_text")) and (kind == "T" or size >= SMALL):
            if len(name) > LONGEST:
                sys.exit(f"symbols: {name} is longer than {LONGEST} characters")
            yield int(fields[0], 16) - IMAGE_START, name


def replaced(codes, pair, code):
    """The list with each occurrence of the pair as one code."""
    result = []
    for byte in codes:
        if result and (result[-1], byte) == pair:
            result[-1] = code
        else:
            result.append(byte)
    return result


def pack(names):
    """The names as lists of codes, and the pair that each code from 128 on stands for."""
    packed, pairs = [list(name.encode("ascii")) for name in names], []
    for code in range(128, 256):
        count = collections.Counter(pair for codes in packed for pair in zip(codes, codes[1:]))
        if not count:
            break
        pairs.append(max(count, key=lambda pair: (count[pair], pair)))
        packed = [replaced(codes, pairs[-1], code) for codes in packed]
    return packed, pairs


def octets(values):
    """A line of assembly."""
    return "    .byte " + ", ".join(map(str, values))


def main():
    symbols = list(functions(sys.stdin))
    packed, pairs = pack([name for _, name in symbols])
    print("    .section .symbols, \"a\", @progbits\n    .globl symbol_count, symbol_table, symbol_pairs\n    .balign 4")
    print(f"symbol_count:\n    .long {len(symbols)}\nsymbol_pairs:")
    print("\n".join(octets(pair) for pair in pairs))
    print("symbol_table:")
    previous = 0
    for (address, _), codes in zip(symbols, packed):
        print(f"    .short {address - previous}\n{octets([*codes, 0])}")
        previous = address


main()
