# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The machine's own disks and cards: what dom0 writes must be in the host's file, what the host sends must arrive."""
import os
import random
import socket
import struct
import subprocess
import threading
import time

import pexpect
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


def power_off(machine):
    """The machine ends by itself: what it wrote is in the file then."""
    machine.send("poweroff\r")
    machine.expect("The machine goes off")
    machine.child.expect(pexpect.EOF, timeout=20)


def by_name(machine):
    return {device["name"]: device for device in machine.json("devices")}


@pytest.mark.parametrize("width, options", [
    (32, ""), (64, ""), (32, ",event_idx=off,indirect_desc=off"), (32, ",queue-size=4,seg-max-adjust=on"),
    (64, ",queue-size=4,indirect_desc=off"), (32, ",disable-legacy=on,bus=pcie.0")])
def test_disk_to_disk(tmp_path, width, options):
    """Every byte of one disk comes out on the other, by whatever way the device offers to describe requests.

    A part of a request lost at the end of a queue, or a segment counted twice, moves all that follows.
    """
    source, target = image(tmp_path / "source.img", 3 * MIB + 512, 1), empty(tmp_path / "target.img", 4 * MIB)
    with booted(initrd=f"{BUILD}/guest{width}/dom0,{BUILD}/dom0.rd",
                extra=disk(source, options, ",readonly=on") + disk(target, options) +
                ["-machine", "q35" if "pcie" in options else "pc"]) as machine:
        assert "cp:" not in machine.command("cp /dev/vda /tmp/copy; cp /tmp/copy /dev/vdb")
        devices = by_name(machine)
        assert devices["/dev/vda"]["in_bytes"] == 3 * MIB + 512 and devices["/dev/vda"]["out_bytes"] == 0
        # The first sector goes twice: empty, so that no half copy is taken for a whole one, and at the end.
        assert devices["/dev/vdb"]["out_bytes"] == 3 * MIB + 2 * 512 and devices["/dev/vdb"]["flushes"] > 0
        power_off(machine)
    with open(target, "rb") as file:
        written = file.read()
    with open(source, "rb") as file:
        assert written == file.read() + bytes(MIB - 512)


def pattern(kib, rounds):
    """What examples/disk leaves: each word names its sector, its place there and the round."""
    words = ((sector << 32 | word << 16 | rounds) * 0x9e3779b97f4a7c15 & (1 << 64) - 1
             for sector in range(kib * 2) for word in range(64))
    return b"".join(word.to_bytes(8, "little") for word in words)


def disk_guest(machine, name, target, rounds, console=""):
    return machine.command(f"create {console} /examples/disk.cfg 'name=\"{name}\"' 'disk=[\"{target},raw,xvda,rw\"]' "
                           f"'extra=\"rounds={rounds}\"'")


@pytest.mark.parametrize("width", [32, 64])
def test_guest_writes_the_host_disk(tmp_path, width):
    """What a guest wrote, flushed and read back is in the host's file once the machine is off, byte for byte.

    The device fetches the data from the guest's own pages: an address wrong by a page would show in either direction.
    """
    target = empty(tmp_path / "target.img", 2 * MIB)
    with booted(initrd=f"{BUILD}/guest{width}/dom0,{BUILD}/dom0.rd", cpus=2, extra=disk(target)) as machine:
        output = disk_guest(machine, "disk", "/dev/vda", 2, "-c")
        assert output.count(" 0 words wrong") == 2 and "disk: done" in output, output
        power_off(machine)
    with open(target, "rb") as file:
        assert file.read() == pattern(1024, 2) + bytes(MIB)


