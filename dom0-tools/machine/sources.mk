# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
MACHINE_SOURCES := $(addprefix dom0-tools/machine/,card_receive.c card_send.c diskfile.c dma.c interrupts.c machine.c mmio.c \
                     pci.c pirq.c ports.c virtio.c virtio_card.c virtio_port.c virtio_disk.c virtqueue.c)
