# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs that run inside a Linux guest: static, built for the machine the tests run on.

$(B)/tests/linux/%: tests/linux/%.c
	$(call say,HOSTCC,$@)
	$(Q)mkdir -p $(@D); $(HOSTCC) -std=gnu11 -O2 -static $(WARN) $< -o $@ -pthread

check-system: $(B)/tests/linux/cpus
