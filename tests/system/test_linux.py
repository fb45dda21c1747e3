# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's own Linux as a guest: its boot image as the package ships it, unpacked and built by our tools.

Needs linux-image-cloud-amd64 and busybox-static on the testing machine, and is passed over without them.
"""
import glob
import gzip
import os
import subprocess
import sys
import time

import pytest

from machine import BUILD, booted

KERNELS = sorted(glob.glob("/boot/vmlinuz-*-cloud-amd64"))
BUSYBOX = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(path)), None)

INIT = b"""#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
echo "user space: $(/bin/busybox uname -rm)"
exec /bin/busybox setsid /bin/busybox cttyhack /bin/busybox sh
"""


def archive(entries):
    """A cpio archive of the newc form: (name, mode, contents) each."""
    data = bytearray()
    for number, (name, mode, contents) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        raw = name.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(raw), 0]
        data += b"070701" + b"".join(b"%08x" % field for field in fields) + raw
        data += bytes(-len(data) % 4) + contents
        data += bytes(-len(data) % 4)
    return bytes(data)


@pytest.fixture(scope="module")
def linux(tmp_path_factory):
    """A machine with a running Linux guest of two vCPUs, its shell at the console."""
    if not KERNELS or not BUSYBOX:
        pytest.skip("linux-image-cloud-amd64 or busybox-static is not installed")
    directory = tmp_path_factory.mktemp("linux")
    with open(BUSYBOX, "rb") as file:
        busybox = file.read()
    folders = [(name, 0o40755, b"") for name in ("bin", "proc", "dev")]
    files = [("bin/busybox", 0o100755, busybox), ("init", 0o100755, INIT)]
    (directory / "initrd").write_bytes(gzip.compress(archive(folders + files), 1))
    (directory / "linux.cfg").write_text('name = "linux"\nkernel = "/guests/vmlinuz"\nramdisk = "/guests/initrd"\n'
                                         'memory = 256\nmaxmem = 300\nvcpus = 2\nextra = "console=hvc0"\n')
    disk = directory / "dom0.rd"
    subprocess.run([sys.executable, "scripts/ramdisk.py", str(disk), f"guests/vmlinuz={KERNELS[-1]}",
                    f"guests/initrd={directory}/initrd", f"guests/linux.cfg={directory}/linux.cfg"], check=True)
    with booted(cpus=2, memory="1024M", append="console=com1 dom0_mem=256M loglvl=warning",
                initrd=f"{BUILD}/dom0,{disk}") as machine:
        machine.send("create -c /guests/linux.cfg\r")
        machine.expect("user space: ", timeout=180)
        machine.expect("# ", timeout=60)
        machine.send("\x1d")
        machine.prompt()
        yield machine


def ask(machine, command):
    """Types a command at the guest's shell; what it answered."""
    machine.send("console linux\r")
    machine.expect("Ctrl-] leaves it")
    machine.send(f"{command}; echo an''swered\r")
    output = machine.expect("answered", timeout=60)
    machine.send("\x1d")
    machine.prompt()
    return output


def test_two_processors(linux):
    """The second vCPU came up."""
    assert "\n2\n" in ask(linux, "busybox grep -c ^processor /proc/cpuinfo")


def test_balloon(linux):
    """Linux's balloon driver follows mem-set in both directions, beyond what it started with too."""
    for target in (192, 290):
        assert f"to {target} MiB" in linux.command(f"mem-set linux {target}")
        end = time.time() + 60
        while linux.domains()["linux"]["memory_kib"] != target * 1024:
            assert time.time() < end
            time.sleep(0.5)


def test_vcpu_is_taken_away(linux):
    """vcpu-set reaches Linux's CPU hotplug."""
    linux.command("vcpu-set linux 1")
    end = time.time() + 60
    while linux.domains()["linux"]["vcpus"] != 1:
        assert time.time() < end
        time.sleep(0.5)


def test_store_has_its_word(linux):
    """Linux writes to the nodes it owns, and only there."""
    domid = linux.command("domid linux").strip()
    assert linux.command(f"xenstore-read /local/domain/{domid}/control/feature-poweroff").strip() == "1"


def test_it_goes_without_a_trace(linux):
    """A busy guest destroyed leaves neither memory nor nodes."""
    linux.command("destroy linux")
    assert list(linux.domains()) == ["Domain-0"]
    assert "linux" not in linux.command("xenstore-ls")
