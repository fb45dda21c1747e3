# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause

$(eval $(call unit_test,migration,tests/unit/test_migration.c dom0-tools/migration/canonical.c dom0-tools/migration/p2m.c \
    dom0-tools/migration/policy.c,-Iinclude))
