/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The name by which programs written for the Xen libraries include abi/features.h.
 */
#include <abi/features.h>
