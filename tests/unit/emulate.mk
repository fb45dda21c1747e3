# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
$(eval $(call unit_test,emulate,tests/unit/test_emulate.c hypervisor/emulate/decode.c hypervisor/emulate/operands.c,-Ihypervisor/include -Ihypervisor))
