# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
$(eval $(call unit_test,block_request,tests/unit/test_block_request.c dom0-tools/block/request.c,))
$(eval $(call unit_test,block_volume,tests/unit/test_block_volume.c dom0-tools/block/volume.c dom0-tools/block/volume_file.c dom0-tools/block/image.c,-Iguest-pv/include))
$(eval $(call unit_test,disk,tests/unit/test_disk.c dom0-tools/config/disk.c,))
$(eval $(call unit_test,block_file,tests/unit/test_block_file.c dom0-tools/block/volume_file.c,\
    $(addprefix -Wl$(comma)--wrap=,open read write lseek fsync calloc)))
