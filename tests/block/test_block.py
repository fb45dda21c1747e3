# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Disks of guests: how they come and go, what is refused, and what a hostile frontend can do to its neighbours."""
import re
import struct
import subprocess
import sys

import pytest

from machine import BUILD, booted, built, config, ramdisk

HEADER = "Vdev  BE  handle state evt-ch ring-ref BE-path                       "
MIB = 1 << 20


def cut_short():
    """An ext2 superblock that speaks of 64 MiB, in an image of one."""
    image = bytearray(MIB)
    struct.pack_into("<I", image, 1024 + 4, 65536)
    struct.pack_into("<H", image, 1024 + 56, 0xEF53)
    return bytes(image)


def disk_config(name, program, *disks, **settings):
    return config(name, f"/guests/{program}", disk=list(disks), **settings)


# Image and whether its owner may write it.
IMAGES = {
    "a.img": (bytes(MIB), True), "b.img": (bytes(MIB), True), "c.img": (bytes(8 * MIB), True),
    "kept.img": (bytes(MIB), False), "empty.img": (b"", True), "odd.img": (bytes(1000), True),
    "cut.img": (cut_short(), True),
}
CONFIGS = {
    "hostile32.cfg": disk_config("hostile32", "hostile32", "/images/a.img,,xvda", on_poweroff="preserve"),
    "hostile64.cfg": disk_config("hostile64", "hostile64", "/images/b.img,,xvda", on_poweroff="preserve"),
    "neighbour.cfg": disk_config("neighbour", "disk64", "/images/c.img,,xvda", extra="rounds=0"),
    "reader.cfg": disk_config("reader", "disk32", "/images/kept.img,,xvda,ro"),
    "bare.cfg": config("bare", "/guests/disk32", extra="rounds=1"),
}


@pytest.fixture(scope="module", params=["32", "64"])
def machine(request, tmp_path_factory):
    """dom0 of either width with the guests and the images above; a neighbour that works on its disk for ever."""
    directory = tmp_path_factory.mktemp("block")
    packed = []
    programs = {f"{name}{width}": built(f"guest{width}/{program}") for width in (32, 64)
                for name, program in (("hostile", "test-blk-hostile"), ("disk", "disk"))}
    for name, (contents, writable) in {**{f"images/{k}": v for k, v in IMAGES.items()},
                                       **{f"guests/{k}": (v.encode(), False) for k, v in CONFIGS.items()},
                                       **{f"guests/{k}": (v, False) for k, v in programs.items()}}.items():
        file = directory / name.replace("/", "-")
        file.write_bytes(contents)
        file.chmod(0o644 if writable else 0o444)
        packed.append(f"{name}={file}")
    disk = directory / "dom0.rd"
    subprocess.run([sys.executable, "scripts/ramdisk.py", str(disk), *packed], check=True)
    with booted(cpus=2, append="console=com1 dom0_mem=128M loglvl=warning",
                initrd=f"{BUILD}/guest{request.param}/dom0,{disk}") as machine:
        machine.free_before = machine.free_mib()
        assert "is running" in machine.command("create /guests/neighbour.cfg")
        machine.wait_log("neighbour", "round 2, .* 0 words wrong")
        yield machine
        print(machine.text()[-3000:])


def neighbour_goes_on(machine):
    """The neighbour's disk works, and never gave a wrong word."""
    rounds = re.findall(r"round (\d+), .* (\d+) words wrong", machine.log("neighbour"))
    assert rounds and all(wrong == "0" for _, wrong in rounds)
    machine.wait_log("neighbour", f"round {int(rounds[-1][0]) + 1}, .* 0 words wrong")


@pytest.mark.parametrize("width", ["32", "64"])
def test_hostile_frontend(machine, width):
    """A frontend lies in its nodes, indices, grants, counts and sectors: errors or a cut-off for it alone. Guards against
    every way in which a value of the guest could be used before it is checked."""
    machine.command(f"create /guests/hostile{width}.cfg")
    machine.wait_log(f"hostile{width}", r"blk-hostile: \d+ passed, \d+ failed", timeout=60)
    log = machine.log(f"hostile{width}")
    assert re.search(r"blk-hostile: [1-9]\d+ passed, 0 failed", log), log
    neighbour_goes_on(machine)
    domid = machine.domains()[f"hostile{width}"]["domid"]
    assert f"vbd 51712 of domain {domid}: cut off: its request index" in machine.dmesg()
    assert machine.command(f"block-detach hostile{width} xvda") == "", "closed already, it is let go at once"
    machine.command(f"destroy hostile{width}")


