# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# A guest whose hypercalls run out of the hypervisor's memory; tests/system/test_faults.py starts it.

$(eval $(call guest_program,test-faults,tests/faults/calls.c tests/guests/check.c,32 64))
FAULTS_GUESTS := $(foreach w,32 64,$(B)/guest$(w)/test-faults)
check-system: $(FAULTS_GUESTS)
