# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# PCI, the virtio transport and its queues, over a machine made of arrays.

$(eval $(call unit_test,machine,tests/unit/test_machine.c $(addprefix dom0-tools/machine/,pci.c virtio.c virtqueue.c),))
