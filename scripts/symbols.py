# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The hypervisor's symbol table for backtraces: `nm -nS` on standard input, assembly on standard output. Static
functions too small to hide a fault in are left out: the image has a budget."""
import sys

IMAGE_START = 0xFFFF828000000000
SMALL = 256


def main():
    symbols = []
    for line in sys.stdin:
        fields = line.split()
        kind, name = fields[-2], fields[-1]
        size = int(fields[1], 16) if len(fields) == 4 else SMALL
        if kind in "tT" and not name.startswith((".", "_image", "_text")) and (kind == "T" or size >= SMALL):
            symbols.append((int(fields[0], 16) - IMAGE_START, name))
    print("    .section .symbols, \"a\", @progbits\n    .globl symbol_count, symbol_table\n    .balign 4")
    print(f"symbol_count:\n    .long {len(symbols)}\nsymbol_table:")
    previous = 0
    for address, name in symbols:
        print(f"    .short {address - previous}\n    .asciz \"{name}\"")
        previous = address


main()
