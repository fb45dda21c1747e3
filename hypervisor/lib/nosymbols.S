# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The empty symbol table of the first link; the second link's table replaces it, for these are weak.

    .section .symbols, "a", @progbits
    .weak symbol_count, symbol_letters, symbol_letter_count, symbol_pairs, symbol_table
    .balign 8
symbol_count:
    .long   0
symbol_letters:
symbol_letter_count:
symbol_pairs:
symbol_table:
    .long   0
