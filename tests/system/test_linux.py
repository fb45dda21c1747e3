# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's own Linux as a guest: from the image that a newcomer boots to a root shell, and what an operator does then.

The set-up step fetches the kernel. Where it could not, these tests fail and say so: a machine without them has not been
checked.
"""
import os
import re

import pytest

from linux_shell import SHELL, ask, console, quiet
from machine import BUILD, LEAVE_CONSOLE, booted, built, config, ramdisk


@pytest.fixture(scope="module")
def linux():
    """A machine booted from the default image, its Linux guest at a shell's prompt."""
    assert os.path.exists(f"{BUILD}/cache/linux/release"), "Debian's kernel is missing: make setup fetches it"
    with booted(cpus=2, memory="1024M", iso=f"{BUILD}/paravane.iso") as machine:
        machine.send("create -c /examples/linux.cfg\r")
        machine.expect("Run /init as init process", timeout=120)
        machine.expect(SHELL)
        machine.send(LEAVE_CONSOLE)
        machine.prompt()
        quiet(machine)
        yield machine


def online(machine, count):
    machine.wait(f"{count} CPUs online in Linux",
                 lambda: ask(machine, "grep -c ^processor /proc/cpuinfo") == str(count))
    machine.wait(f"{count} vCPUs", lambda: machine.domains()["linux"]["vcpus"] == count)


def test_what_it_finds(linux):
    """Both vCPUs came up, the memory of the configuration is there, the release is the package's."""
    with open(f"{BUILD}/cache/linux/release", encoding="ascii") as file:
        release = file.read().strip()
    assert ask(linux, "uname -r") == release
    assert ask(linux, "nproc") == "2"
    assert 190_000 < int(ask(linux, "sed -n 's/^MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo")) < 256 * 1024
    assert ask(linux, "id -u") == "0"
    assert ask(linux, "cat /sys/hypervisor/version/major /sys/hypervisor/version/minor").split() == ["4", "17"]


def test_no_complaint(linux):
    """A kernel that warns, stalls or sees an unknown MSR or hypercall fail says so in its log."""
    assert ask(linux, "dmesg | grep -Ei 'warning|bug:|stalled|lockup|unchecked msr|oops|call trace|hypercall'") == ""


def test_job_control(linux):
    """The shell owns its terminal: Ctrl-C ends what runs, Ctrl-Z stops it."""
    with console(linux):
        linux.send("sh -c \"echo st''arts; exec sleep 1000\"\r")
        linux.expect("starts[\r\n]", timeout=20)
        linux.send("\x1a")
        linux.expect("Stopped", timeout=20)
        linux.expect(SHELL, timeout=20)
        linux.send("fg\r")
        linux.expect("exec sleep", timeout=20)
        linux.send("\x03")
        linux.expect(SHELL, timeout=20)
    assert ask(linux, "jobs") == ""


def test_vcpus_go_and_come(linux):
    """vcpu-set reaches Linux's CPU hotplug in both directions."""
    linux.command("vcpu-set linux 1")
    online(linux, 1)
    linux.command("vcpu-set linux 2")
    online(linux, 2)


def test_balloon(linux):
    """Linux's balloon driver follows mem-set down, and up beyond what it started with."""
    for target in (192, 290):
        assert f"to {target} MiB" in linux.command(f"mem-set linux {target}")
        linux.wait(f"{target} MiB", lambda size=target: linux.domains()["linux"]["memory_kib"] == size * 1024)


def test_store_has_its_word(linux):
    """Linux writes to the nodes it owns."""
    domid = linux.command("domid linux").strip()
    assert linux.command(f"xenstore-read /local/domain/{domid}/control/feature-poweroff").strip() == "1"


def test_memory_that_is_too_small(linux):
    """The error names the sizes and the smallest memory, which then is enough for the builder."""
    output = linux.command("create /examples/linux.cfg name=small disk=[] memory=40")
    found = re.search(r"a kernel of (\d+) KiB with a ramdisk or modules of (\d+) KiB needs memory = (\d+) \(MiB\) at "
                      r"least, the domain has 40", output)
    assert found, output
    assert int(found[2]) == os.path.getsize(f"{BUILD}/linux/initrd") // 1024
    assert "Nothing was created" in linux.command(f"create -n /examples/linux.cfg name=small disk=[] memory={found[3]}")


def test_neighbour(linux):
    """The second guest is at the other address of the same switch: both sides of the network path, and its backend."""
    linux.command("create /examples/linux2.cfg")
    linux.wait_log("linux2", "eth0: 10.0.0.2/24", timeout=120)
    assert "3 packets received" in ask(linux, "ping -c 3 -i 0.2 10.0.0.2")
    linux.command("destroy linux2")
    assert ask(linux, "ping -c 1 -W 1 10.0.0.2 >/dev/null; echo $?") == "1"


def test_reboot_and_poweroff(linux):
    """reboot at the shell brings the domain back as another, with its disk as it was; shutdown runs poweroff inside."""
    before = linux.domains()["linux"]["domid"]
    assert ask(linux, "dmesg >/mnt/log; md5sum </mnt/log >/mnt/sum; df /mnt | grep -c xvda") == "1"
    with console(linux):
        linux.send("reboot\r")
        linux.expect("Restarting system", timeout=30)
    linux.wait("the domain's return", lambda: linux.domains().get("linux", {"domid": before})["domid"] != before)
    linux.wait_log("linux", SHELL, timeout=120)
    quiet(linux)
    assert ask(linux, "md5sum </mnt/log | cmp - /mnt/sum && echo sa''me") == "same"
    linux.command("shutdown linux")
    linux.wait_gone("linux")
    assert re.search("reboot: (Power down|System halted)", linux.log("linux"))
    assert "linux" not in linux.command("xenstore-ls")


def test_damaged_images(tmp_path):
    """What reaches dom0 damaged is refused with a reason by whoever reads it, and leaves nothing behind."""
    image = built("cache/linux/vmlinuz")
    files = {"cut": image[:5_000_000], "zeros": image[:6_000_000] + bytes(1000) + image[6_001_000:],
             "header": image[:0x248] + b"\xff" * 8 + image[0x250:]}
    configs = {f"{name}.cfg": config(name, f"/guests/{name}", memory=256) for name in files}
    with booted(cpus=1, memory="1024M", append="console=com1 dom0_mem=320M",
                initrd=ramdisk(tmp_path / "rd", {**files, **configs})) as machine:
        before = machine.free_mib()
        for name, reason in (("cut", "truncated"), ("zeros", "damaged"), ("header", "truncated")):
            output = machine.command(f"create /guests/{name}.cfg")
            assert f"/guests/{name}: " in output and reason in output, output
        assert list(machine.domains()) == ["Domain-0"]
        assert machine.free_mib() == before