def test_guests_end_while_the_disk_works(tmp_path):
    """A guest that is destroyed with requests at the device leaves nothing behind, and never a page the device still uses.

    The disk is slow, so that requests are under way at any moment; the neighbour's data stays right throughout.
    """
    slow = disk(empty(tmp_path / "slow.img", 4 * MIB), drive=",throttling.bps-total=2097152")
    with booted(cpus=2, extra=slow + disk(empty(tmp_path / "other.img", 2 * MIB))) as machine:
        disk_guest(machine, "first", "/dev/vdb", 1)  # what dom0's tables need once
        machine.wait_gone("first")
        free = machine.json("info")["free_pages"]
        disk_guest(machine, "neighbour", "/dev/vdb", 0)
        machine.wait_log("neighbour", "round 1,")
        for _ in range(4):
            disk_guest(machine, "victim", "/dev/vda", 0)
            before = by_name(machine)["/dev/vda"]["out_requests"]
            machine.wait("requests", lambda: by_name(machine)["/dev/vda"]["out_requests"] > before + 2)
            machine.command("destroy victim")
        rounds = machine.log("neighbour").count("0 words wrong")
        machine.wait("the neighbour to go on", lambda: machine.log("neighbour").count("0 words wrong") > rounds)
        machine.command("destroy neighbour")
        machine.wait("every page back", lambda: machine.json("info")["free_pages"] == free)
        assert all(device["errors"] == 0 for device in by_name(machine).values())
        assert "cp:" not in machine.command("cp /dev/vda /tmp/copy")


def test_what_cannot_be_used(tmp_path):
    """A device that cannot be driven, a disk that may not be written, or is in use: the reason, and nothing else stops."""
    good, old, small = (empty(tmp_path / f"{name}.img", MIB) for name in ("good", "old", "small"))
    with booted(extra=disk(good, drive=",readonly=on") + disk(old, ",disable-modern=on,disable-legacy=off") +
                disk(small)) as machine:
        assert "/dev/vdb" not in machine.command("ls /dev")
        assert "before virtio 1.0" in by_name(machine)["/dev/vdb"]["problem"]
        assert "cannot be used: it offers only" in machine.text()
        assert "read-only" in machine.command("devices").splitlines()[1]
        assert "read-only" in machine.command("cp /examples/disk.cfg /dev/vda")
        output = disk_guest(machine, "disk", "/dev/vda", 1)
        assert "read-only" in output.lower() and list(machine.domains()) == ["Domain-0"], output
        assert "ends after 1024 KiB" in machine.command("cp /boot/grub-x86_64-xen.bin /dev/vdc")
        disk_guest(machine, "disk", "/dev/vdc", 0)
        assert "busy" in machine.command("cp /examples/disk.cfg /dev/vdc").lower()


def test_bad_sector(tmp_path):
    """A sector that the host cannot read is an error for whoever asked for it, and for nobody else."""
    rules = tmp_path / "rules"
    rules.write_text('[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "1000"\n')
    bad = ["-drive", f"if=none,id=bad,format=raw,file.driver=blkdebug,file.config={rules},file.image.driver=file,"
           f"file.image.filename={image(tmp_path / 'bad.img', MIB, 2)}", "-device", "virtio-blk-pci,drive=bad"]
    with booted(extra=bad + disk(empty(tmp_path / "good.img", MIB))) as machine:
        assert "Input/output error" in machine.command("cp /dev/vda /tmp/copy").replace("I/O", "Input/output")
        assert by_name(machine)["/dev/vda"]["errors"] == 1
        output = disk_guest(machine, "disk", "/dev/vda", 1, "-c")
        assert "at sector" in output and "failed" in output, output
        assert "0 words wrong" in disk_guest(machine, "disk", "/dev/vdb", 1, "-c")


def test_dump_onto_a_disk(tmp_path):
    """dump-core writes a guest's memory straight onto a disk: the host finds a whole ELF core in its file."""
    target = empty(tmp_path / "core.img", 24 * MIB)
    with booted(extra=disk(target)) as machine:
        machine.command("create /examples/ticker.cfg")
        assert "cannot" not in machine.command("dump-core ticker /dev/vda")
        power_off(machine)
    listing = subprocess.run(["readelf", "-hS", target], capture_output=True, text=True, check=True).stdout
    assert "CORE (Core file)" in listing and ".xen_pages" in listing, listing


