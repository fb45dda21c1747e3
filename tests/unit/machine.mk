# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Shared interrupts; PCI, the virtio transport and its queues, over a machine made of arrays; the drivers over a device
# made of a loop.

$(eval $(call unit_test,machine,tests/unit/test_machine.c $(addprefix dom0-tools/machine/,pci.c virtio.c virtqueue.c),))
$(eval $(call unit_test,virtio_disk,tests/unit/test_virtio_disk.c dom0-tools/machine/virtio_disk.c \
                        dom0-tools/machine/virtqueue.c,-Iguest-pv/include))
$(eval $(call unit_test,virtio_card,tests/unit/test_virtio_card.c dom0-tools/network/packet.c \
                        $(addprefix dom0-tools/machine/,virtio_card.c card_receive.c card_send.c virtqueue.c),-Iguest-pv/include))
$(eval $(call unit_test,virtio_port,tests/unit/test_virtio_port.c dom0-tools/machine/virtio_port.c \
                        dom0-tools/machine/virtqueue.c,-Iguest-pv/include))
$(eval $(call unit_test,interrupts,tests/unit/test_interrupts.c dom0-tools/machine/interrupts.c,-Iguest-pv/include))
