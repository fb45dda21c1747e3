# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Shared interrupts; PCI, the virtio transport and its queues, over a machine made of arrays; the drivers over a device
# made of a loop.

$(eval $(call unit_test,machine,tests/unit/test_machine.c $(addprefix dom0-tools/machine/,pci.c virtio.c virtqueue.c),))
# $(call driver_test,NAME,the driver's files): over a queue as it is, and driver_fake.c.
driver_test = $(eval $(call unit_test,$(1),tests/unit/test_$(1).c tests/unit/driver_fake.c $(2) \
                        dom0-tools/machine/virtqueue.c,-Iguest-pv/include))
$(call driver_test,virtio_disk,dom0-tools/machine/virtio_disk.c)
$(call driver_test,virtio_card,dom0-tools/network/packet.c \
    $(addprefix dom0-tools/machine/,virtio_card.c card_receive.c card_send.c))
$(call driver_test,virtio_port,dom0-tools/machine/virtio_port.c)
$(eval $(call unit_test,interrupts,tests/unit/test_interrupts.c dom0-tools/machine/interrupts.c,-Iguest-pv/include))
