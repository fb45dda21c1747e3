# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The RAM disk and the initramfs: what goes in comes out, always the same bytes; a bad kernel leaves nothing behind."""
import gzip
import os
import re
import subprocess
import sys
import tarfile

import pytest

import images

KERNEL = images.kernel()
SCRIPTS = os.path.join(os.path.dirname(__file__), "..", "..", "scripts")


def run(script, *arguments):
    return subprocess.run([sys.executable, os.path.join(SCRIPTS, script), *map(str, arguments)], capture_output=True,
                          text=True, check=False)


@pytest.fixture
def guests(tmp_path):
    directory = tmp_path / "guests"
    (directory / "deep").mkdir(parents=True)
    (directory / "vmlinuz-xz").write_bytes(images.wrap(images.pack(KERNEL, "xz")))
    (directory / "deep/initrd").write_bytes(b"anything")
    return directory


def test_packs_a_directory(tmp_path, guests):
    """GUESTS=DIR: kernels become what the builder knows, everything else stays as it is."""
    disk = tmp_path / "disk"
    assert run("ramdisk.py", disk, "--directory", f"guests={guests}").stderr == ""
    with tarfile.open(disk) as archive:
        assert images.tool("lz4", "-dc")(archive.extractfile("guests/vmlinuz-xz").read()[:-4]) == KERNEL
        assert archive.extractfile("guests/deep/initrd").read() == b"anything"
        assert archive.getmember("guests/deep").isdir()
    first = disk.read_bytes()
    os.utime(guests / "deep/initrd", (1, 1))
    run("ramdisk.py", disk, "--directory", f"guests={guests}")
    assert disk.read_bytes() == first


