/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every symbol is ours alone: no access goes through a global offset table.
 */
#pragma GCC visibility push(hidden)
