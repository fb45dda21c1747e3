# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The saved domain's reader, writer and checks; configurations in libxl's JSON.

STREAM_TEST_SOURCES := tests/stream/sample.c $(STREAM_SOURCES)
$(eval $(call unit_test,stream,tests/unit/test_stream.c $(STREAM_TEST_SOURCES),))
$(eval $(call unit_test,libxl_json,tests/unit/test_libxl_json.c $(LIBXL_JSON_SOURCES),))

RESTORE_SOURCES := $(addprefix dom0-tools/migration/,restore.c contents.c finish.c canonical.c p2m.c view.c)
$(eval $(call unit_test,restore,tests/unit/test_restore.c tests/fuzz/fake_domain.c $(STREAM_TEST_SOURCES) $(RESTORE_SOURCES), \
                        -Iinclude -idirafter guest-pv/include))