def test_damaged_kernel(tmp_path, guests):
    """The message names file, offset and reason; the RAM disk of the last build is not replaced by half a new one."""
    disk = tmp_path / "disk"
    disk.write_bytes(b"the last one")
    data = (guests / "vmlinuz-xz").read_bytes()
    (guests / "vmlinuz-xz").write_bytes(data[: len(data) // 2])
    done = run("ramdisk.py", disk, "--directory", f"guests={guests}")
    assert done.returncode != 0
    assert f"{guests}/vmlinuz-xz: a Linux boot image that cannot be used: offset 0x248: " in done.stderr
    assert "truncated" in done.stderr and "Traceback" not in done.stderr
    assert disk.read_bytes() == b"the last one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "guests"]


def test_missing_file(tmp_path):
    """A file that vanished is named."""
    done = run("ramdisk.py", tmp_path / "disk", f"boot/kernel={tmp_path}/nothing")
    assert done.returncode != 0 and f"{tmp_path}/nothing" in done.stderr and "Traceback" not in done.stderr


def test_memory_follows_the_contents(tmp_path):
    """dom0 must hold the RAM disk and what the largest kernel unpacks to; an initramfs is never unpacked by it."""
    (tmp_path / "small").write_bytes(b"x")
    (tmp_path / "initrd").write_bytes(gzip.compress(bytes(200 << 20)))
    (tmp_path / "kernel").write_bytes(gzip.compress(KERNEL + bytes(64 << 20)))

    def memory(*names):
        files = [f"boot/{name}={tmp_path}/{name}" for name in names]
        assert run("ramdisk.py", tmp_path / "disk", *files).returncode == 0
        return int((tmp_path / "disk.memory").read_text())

    assert memory("small") == memory("small", "initrd") > 96
    assert memory("small", "kernel") >= memory("small") + 64


def test_holes(tmp_path):
    """A blank disk must not make the RAM disk larger and the machine's start slower; its bytes are all there."""
    few = bytearray(3 << 20)
    few[5:9], few[1 << 20 : (1 << 20) + 5000] = b"head", b"x" * 5000
    files = {"blank": bytes(16 << 20), "few": bytes(few), "full": os.urandom(2 << 20), "small": bytes(4096),
             "many": b"".join(b"x" + bytes(99_999) for _ in range(20)), "tail": bytes(2 << 20) + b"end"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    disk = tmp_path / "disk"
    assert run("ramdisk.py", disk, *(f"images/{name}={tmp_path}/{name}" for name in files)).stderr == ""
    assert disk.stat().st_size < (5 << 20)
    with tarfile.open(disk) as archive:
        assert {name: archive.extractfile(f"images/{name}").read() for name in files} == files
    listing = subprocess.run(["tar", "tvf", disk], capture_output=True, text=True, check=True).stdout
    assert re.search(rf"{16 << 20} .* images/blank\n", listing)
    assert int((tmp_path / "disk.memory").read_text()) > 96 + 16 + 3 + 2


def test_holes_under_a_long_name(tmp_path):
    """A header with holes has 100 bytes for a name: a longer one once came out as an archive that ends there."""
    name = "a" * 90 + "/" + "b" * 60
    (tmp_path / "blank").write_bytes(bytes(2 << 20))
    (tmp_path / "after").write_bytes(b"after")
    disk = tmp_path / "disk"
    assert run("ramdisk.py", disk, f"{name}={tmp_path}/blank", f"z={tmp_path}/after").stderr == ""
    with tarfile.open(disk) as archive:
        assert archive.extractfile(name).read() == bytes(2 << 20)
        assert archive.extractfile("z").read() == b"after"


@pytest.mark.parametrize("name, size, words", [
    ("blank.img", 513 << 20, "513 MiB, mostly zeros, would be memory of dom0, which holds 512 MiB"),
    ("f" * 120, 1, "it does not fit into a tar archive"),
])
def test_file_that_dom0_could_not_have(tmp_path, name, size, words):
    """Said when it is packed, not found missing at the prompt."""
    file = tmp_path / "file"
    with open(file, "wb") as out:
        out.truncate(size)
    done = run("ramdisk.py", tmp_path / "disk", f"guests/{name}={file}")
    assert done.returncode != 0 and done.stderr.startswith(f"{file}: ") and words in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "disk").exists()


def test_directory_that_is_missing(tmp_path):
    """GUESTS=DIR with a slip of the pen: once it gave a RAM disk without them and no word."""
    done = run("ramdisk.py", tmp_path / "disk", "--directory", f"guests={tmp_path}/gusets")
    assert done.returncode != 0 and "gusets: there is no such directory" in done.stderr


def entries(archive):
    """(name, mode, contents) of each entry of a newc archive."""
    at, found = 0, []
    while archive[at : at + 6] == b"070701":
        mode, size, name_size = (int(archive[at + 6 + 8 * field : at + 14 + 8 * field], 16) for field in (1, 6, 11))
        name = archive[at + 110 : at + 109 + name_size].decode()
        start = (at + 110 + name_size + 3) & ~3
        found.append((name, mode, archive[start : start + size]))
        at = (start + size + 3) & ~3
    return found


def test_initramfs(tmp_path):
    """Modules in the order of their needs, commands as links, the same bytes whenever it is made."""
    modules, tree = tmp_path / "modules", tmp_path / "tree"
    (modules / "kernel/net").mkdir(parents=True)
    (tree / "etc").mkdir(parents=True)
    (modules / "kernel/net/front-end.ko").write_bytes(b"\0depends=bus_driver,lib-one\0")
    (modules / "kernel/net/lib-one.ko").write_bytes(b"\0depends=\0")
    (modules / "kernel/bus_driver.ko").write_bytes(b"\0depends=lib-one\0")
    (tree / "etc/rc").write_text("#!/bin/sh\n")
    (tree / "etc/rc").chmod(0o755)
    busybox = tmp_path / "busybox"
    busybox.write_text("#!/bin/sh\necho usr/bin/tr\necho bin/sh\n")
    busybox.chmod(0o755)
    made = []
    for name in ("one", "two"):
        done = run("initramfs.py", tmp_path / name, busybox, modules, "1.2", tree, "front-end")
        assert done.returncode == 0, done.stderr
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    found = {name: (mode, contents) for name, mode, contents in entries(gzip.decompress(made[0]))}
    assert found["lib/modules/1.2/order"][1] == b"lib_one\nbus_driver\nfront_end\n"
    assert found["lib/modules/1.2/front_end.ko"][1] == (modules / "kernel/net/front-end.ko").read_bytes()
    assert found["bin/sh"] == (0o120777, b"/bin/busybox") and found["init"] == (0o120777, b"bin/busybox")
    assert found["etc/rc"] == (0o100755, b"#!/bin/sh\n")
    assert "TRAILER!!!" in found
    names = list(found)
    assert all(os.path.dirname(name) in names[: names.index(name)] for name in names if "/" in name)


def test_modules_of_other_distributions(tmp_path):
    """Modules packed with zstd, and a driver that is part of the kernel, once were "no module"."""
    modules, busybox = tmp_path / "modules", tmp_path / "busybox"
    modules.mkdir()
    (tmp_path / "tree").mkdir()
    busybox.write_text("#!/bin/sh\n")
    busybox.chmod(0o755)
    (modules / "modules.builtin").write_text("kernel/drivers/block/xen-blkfront.ko\n")
    (modules / "xen-netfront.ko.zst").write_bytes(images.tool("zstd", "-cq")(b"\0depends=\0"))
    done = run("initramfs.py", tmp_path / "out", busybox, modules, "1.2", tmp_path / "tree", "xen-netfront", "xen-blkfront")
    assert done.returncode == 0, done.stderr
    found = {name: contents for name, _, contents in entries(gzip.decompress((tmp_path / "out").read_bytes()))}
    assert found["lib/modules/1.2/order"] == b"xen_netfront\n"
    assert found["lib/modules/1.2/xen_netfront.ko"] == b"\0depends=\0"
    assert "OUTPUT BUSYBOX" in run("initramfs.py", "--help").stderr


def test_module_that_is_missing(tmp_path):
    """A kernel without the driver: said when the initramfs is made, not at the guest's boot."""
    busybox = tmp_path / "busybox"
    busybox.write_text("#!/bin/sh\n")
    busybox.chmod(0o755)
    (tmp_path / "tree").mkdir()
    done = run("initramfs.py", tmp_path / "out", busybox, tmp_path, "1.2", tmp_path / "tree", "xen-blkfront")
    assert done.returncode != 0 and "no module xen_blkfront" in done.stderr
    assert not (tmp_path / "out").exists()
