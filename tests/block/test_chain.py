# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""A whole boot chain inside a guest: Debian's GRUB loads a menu and a kernel from the guest's disk, in ring 1 and in ring
3; and Debian's Linux, booted that way, works with its disks.

Needs grub-xen-bin, and for Linux what scripts/linux-image fetches; passed over without them.
"""
import os
import re

import pytest

from linux_shell import SHELL, ask, quiet
from machine import BUILD, LEAVE_CONSOLE, booted

GRUB = "/usr/lib/grub-xen"


@pytest.fixture(scope="module")
def machine():
    """The default image with all its examples."""
    if not os.path.exists(GRUB):
        pytest.skip("grub-xen-bin is not installed")
    with open(f"{BUILD}/dom0.rd.memory", encoding="ascii") as file:
        dom0 = int(file.read())
    with booted(cpus=2, memory=f"{dom0 + 700}M", append=f"console=com1 dom0_mem={dom0}M loglvl=warning") as machine:
        yield machine
        print(machine.text()[-3000:])


@pytest.mark.parametrize("width, ring", [("32", 1), ("64", 3)])
def test_grub_boots_a_kernel(machine, width, ring):
    """GRUB's disk driver lets the device go, and the kernel that follows may have it. Guards against a backend that
    serves only the first driver."""
    machine.send(f"create -c /examples/grub-disk{width}.cfg\r")
    machine.expect(f"hello, a {width}-bit kernel on this disk", timeout=60)
    machine.send("\r")
    machine.expect(f"hello: a {width}-bit guest in ring {ring}", timeout=60)
    machine.expect("argument 2 is \"GRUB\"")
    machine.prompt()
    machine.wait_gone(f"grub-disk{width}")


@pytest.fixture(scope="module")
def linux(machine):
    """Linux, loaded by GRUB from /dev/xvda, at its shell."""
    if "No such" in machine.command("ls /boot/vmlinuz"):
        pytest.skip("dom0's RAM disk has no Linux")
    machine.send("create -c /examples/grub-disk64.cfg\r")
    machine.expect("Debian's Linux", timeout=60)
    machine.send("\x1b[B")
    machine.send("\r")
    machine.expect("Linux version", timeout=120)
    machine.expect(SHELL, timeout=120)
    machine.send(LEAVE_CONSOLE)
    machine.prompt()
    quiet(machine, "grub-disk64")
    return machine


def shell(machine, command):
    """What a command at the guest's shell printed."""
    return ask(machine, command, "grub-disk64")


def test_linux_finds_what_grub_used(linux):
    """Linux's driver connects to the disk that GRUB's had, with all that the backend offers."""
    log = shell(linux, "dmesg | grep blkfront")
    assert "flush diskcache: enabled; persistent grants: enabled; indirect descriptors: enabled" in log
    shell(linux, "grep -q /dev/xvda /proc/mounts || mount /dev/xvda /mnt")
    assert "vmlinux.gz" in shell(linux, "ls /mnt/boot")


def test_data_comes_back(linux):
    """What Linux wrote through its caches, it reads from the disk again. Guards against segments that land elsewhere."""
    shell(linux, "head -c 700001 /dev/urandom > /tmp/data; cp /tmp/data /mnt/data; sync; umount /mnt")
    shell(linux, "echo 3 > /proc/sys/vm/drop_caches; mount /dev/xvda /mnt")
    sums = re.findall(r"[0-9a-f]{32}", shell(linux, "md5sum < /tmp/data; md5sum < /mnt/data"))
    assert len(sums) == 2 and sums[0] == sums[1]


def test_hot_plug(linux):
    """A disk appears in the running guest, read-only as it was given, and goes again. Guards against state changes that
    only a boot would see."""
    assert linux.command("block-attach grub-disk64 /images/scratch.img,raw,xvdb,ro") == ""
    size = "while [ ! -e /sys/block/xvdb/size ]; do usleep 50000; done; cat /sys/block/xvdb/size"
    assert shell(linux, size) == "16384"
    assert "not permitted" in shell(linux, "dd if=/dev/zero of=/dev/xvdb bs=4096 count=1")
    assert linux.command("block-detach grub-disk64 xvdb") == ""
    assert shell(linux, "[ -e /sys/block/xvdb ] || echo gone") == "gone"


def test_a_mounted_disk_goes(linux):
    """Linux 6.1 lets go of a disk that is mounted: what uses it gets errors, and nothing else happens."""
    assert linux.command("block-detach grub-disk64 xvda") == ""
    assert shell(linux, "cat /mnt/boot/* >/dev/null 2>&1 || echo refused") == "refused"
    assert shell(linux, "dmesg | grep -E 'BUG|Oops|WARNING|Call Trace'") == ""


def test_destroyed_with_a_disk(linux):
    """Nothing is left of it."""
    assert linux.command("destroy grub-disk64") == ""
    assert list(linux.domains()) == ["Domain-0"]
