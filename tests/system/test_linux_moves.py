# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Linux under load, with disk, network and two vCPUs, suspended, saved, restored and migrated; small guests beside it. `make
soak-migration` does the same a hundred times."""
import re

import pytest

from machine import booted
from moving import Linux, Pattern, Ticker


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk") / "disk"
    disk.write_bytes(b"")
    with open(disk, "r+b") as file:
        file.truncate(192 << 20)
    with booted(cpus=2, memory="1200M", append="console=com1 dom0_mem=400M loglvl=info",
                extra=["-drive", f"file={disk},format=raw,if=none,id=d", "-device", "virtio-blk-pci,drive=d"]) as machine:
        yield machine


@pytest.fixture(scope="module")
def linux(machine):
    machine.command("create /examples/linux2.cfg memory=96 maxmem=96 vcpus=1")
    machine.command("create /examples/linux.cfg memory=128 maxmem=160")
    for name in ("linux", "linux2"):
        machine.wait_log(name, ":/root# ", timeout=180)
    guest = Linux(machine, "linux", "linux2")
    guest.load()
    return guest


def test_suspend_called_off(linux):
    """Its devices must go on with what they had: nothing tells the back ends of a suspend that was called off. No vCPU may
    still be on a CPU when suspend returns: what is saved then would change."""
    number = linux.number
    linux.machine.command("suspend linux")
    assert "---s--" in linux.machine.command("list linux")
    assert "has ended (suspend)" in linux.machine.command("unpause linux")
    linux.machine.command("resume linux")
    answer = linux.ask("ping -c 5 -W 10 10.0.0.2")
    assert re.search(r"[1-5] packets received", answer), answer
    assert linux.machine.domains()["linux"]["domid"] == number
    assert "is not suspended" in linux.machine.command("resume linux")


def test_state_that_travels(linux):
    """The balloon's target, vCPUs that are off, and the UUID are the domain's own, not its configuration's."""
    machine = linux.machine
    machine.command("vcpu-set linux 1")
    machine.command("mem-set -w linux 120")
    uuid = machine.command("xenstore-read /local/domain/%d/vm" % linux.number)
    linux.save_restore("/dev/vda")
    assert machine.command("xenstore-read /local/domain/%d/vm" % linux.number) == uuid
    assert machine.domains()["linux"]["memory_kib"] == 120 * 1024
    assert linux.ask("nproc") == "1"
    machine.command("vcpu-set linux 2; mem-set -w linux 128")
    machine.wait("both vCPUs", lambda: linux.ask("nproc") == "2")
    assert machine.domains()["linux"]["memory_kib"] == 128 * 1024


def test_large_requests(linux):
    """A saved domain on a disk came and went in pieces of 2 KiB when its buffer began inside a sector: ten times slower."""
    fields = re.search(r"^/dev/vda +\S+ +(\d+) +(\d+) +(\d+) +(\d+)", linux.machine.command("devices"), re.MULTILINE)
    reads, read_kib, writes, written_kib = map(int, fields.groups())
    assert read_kib / reads > 64 and written_kib / writes > 64


def test_again_at_once(linux):
    """A block front end that is suspended before it has connected again brings Linux down: the request waits for it."""
    said = linux.machine.command("save linux /tmp/a; restore /tmp/a; save linux /tmp/a; restore /tmp/a; rm /tmp/a", timeout=180)
    assert len(re.findall("restored linux as domain", said)) == 2, said
    linux.number = linux.machine.domains()["linux"]["domid"]
    linux.moves += 2
    linux.away += 30
    assert linux.ask("echo seen >/mnt/up && sync && grep -q seen /mnt/up && echo fi''ne") == "fine"


def test_name_that_is_taken(linux):
    """A copy must not run beside the one it was made from, nor leave anything behind."""
    machine = linux.machine
    machine.command("save -c linux /tmp/a", timeout=120)
    before = machine.domains()
    assert 'the name "linux" is taken by domain' in machine.command("restore /tmp/a")
    assert machine.domains().keys() == before.keys()
    machine.command("rm /tmp/a")


def test_migrated_under_load(linux):
    """What runs in it must not notice: files, processes, memory and the ping in both directions are compared."""
    for _ in range(2):
        linux.migrate()
        assert linux.connected(), "migrate was over, and its source destroyed, before the devices had connected again"
    result = linux.finished()
    assert not linux.problems, linux.problems
    assert all(result[what] > 0 for what in ("disk", "forks", "memory")), result
    assert "another port's" not in linux.machine.dmesg()


def test_small_guests(machine):
    """Every tick once, every page as it was written, in both widths."""
    guests = []
    for name, kind in (("ticker", Ticker), ("ticker64", Ticker), ("pattern32", Pattern), ("pattern64", Pattern)):
        machine.command(f"create /examples/{name}.cfg {'extra=period=100' if kind is Ticker else 'memory=16'}")
        guests.append(kind(machine, name))
    for guest in guests:
        guest.save_restore()
        guest.migrate()
        machine.wait_log(guest.name, r"tick \d+,|round \d+,", timeout=30)
        guest.finished()
    assert [guest.problems for guest in guests] == [[], [], [], []]
    assert all(guest.last > 3 for guest in guests[:2]) and all(guest.rounds > 0 for guest in guests[2:])