def test_size_of_a_large_disk(tmp_path):
    """dom0's off_t ends at 2 GiB: beyond it, a disk once was as small as that to ls and to dump-core."""
    path = tmp_path / "large.img"
    with open(path, "wb") as file:
        file.truncate(5 << 30)
    with booted(extra=disk(str(path))) as machine:
        assert machine.json("ls /dev") == [{"name": "vda", "directory": False, "size": 5 << 30}]
        machine.send("cat /dev/vda\r")
        time.sleep(0.5)
        machine.send("\x03")
        assert "cat: /dev/vda: interrupted" in machine.prompt()


def test_no_devices():
    """A machine without them is none the worse, and says so."""
    with booted() as machine:
        assert "no disk, no network card and no link" in machine.command("devices")
        assert machine.json("devices") == [] and machine.command("ls /dev") == ""


class Peer:
    """A host on the other end of the card's wire: a UDP socket that carries Ethernet frames."""

    MAC = bytes.fromhex("020000000001")
    IP = bytes([10, 0, 0, 99])

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        probe.bind(("127.0.0.1", 0))
        self.card = probe.getsockname()
        probe.close()
        self.pings = self.requests = 0
        self.stopping = False
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def arguments(self, options=""):
        host, port = self.card
        return ["-netdev", f"dgram,id=wire,local.type=inet,local.host={host},local.port={port},remote.type=inet,"
                f"remote.host=127.0.0.1,remote.port={self.socket.getsockname()[1]}",
                "-device", f"virtio-net-pci,netdev=wire,mac=52:54:00:00:00:99,romfile={options}"]

    def serve(self):
        self.socket.settimeout(0.2)
        while not self.stopping:
            try:
                self.answer(self.socket.recv(65600))
            except TimeoutError:
                pass

    def answer(self, frame):
        kind = frame[12:14]
        if kind == b"\x08\x06" and frame[20:22] == b"\0\1" and frame[38:42] == self.IP:
            self.requests += 1
            self.send(frame[6:12], kind, frame[14:20] + b"\0\2" + self.MAC + self.IP + frame[22:32])
        elif kind == b"\x08\0" and frame[23] == 1 and frame[34] == 8 and frame[:6] == self.MAC:
            assert internet_sum(frame[34:14 + int.from_bytes(frame[16:18], "big")]) == 0
            self.pings += 1
            reply = bytearray(frame[14:])
            reply[12:16], reply[16:20] = frame[30:34], frame[26:30]
            reply[20] = 0
            total = int.from_bytes(frame[36:38], "big") + 0x0800
            reply[22:24] = ((total & 0xffff) + (total >> 16)).to_bytes(2, "big")
            self.send(frame[6:12], kind, bytes(reply))

    def send(self, to, kind, payload):
        self.socket.sendto((to + self.MAC + kind + payload).ljust(60, b"\0"), self.card)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        self.socket.close()


def internet_sum(data):
    """RFC 1071's checksum; 0 over a range that holds a right one."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


@pytest.mark.parametrize("width, options", [(32, ""), (64, ",mrg_rxbuf=off,event_idx=off,indirect_desc=off")])
def test_ping_through_the_card(width, options):
    """A guest reaches a host behind the machine's card: its frames leave whole and the answers find their way back."""
    with Peer() as peer, booted(initrd=f"{BUILD}/guest{width}/dom0,{BUILD}/dom0.rd",
                                extra=peer.arguments(options)) as machine:
        assert by_name(machine)["eth0"]["address"] == "52:54:00:00:00:99"
        output = machine.command("create -c /examples/ping.cfg 'extra=\"ip=10.0.0.10 to=10.0.0.99 count=5 size=1400\"'")
        assert "5 of 5 answered" in output, output
        assert peer.pings == 5 and peer.requests >= 1
        card = by_name(machine)["eth0"]
        assert card["in_requests"] >= 6 and card["out_requests"] >= 6 and card["errors"] == 0
