# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""A guest that misbehaves: what it said at last, the keys and lines that wake it, and its memory in a file."""
import os
import re
import subprocess
import sys

import pytest

from machine import BUILD, booted, config, ramdisk

sys.path.insert(0, "scripts")
import xen_core  # pylint: disable=wrong-import-position

MIB = 1 << 20
PANIC = "Kernel panic - not syncing: sysrq triggered crash"


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """The machine's disk, on the host."""
    path = tmp_path_factory.mktemp("disk") / "vda.img"
    with open(path, "wb") as file:
        file.truncate(160 * MIB)
    return str(path)


@pytest.fixture(scope="module")
def machine(tmp_path_factory, disk):
    """A machine with a disk, and dom0 with room for a core file."""
    linux = config("linux", "/boot/vmlinuz", ramdisk="/boot/initrd", memory=128, vcpus=2,
                   extra="console=hvc0 loglevel=4 sysrq_always_enabled hostname=linux", on_crash="coredump-destroy")
    initrd = ramdisk(tmp_path_factory.mktemp("rd") / "rd", {"linux.cfg": linux})
    with booted(cpus=2, memory="1024M", append="console=com1 dom0_mem=400M loglvl=warning", initrd=initrd,
                extra=("-drive", f"if=virtio,format=raw,cache=unsafe,file={disk}")) as machine:
        yield machine


