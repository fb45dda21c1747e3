# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The machine's own disks and cards: what dom0 writes must be in the host's file, what the host sends must arrive."""
import hashlib
import os
import random
import socket
import struct
import time

import pytest

from machine import BUILD, booted

MIB = 1 << 20


def disk(path, options="", drive=""):
    """QEMU's arguments for one raw disk."""
    name = os.path.basename(path).replace(".", "")
    return ["-drive", f"file={path},if=none,id={name},format=raw{drive}", "-device",
            f"virtio-blk-pci,drive={name}{options}"]


def image(path, size, seed):
    """A file of noise that is the same at every run."""
    path.write_bytes(random.Random(seed).randbytes(size))
    return str(path)


def empty(path, size):
    path.write_bytes(bytes(size))
    return str(path)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def power_off(machine):
    """The machine ends by itself: what it wrote is in the file then."""
    machine.send("poweroff\r")
    machine.expect(r"The machine goes off")
    machine.child.expect_exact("halted") if False else machine.child.wait()


def by_name(machine):
    return {device["name"]: device for device in machine.json("devices")}


@pytest.mark.parametrize("width, options", [
    (32, ""), (64, ""), (32, ",event_idx=off,indirect_desc=off"), (32, ",queue-size=4,seg-max-adjust=on"),
    (64, ",queue-size=4,indirect_desc=off"), (32, ",disable-legacy=on")])
def test_disk_to_disk(tmp_path, width, options):
    """Every byte of one disk comes out on the other, by whatever way the device offers to describe requests.

    A part of a request lost at the end of a queue, or a segment counted twice, moves all that follows.
    """
    source, target = image(tmp_path / "source.img", 3 * MIB + 512, 1), empty(tmp_path / "target.img", 4 * MIB)
    with booted(initrd=f"{BUILD}/guest{width}/dom0,{BUILD}/dom0.rd",
                extra=disk(source, options, ",readonly=on") + disk(target, options)) as machine:
        assert machine.command("cp /dev/vda /tmp/copy; cp /tmp/copy /dev/vdb") == ""
        devices = by_name(machine)
        assert devices["/dev/vda"]["in_bytes"] == 3 * MIB + 512 and devices["/dev/vda"]["out_bytes"] == 0
        assert devices["/dev/vdb"]["out_bytes"] == 3 * MIB + 512 and devices["/dev/vdb"]["flushes"] > 0
        power_off(machine)
    with open(target, "rb") as file:
        written = file.read()
    with open(source, "rb") as file:
        assert written == file.read() + bytes(MIB - 512)
