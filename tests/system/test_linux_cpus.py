# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's Linux on four vCPUs of a machine of two CPUs, while vCPUs come and go under load."""
import os
import sys

import pytest

from linux_shell import SHELL, ask, console, quiet
from machine import BUILD, LEAVE_CONSOLE, booted, built, config, ramdisk

sys.path.insert(0, "scripts")
from initramfs import FILE, Archive  # pylint: disable=wrong-import-position

COMPLAINT = "warning|bug:|stalled|lockup|unchecked msr|oops|call trace"


def initrd():
    """The default guest's, and one program more: the kernel unpacks archives one after another."""
    archive = Archive()
    archive.add("bin/cpus", FILE | 0o755, built("tests/linux/cpus"))
    return built("linux/initrd") + archive.finish()


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    assert os.path.exists(f"{BUILD}/cache/linux/release"), "Debian's kernel is missing: make setup fetches it"
    busy = config("busy", "/boot/vmlinuz", ramdisk="/guests/initrd", memory=256, vcpus=4,
                  extra="console=hvc0 hostname=busy")
    disk = ramdisk(tmp_path_factory.mktemp("rd") / "rd", {"busy.cfg": busy, "initrd": initrd()})
    with booted(cpus=2, memory="1024M", initrd=disk, append="console=com1 dom0_mem=256M") as machine:
        machine.send("create -c /guests/busy.cfg\r")
        machine.expect(SHELL, timeout=180)
        machine.send(LEAVE_CONSOLE)
        machine.prompt()
        quiet(machine, "busy")
        yield machine


def test_threads_on_changing_cpus(machine):
    """A register, a base, a timer or a page lost when a vCPU moves, sleeps or is unplugged under load shows here."""
    with console(machine, "busy"):
        machine.send("cpus 8 & sleep 0\r")
        machine.expect(SHELL, timeout=60)
    for count in (1, 3, 2, 4):
        machine.command(f"vcpu-set -i busy {count}")
        machine.wait(f"{count} vCPUs", lambda wanted=count: machine.domains()["busy"]["vcpus"] == wanted, timeout=60)
    ask(machine, "wait", "busy", timeout=120)
    assert ask(machine, f"dmesg | grep -Ei '{COMPLAINT}'; nproc", "busy") == "4"
    assert "cpus: ok" in machine.text()
    assert "cpus: FAILED" not in machine.text()
