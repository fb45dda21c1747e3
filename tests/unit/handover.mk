# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Both ends of a hand-over in one program, over a channel that is cut wherever it can be.

HANDOVER_SOURCES := $(addprefix dom0-tools/migration/,handover.c handover_settle.c message.c records.c random.c)
$(eval $(call unit_test,handover,tests/unit/test_handover.c $(HANDOVER_SOURCES),))
$(eval $(call unit_test,channel_link,tests/unit/test_channel_link.c \
                        $(addprefix dom0-tools/migration/,channel_link.c random.c),-Iguest-pv/include))
