# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The hypervisor's symbol table for backtraces: `nm -nS` on standard input, assembly on standard output. The image has
a budget: static functions too small to hide a fault in are left out, and names are packed by byte pairs. The lowest
codes stand for the letters that occur, the first of them for a name's end; the commonest pair of codes becomes a code of
its own until all 256 are taken."""
import collections
import sys

IMAGE_START = 0xFFFF828000000000
SMALL = 256
LONGEST = 63  # SYMBOL_NAME_MAX without its zero


def functions(lines):
    """(address, name) of each function worth its place, in ascending order."""
    for line in lines:
        fields = line.split()
        kind, name = fields[-2], fields[-1].split(".")[0] or "."
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
    """The names as lists of codes, the letters of the lowest codes, and the pair that each code after them stands for."""
    letters = ["\0", *sorted(set("".join(names)))]
    packed, pairs = [[letters.index(letter) for letter in name + "\0"] for name in names], []
    for code in range(len(letters), 256):
        count = collections.Counter(pair for codes in packed for pair in zip(codes, codes[1:]))
        if not count:
            break
        pairs.append(max(count, key=lambda pair: (count[pair], pair)))
        packed = [replaced(codes, pairs[-1], code) for codes in packed]
    return packed, letters, pairs


def distance(value):
    """Seven bits in a byte; the highest says that a byte with the bits above them follows."""
    if value >= 1 << 15:
        sys.exit(f"symbols: a function of {value} bytes")
    return [value] if value < 128 else [value & 127 | 128, value >> 7]


def octets(values):
    """A line of assembly."""
    return "    .byte " + ", ".join(map(str, values))


def main():
    symbols = list(functions(sys.stdin))
    packed, letters, pairs = pack([name for _, name in symbols])
    names = ("symbol_count", "symbol_letters", "symbol_letter_count", "symbol_pairs", "symbol_table")
    print(f"    .section .symbols, \"a\", @progbits\n    .globl {', '.join(names)}\n    .balign 4")
    print(f"symbol_count:\n    .long {len(symbols)}\nsymbol_letter_count:\n    .long {len(letters)}")
    print(f"symbol_letters:\n{octets(map(ord, letters))}\nsymbol_pairs:")
    print("\n".join(octets(pair) for pair in pairs))
    print("symbol_table:")
    previous = 0
    for (address, _), codes in zip(symbols, packed):
        print(octets([*distance(address - previous), *codes]))
        previous = address


main()
