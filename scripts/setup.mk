# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The set-up step: asks for each Debian package the build or the tests need, installs the missing ones; fetches Debian's
# Linux for the example guests, without installing it.

.PHONY: setup
setup:
	@scripts/setup
	@scripts/linux-image $(B)/cache/linux
