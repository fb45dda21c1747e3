# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Protocols as models, explored exhaustively by spin. A variant that is broken on purpose must be found out, too.

.PHONY: check-model
check-model:
	$(Q)tests/model/explore $(B)/model tests/model/handover.pml EAGER IMPATIENT FORGETFUL

CHECKS += check-model
