# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
$(eval $(call unit_test,vane,tests/unit/test_vane.c dom0-tools/vane/lineedit.c dom0-tools/vane/words.c,))
# The toolstack's domains, over waits in which anything happens; what is not used of its files is left out.
$(eval $(call unit_test,meanwhile,tests/unit/test_meanwhile.c $(CONFIG_CORE) \
    $(addprefix dom0-tools/vane/,devices.c domains.c ends.c incoming.c lifecycle.c making.c),\
    -Iinclude -idirafter guest-pv/include -ffunction-sections -Wl$(comma)--gc-sections))