@pytest.mark.parametrize("disk, reason", [
    ("/images/none.img,,xvda", "there is no such file or disk"),
    ("/images/empty.img,,xvda", "it is empty, or its size is not a multiple of 512"),
    ("/images/odd.img,,xvda", "it is empty, or its size is not a multiple of 512"),
    ("/images/kept.img,,xvda,rw", "it is read-only"),
    ("/images/c.img,,xvda,rw", "another device uses it"),
    ("/images/c.img,,xvda,ro", "another device writes to it"),
    ("/images/cut.img,,xvda", "has 2048 sectors, but its ext file system says 131072: it was cut short"),
    ("/images,,xvda", "it is a directory"),
    ("/images/a.img,qcow2,xvda", "qemu-img convert -O raw"),
    ("/images/a.img,,vda", "names no disk"),
])
def test_bad_disk(machine, disk, reason):
    """A disk that cannot be had is refused with its reason before any domain is made, by --dry-run too. Guards against
    guests that find out at boot."""
    for options in ("-n ", ""):
        output = machine.command(f"create {options}/guests/bare.cfg 'disk=[\"{disk}\"]'")
        assert reason in output, output
    assert "bare" not in machine.domains()


def test_read_only(machine):
    """A guest cannot write a read-only disk, and is told so. Guards against trust in the frontend's manners."""
    machine.command("create /guests/reader.cfg")
    machine.wait_log("reader", "disk: done")
    assert "xvda has 2048 sectors, read-only" in machine.log("reader")


def test_block_list(machine):
    """block-list prints xl's columns byte for byte. Guards programs that parse them."""
    domid = machine.domains()["neighbour"]["domid"]
    lines = machine.command("block-list neighbour").splitlines()
    assert lines[0] == HEADER
    assert re.fullmatch(rf"51712 0   {domid:<6} 4     \d+ +\d+ +/local/domain/0/backend/vbd/{domid}/51712 *", lines[1])
    assert len(lines) == 2
    entry, = machine.json("block-list neighbour")
    assert (entry["dev"], entry["target"], entry["state"], entry["backend_state"]) == ("xvda", "/images/c.img", 4, 4)


def test_attach_and_detach(machine):
    """A disk that is attached and taken away again leaves no node, and its image is free for others. Guards against
    volumes that stay open."""
    assert machine.command("block-attach neighbour /images/a.img,raw,xvdb,rw") == ""
    assert [disk["dev"] for disk in machine.json("block-list neighbour")] == ["xvda", "xvdb"]
    assert "another device uses it" in machine.command("block-attach neighbour /images/a.img,raw,xvdc,rw")
    assert "xvda" in machine.command("block-attach neighbour /images/b.img,raw,xvda,rw")
    assert machine.command("block-detach neighbour xvdb") == ""
    assert [disk["dev"] for disk in machine.json("block-list neighbour")] == ["xvda"]
    assert machine.command("block-attach -n neighbour /images/a.img,raw,xvdb,rw") == ""
    assert "has no disk xvdb" in machine.command("block-detach neighbour xvdb")
    neighbour_goes_on(machine)


@pytest.mark.parametrize("force", ["", "--force"])
def test_attached_at_once_after_detached(machine, force):
    """A disk takes another's place within the same line of commands. Guards against a backend that still holds the image
    of the first, or goes on serving it under the second's name."""
    assert machine.command("block-attach neighbour /images/a.img,raw,xvdb,rw") == ""
    assert machine.command(f"block-detach {force} neighbour xvdb; block-attach -n neighbour /images/a.img,,xvdb") == ""
    assert machine.command("block-attach neighbour /images/a.img,raw,xvdb,rw") == ""
    assert machine.command(f"block-detach {force} neighbour xvdb; block-attach neighbour /images/b.img,,xvdb") == ""
    assert machine.command("block-attach -n neighbour /images/a.img,,xvdc") == ""
    assert "another device uses it" in machine.command("block-attach -n neighbour /images/b.img,,xvdc")
    assert machine.command("block-detach neighbour xvdb") == ""
    neighbour_goes_on(machine)


def test_same_disks_after_a_reboot(machine):
    """A guest that reboots has its disks again, those attached meanwhile too. Guards against images that the dead domain
    still holds, and configurations that forget."""
    machine.command("create /guests/neighbour.cfg name=again 'disk=[\"/images/b.img,,xvda\"]'")
    machine.wait_log("again", "round 1, ")
    assert machine.command("block-attach again /images/kept.img,,xvdb,ro") == ""
    before = machine.domains()["again"]["domid"]
    machine.command("reboot again")
    machine.wait("a new domain", lambda: machine.domains().get("again", {}).get("domid", before) != before)
    assert [disk["dev"] for disk in machine.json("block-list again")] == ["xvda", "xvdb"]
    machine.wait("its disk to work", lambda: machine.json("block-list again")[0]["state"] == 4)
    machine.command("destroy again")


