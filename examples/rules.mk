# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The example guests. RAMDISK_KERNELS (name=file pairs) go to /boot of dom0's RAM disk, RAMDISK_CONFIGS to /examples.

EXAMPLES := hello ticker ring balloon rogue disk ping

$(foreach e,$(EXAMPLES),$(eval $(call guest_program,$(e),examples/$(e)/$(e).c,32 64)))

RAMDISK_KERNELS := $(foreach e,$(EXAMPLES),$(e)32=$(B)/guest32/$(e) $(e)64=$(B)/guest64/$(e))
RAMDISK_CONFIGS := $(sort $(wildcard examples/*/*.cfg))
