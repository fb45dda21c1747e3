/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The entry of each exception, by the width's own macro trap_entry VECTOR, HAS_ERROR: those that come with an error code
 * are the processor's choice. Number 256 is the event upcall's.
 */
.set i, 0
.rept 32
.altmacro
.macro trap_entry_number n
    .if (\n == 8) || ((\n >= 10) && (\n <= 14)) || (\n == 17) || (\n == 21)
    trap_entry \n, 1
    .else
    trap_entry \n, 0
    .endif
.endm
trap_entry_number %i
.noaltmacro
.purgem trap_entry_number
.set i, i + 1
.endr

trap_entry 256, 0
