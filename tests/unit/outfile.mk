# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

$(eval $(call unit_test,outfile,tests/unit/test_outfile.c dom0-tools/vane/outfile.c,-Iinclude -Iguest-pv/include))