def test_image_in_tmp(machine):
    """A copy of an image in /tmp serves as a disk too, and is written there. Guards against volumes that only know the
    RAM disk."""
    machine.command("cp /images/a.img /tmp/copy.img")
    machine.command("create /guests/bare.cfg 'disk=[\"/tmp/copy.img,,xvda\"]'")
    machine.wait_log("bare", "round 1, 2048 sectors .* 0 words wrong")
    machine.wait_gone("bare")
    machine.command("rm /tmp/copy.img")


def test_detach_is_refused(machine, request):
    """A guest that does not let go keeps its disk, and goes on. Guards against nodes taken away under a driver that was
    only asked."""
    if request.node.callspec.params["machine"] == "64":
        pytest.skip("ten seconds are enough once")
    machine.command("create /guests/neighbour.cfg name=stubborn 'disk=[\"/images/b.img,,xvda\"]'")
    machine.wait_log("stubborn", "round 1, ")
    assert "did not let go of it within 10 s" in machine.command("block-detach stubborn xvda")
    rounds = machine.log("stubborn").count("round ")
    machine.wait("the disk to work on", lambda: machine.log("stubborn").count("round ") > rounds)
    machine.command("destroy stubborn")


def test_detach_in_mid_write(machine):
    """A backend torn down while its guest writes: the guest gets errors, dom0 and its other guests nothing. Guards
    against requests that use pages which are unmapped already."""
    machine.command("create /guests/neighbour.cfg name=victim 'disk=[\"/images/b.img,,xvda\"]'")
    machine.wait_log("victim", "round 1, ")
    assert machine.command("block-detach --force victim xvda") == ""
    neighbour_goes_on(machine)
    assert machine.json("block-list victim") == []
    machine.command("destroy victim")
    assert machine.command("block-attach -n neighbour /images/b.img,raw,xvdb,rw") == ""


def test_nothing_is_left(machine):
    """When the guests are destroyed all memory is back and no node tells of them. Guards against grants that stay mapped
    and keep a dead domain's pages."""
    machine.destroy_all()
    machine.wait("all memory to be free again", lambda: machine.free_mib() >= machine.free_before)
    assert list(machine.domains()) == ["Domain-0"]
    assert "5171" not in machine.command("xenstore-ls /local/domain/0")


def test_disk_that_does_not_answer(tmp_path):
    """A guest is destroyed while a slow disk of the machine still works for it: its memory stays mapped and the disk in use
    until the last answer, and then all is free; before that, its frontend cannot begin anew. Guards against memory that
    goes to somebody else under a disk's hands, and against a guest that leaves more and more of it there."""
    (tmp_path / "disk").write_bytes(bytes(MIB))
    files = {"disk64": built("guest64/disk"), "slow.cfg": disk_config("slow", "disk64", "/dev/vda,,xvda", extra="rounds=0")}
    drive = f"file={tmp_path}/disk,if=none,id=slow,format=raw,throttling.bps-total=20000"
    with booted(cpus=2, append="console=com1 dom0_mem=128M loglvl=warning", initrd=ramdisk(tmp_path / "rd", files),
                extra=["-drive", drive, "-device", "virtio-blk-pci,drive=slow"]) as machine:
        before = machine.free_mib()
        assert "is running" in machine.command("create /guests/slow.cfg")
        machine.wait("requests", lambda: machine.json("block-list slow")[0]["state"] == 4)
        machine.wait_log("slow", "half a sector")
        # The first writes pass at once, merged; what follows waits behind them for a quarter of a MiB's time.
        machine.wait("the first writes", lambda: machine.json("devices")[0]["out_requests"] > 0)
        front = f"/local/domain/{machine.domains()['slow']['domid']}/device/vbd/51712/state"
        machine.command(f"xenstore-write {front} 1")
        machine.wait("it to be given up", lambda: "the volume does not end" in machine.dmesg())
        machine.command(f"xenstore-write {front} 4")
        machine.wait("its end", lambda: machine.json("block-list slow")[0]["backend_state"] == 6)
        assert "requests of its last connection are under way" in machine.json("block-list slow")[0]["error"]
        machine.command("destroy slow")
        assert "the volume does not end" in machine.dmesg()
        assert "another device uses it" in machine.command("create -n /guests/slow.cfg")
        machine.wait("the last answer", lambda: machine.free_mib() == before, timeout=60)
        machine.wait("the disk to be free", lambda: "Nothing was created" in machine.command("create -n /guests/slow.cfg"))
        assert "1 =" not in machine.command("xenstore-ls /local/domain/0/backend/vbd"), "what was said about it is gone, too"
