/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Guest memory that is not there: the instructions of GET_GUEST_WORD and PUT_GUEST_WORD fault as they do in the
 * hypervisor, and go on where its own table of exceptions says.
 */
#ifndef TESTS_UNIT_GUEST_FAULTS_H
#define TESTS_UNIT_GUEST_FAULTS_H

extern unsigned guest_faults; /* how many there were */

/* From here on a fault whose instruction the table names is no crash. */
void guest_faults_catch(void);

#endif
