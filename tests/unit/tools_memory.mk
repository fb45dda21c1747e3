# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The tools over an allocator that fails: configurations and saved domains (stream.mk says of what files they are).

SHORT_MEMORY := $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc strdup strndup _mark_point)
$(eval $(call unit_test,tools_memory,tests/unit/test_tools_memory.c tests/unit/short_memory.c tests/fuzz/fake_domain.c \
    $(sort $(STREAM_TEST_SOURCES) $(RESTORE_SOURCES) $(LIBXL_JSON_SOURCES)),-Iinclude -idirafter guest-pv/include $(SHORT_MEMORY)))
