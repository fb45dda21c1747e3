# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# What the building machine makes of kernels and files before they reach dom0's RAM disk.

CHECKS += check-packer
.PHONY: check-packer
check-packer:
	@echo 'Packer: Linux boot images of every packing, damaged ones, the RAM disk and the initramfs made of them:'
	$(Q)BUILD=$(B) timeout 120 $(PYTHON) -m pytest -q --tb=short -p no:cacheprovider tests/packer