def reader(*arguments):
    """scripts/xen_core.py; what it printed."""
    result = subprocess.run([sys.executable, "scripts/xen_core.py", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def backtrace(kernel, core, tmp_path):
    """gdb's, of the first vCPU."""
    reader("gdb", core, str(tmp_path / "core"))
    result = subprocess.run(["gdb", "-nx", "-batch", "-ex", "bt", kernel, str(tmp_path / "core")], capture_output=True,
                            text=True, check=False)
    return result.stdout + result.stderr


@pytest.mark.parametrize("width", [32, 64])
def test_core_of_a_guest_in_gdb(machine, disk, tmp_path, width):
    """A core file whose registers, page tables and pages do not belong together shows no way back to main()."""
    machine.command(f"create /examples/ticker.cfg kernel=/boot/ticker{width}")
    machine.wait_log("ticker", "tick 2,")
    assert "16 MiB written to /dev/vda" in machine.command("dump-core ticker /dev/vda", timeout=60)
    assert machine.domains()["ticker"]["state"][2] == "-", "it stays paused"
    machine.command("destroy ticker")
    assert f"{width}-bit guest, 1 vCPUs, 4096 pages" in reader("info", disk)
    lines = backtrace(f"{BUILD}/guest{width}/ticker.elf", disk, tmp_path)
    assert re.search(r"#\d+ .* in thread_sleep_until ", lines), lines
    assert re.search(r"#\d+ .* in main .*examples/ticker/ticker\.c:\d+", lines), lines


def test_core_reader_sees_damage(disk, tmp_path):
    """A reader that is content with anything would be no test of the file above."""
    with open(disk, "rb") as file:
        data = bytearray(file.read(20 * MIB))
    damages = {"page": len(data) - 1, "table": data.index(b".xen_p2m")}
    for name, at in damages.items():
        broken = tmp_path / name
        broken.write_bytes(data[:17 * MIB // 2] if name == "page" else data[:at] + b"X" + data[at + 1:])
        result = subprocess.run([sys.executable, "scripts/xen_core.py", "check", str(broken)], capture_output=True,
                                text=True, check=False)
        assert result.returncode == 1 and result.stderr, name


def test_core_whose_tables_lead_in_circles(disk, tmp_path):
    """The page tables are the guest's: a reader that follows each entry of them would not end in this century."""
    core = xen_core.Core(disk)
    offset = core.page_offset(core.root(0))
    entry = (core.root(0) << 12 | 7).to_bytes(8, "little")
    broken = tmp_path / "circles"
    broken.write_bytes(core.data[:offset] + entry * 512 + core.data[offset + 4096:20 * MIB])
    result = subprocess.run([sys.executable, "scripts/xen_core.py", "gdb", str(broken), str(tmp_path / "out")], timeout=30,
                            capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "refer to themselves" in result.stderr


def test_core_with_no_room(machine):
    """A core file that cannot fit is refused before it takes dom0's memory, and leaves nothing."""
    machine.command("create /examples/ticker.cfg memory=400")
    assert re.search(r"takes 40\d MiB, /tmp has room for \d+; name a disk", machine.command("dump-core ticker /tmp/core"))
    assert machine.json("ls /tmp") == []
    assert re.search(r"takes 40\d MiB, the disk has 160", machine.command("dump-core ticker /dev/vda"))
    assert machine.domains()["ticker"]["state"][2] == "-", "it stays paused after a failure"
    machine.command("destroy ticker")


def test_dump_and_crash_or_reset(machine):
    """--reset restarts the domain when it is dumped, --crash lets on_crash decide; both leave the file."""
    machine.command("create /examples/ticker.cfg on_crash=preserve")
    first = machine.domains()["ticker"]["domid"]
    machine.command("dump-core --live --reset ticker /tmp/core")
    machine.wait("a new domain", lambda: machine.domains().get("ticker", {"domid": first})["domid"] != first)
    machine.command("dump-core -C ticker /tmp/core")
    machine.wait("state c", lambda: machine.domains()["ticker"]["state"][3:5] == "sc")
    assert "has ended already (crash)" in machine.command("dump-core -C ticker /tmp/core")
    machine.command("destroy ticker")
    assert [entry["name"] for entry in machine.json("ls /tmp")] == ["core"]
    machine.command("rm /tmp/core")


def test_errors_say_what_is_wrong(machine):
    """Triggers of hardware that is not there, vCPUs, letters, and domains that cannot be asked."""
    machine.command("create -p /examples/ticker.cfg")
    assert "has no vCPU 1" in machine.command("trigger ticker nmi 1")
    for name in ("power", "sleep", "reset", "init", "s3resume"):
        assert "a paravirtualized guest does not have" in machine.command(f"trigger ticker {name}")
    assert "domain 0 is the one you are talking to" in machine.command("trigger 0 nmi")
    assert 'no trigger "boom"' in machine.command("trigger ticker boom")
    assert "one letter is wanted" in machine.command("sysrq ticker help")
    assert "read-only" in machine.command("dump-core ticker /boot/core")
    assert "cannot write its own memory" in machine.command("dump-core 0 /tmp/core")
    machine.command("unpause ticker")
    assert "is not paused" in machine.command("unpause ticker")
    machine.command("destroy ticker")


def test_linux_panics(machine, disk):
    """NMI and SysRq reach Linux; when it panics, the notice says why, and its core file has the panic's text in it."""
    assert os.path.exists(f"{BUILD}/cache/linux/release"), "Debian's kernel is missing: make setup fetches it"
    machine.send("create -c /guests/linux.cfg\r")
    machine.expect("linux:[^ ]*# ", timeout=120)
    machine.send("\x1d")
    machine.prompt()
    machine.command("sysrq linux h")
    machine.wait_log("linux", "sysrq: HELP")
    machine.command("trigger linux nmi 1")
    machine.wait_log("linux", "NMI received .* on CPU 1")
    machine.command("sysrq linux c")
    machine.wait_gone("linux", timeout=60)
    machine.keys("")
    text = machine.text()[machine.text().rindex("[linux: domain"):]
    assert re.match(r"\[linux: domain \d+ ended \(crash\) and was destroyed", text)
    core = re.search(r"its core file is (/tmp/dump/linux-\d+\.core)", text).group(1)
    assert f"| [" in text and PANIC in text, text
    assert PANIC in machine.log("linux")
    assert "cp:" not in machine.command(f"cp {core} /dev/vda", timeout=120)
    machine.command(f"rm {core}")
    assert "64-bit guest, 2 vCPUs" in reader("info", disk)
    with open(disk, "rb") as file:
        assert PANIC.encode() in file.read()
