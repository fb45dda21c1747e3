/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The prompt of the embedded dom0.
 */
#ifndef VANE_SHELL_H
#define VANE_SHELL_H

#include "vane.h"

/* Runs the commands of one line; the status of the last. The line is written over. */
int shell_line(struct vane *vane, char *line);

/* Prompt, edit, run, for ever. */
_Noreturn void shell_run(struct vane *vane);

#endif
