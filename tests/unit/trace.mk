# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Traces: the hypervisor's writer against dom0's reader, and what is made of the records.

include dom0-tools/trace/sources.mk
$(eval $(call unit_test,trace,tests/unit/test_trace.c $(TRACE_CORE),))
$(eval $(call unit_test,trace_ring,tests/unit/test_trace_ring.c hypervisor/trace/ring.c dom0-tools/trace/ring.c, \
    -Ihypervisor/include -Ihypervisor -Itests/unit -include tests/unit/sched_platform.h))
