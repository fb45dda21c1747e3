# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The hypervisor's symbol table for backtraces: `nm -n` on standard input, assembly on standard output."""
import sys

IMAGE_START = 0xFFFF828000000000


def main():
    symbols = []
    for line in sys.stdin:
        fields = line.split()
        if len(fields) == 3 and fields[1] in "tT" and not fields[2].startswith((".", "_image", "_text")):
            symbols.append((int(fields[0], 16) - IMAGE_START, fields[2]))
    print("    .section .symbols, \"a\", @progbits\n    .globl symbol_count, symbol_table\n    .balign 4")
    print(f"symbol_count:\n    .long {len(symbols)}\nsymbol_table:")
    previous = 0
    for address, name in symbols:
        print(f"    .short {address - previous}\n    .asciz \"{name}\"")
        previous = address


main()
