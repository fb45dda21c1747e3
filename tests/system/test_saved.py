# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Saved domains that are cut short, changed or made up to do harm: each is refused with the record and its offset, and the
host is as it was. The file lies on a disk of the machine, where it is spoilt between two commands."""
import os
import random
import re
import struct
import sys

import pytest

import saved
from machine import booted

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stream"))
import verify  # noqa: E402

WIDTHS = {32: "/examples/ticker.cfg", 64: "/examples/ticker64.cfg"}
NAMES = {32: "ticker", 64: "ticker64"}
DISK = {32: "/dev/vda", 64: "/dev/vdb"}
SMALL_DISK = 1 << 20


class Host:
    """A machine with one saved domain of each width on its disks."""

    def __init__(self, machine, files):
        self.machine = machine
        self.files = files
        self.good = {}
        for width, config in WIDTHS.items():
            machine.command(f"create {config} memory=4")
            machine.wait_log(NAMES[width], "tick")
            said = machine.command(f"save {NAMES[width]} {DISK[width]}")
            assert "stood still" in said, said
            self.good[width] = saved.Saved(files[DISK[width]].read_bytes())
        self.before = self.state()

    def state(self):
        return sorted(self.machine.domains()), self.machine.command("xenstore-ls"), self.machine.free_mib()

    def restore(self, width, data, disk=None):
        """What restore says of these bytes."""
        with open(self.files[disk or DISK[width]], "r+b") as file:
            file.write(data)
        return self.machine.command(f"restore {disk or DISK[width]}")


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved")
    files, extra = {}, []
    for name, size in (("vda", 8 << 20), ("vdb", 8 << 20), ("vdc", SMALL_DISK)):
        path = files[f"/dev/{name}"] = directory / name
        path.write_bytes(bytes(size))
        extra += ["-drive", f"file={path},format=raw,if=none,id={name}", "-device", f"virtio-blk-pci,drive={name}"]
    with booted(cpus=2, memory="1024M", extra=extra) as machine:
        yield Host(machine, files)


def put(place, form, value):
    """A change of one field; its place is a function of the saved domain."""
    return lambda file: file.put(place(file), form, value)


def body(kind, offset=0):
    return lambda file: file.body(kind) + offset


def config(old, new):
    """A change in the configuration."""
    def change(file):
        assert old in file.configuration()
        file.configure(file.configuration().replace(old, new))
    return change


def cut(record, more=0):
    """The file ends in the middle of a record; on the disk zeroes follow, which are END records."""
    def change(file):
        end = file.header(record) + more
        file.data[end:] = bytes(len(file.data) - end)
    return change


def duplicate_page(file):
    count, first = file.get(file.body(saved.PAGE_DATA), "I"), file.get(file.body(saved.PAGE_DATA) + 8, "Q")
    assert count > 1
    file.put(file.body(saved.PAGE_DATA) + 16, "Q", file.get(file.body(saved.PAGE_DATA) + 16, "Q") >> 60 << 60 | first << 12 >> 12)


def hundred_million_frames(file):
    """A domain of terabytes whose P2M is one page, named again and again: a table of it would fill dom0."""
    config('max_memkb": 4096', 'max_memkb": 17179869184')(file)
    at = file.header(saved.P2M_FRAMES)
    length, frame, count = file.get(at + 4, "I"), file.get(at + 16, "Q"), 200000
    body = struct.pack("<II", 0, count * (4096 // file.width) - 1) + struct.pack("<Q", frame) * count
    file.data[at:at + 8 + length] = struct.pack("<II", saved.P2M_FRAMES, len(body)) + body


def entry(level, change):
    """A change of the first present entry of some page table."""
    def apply(file):
        _, _, at = file.table(level)
        file.put(at, "Q", change(file.get(at, "Q")) & (1 << 64) - 1)
    return apply


def writable_table(file):
    """A page table that maps a page table for writing: with that, a guest could make any frame its own."""
    table, _, at = file.table(1)
    file.put(at, "Q", table << 12 | saved.PRESENT | saved.WRITABLE | 4)


def table_of_level_3(file):
    """A page table of level 2 that has one of level 3 below it."""
    file.put(file.table(2)[2], "Q", file.table(3)[0] << 12 | saved.PRESENT)


def start_info_is_table(file):
    file.put(file.register("edx"), "I", file.table(1)[0])


def ring_is_table(file):
    start_info = file.page(file.get(file.register("edx"), "I"))
    file.put(start_info + {8: 56, 4: 44}[file.width], "I", file.table(1)[0])


def root_is_plain(file):
    """The page table that vCPU 0 runs on is a plain page."""
    plain = file.get(file.register("edx"), "I")
    file.put(file.register("cr3"), "I", plain << 12)


AT = r"record \d+ \({}, type 0x{:x}\) at offset 0x[0-9a-f]+: "
PAGES = AT.format("PAGE_DATA", 1)
BASIC = AT.format("X86_PV_VCPU_BASIC", 4)
AT_END = r"record \d+ \(END, type 0\) at offset 0x[0-9a-f]+: "

# What is changed, and what restore must say.
STRUCTURE = {
    "no-saved-domain": (lambda file: file.put(0, "B", 0), r"file header at offset 0x0: this is not a saved domain"),
    "of-a-newer-xl": (lambda file: file.put(36, "I", 11), r"the mandatory flags are 0xb: only 0x3 are known"),
    "legacy": (lambda file: file.put(36, "I", 1), r"a legacy stream of Xen 4.5 or older"),
    "endless-configuration": (lambda file: file.put(44, "I", 0xFFFFFFFF), r"4294967295 bytes of optional data .* at most"),
    "no-json": (config('"c_info"', '"c_info,'), r"no JSON at offset \d+"),
    "hvm": (config('"pv"', '"hvm"'), r"c_info.type, at offset \d+ .*: hvm guests cannot be restored"),
    "no-text-for-a-number": (config('"max_vcpus": 1', '"max_vcpus": "1"'), r"b_info.max_vcpus, at offset \d+ .*: it must be a number"),
    "libxl-version-3": (lambda file: file.put(file.outer + 8, "I", 3 << 24), r"libxl stream header .*: the version is 3: only"),
    "checkpointed": (lambda file: file.put(file.outer + 16, "I", 4), r"a stream with checkpoints"),
    "libxc-version-4": (lambda file: file.put(file.image + 12, "I", 4 << 24), r"image header .*: the version is 4: only"),
    "big-endian": (lambda file: file.put(file.image + 16, "H", 1 << 8), r"a big-endian stream"),
    "unknown-record": (lambda file: file.put(file.header(saved.P2M_FRAMES), "I", 0x77),
                       AT.format("unknown", 0x77) + "a mandatory record of this type is not known"),
    "oversized": (lambda file: file.put(file.header(saved.PAGE_DATA) + 4, "I", 0x7FFFFFFF),
                  PAGES + "the body has 2147483647 bytes: at most 8388608"),
    "no-width": (put(body(saved.PV_INFO), "B", 6), AT.format("X86_PV_INFO", 2) + "the guest's width is 6"),
    "absurd-p2m": (put(body(saved.P2M_FRAMES, 4), "I", 0xFFFFFFFE), AT.format("X86_PV_P2M_FRAMES", 3) + "the last pfn is 0xfffffffe"),
    "endless-p2m": (hundred_million_frames, AT.format("X86_PV_P2M_FRAMES", 3) + "out of memory for a table of 102400000"),
    "p2m-far-away": (put(body(saved.P2M_FRAMES, 8), "Q", 1 << 40), "frame 0 is at pfn 0x10000000000: it must be at most"),
    "absurd-count": (put(body(saved.PAGE_DATA), "I", 0xFFFFFFFF), PAGES + "the record counts 4294967295 pages"),
    "pfn-far-away": (put(body(saved.PAGE_DATA, 8), "Q", 1 << 30), PAGES + "page 0 is pfn 0x40000000: it must be below"),
    "page-of-no-type": (put(body(saved.PAGE_DATA, 8), "Q", 6 << 60), PAGES + "page 0, pfn 0, has type 6"),
    "duplicate": (duplicate_page, PAGES + "pfn (0|0x[0-9a-f]+) is in the record twice"),
    "cut-in-pages": (cut(saved.PAGE_DATA, 8 + 16), PAGES),
    "cut-before-pages": (cut(saved.PAGE_DATA), AT_END + "no PAGE_DATA came before it"),
    "cut-before-registers": (cut(saved.VCPU_BASIC), AT_END + "no X86_PV_VCPU_BASIC came before it"),
    "no-such-vcpu": (put(body(saved.VCPU_BASIC), "I", 1), BASIC + "there is no vCPU 1: the domain has 1"),
    "too-large-for-the-machine": (config('memkb": 4096', 'memkb": 4096000'), r"not enough memory for .* 4000 MiB asked for"),
    "name-taken": (config('"ticker64"', '"Domain-0"'), r"Domain-0"),
}

CONTENTS = {
    "table-names-no-memory": (entry(1, lambda old: old | 0xFFFFF << 12), PAGES + r"page \d+, pfn 0x[0-9a-f]+, a page table of level 1: entry"),
    "large-page": (entry(2, lambda old: old | saved.LARGE), PAGES + ".*a page table of level 2: entry .*: a large page"),
    "table-is-another": (table_of_level_3, AT_END + "the hypervisor refused the page table at"),
    "table-maps-table": (writable_table, AT_END + "the hypervisor refused the page table at"),
    "start-info-is-table": (start_info_is_table, AT_END + r"start_info \(EDX of vCPU 0\) is at guest frame 0x[0-9a-f]+, which is of type"),
    "ring-is-table": (ring_is_table, AT_END + "the xenstore ring is at guest frame 0x[0-9a-f]+, which is of type"),
    "root-is-plain": (root_is_plain, AT_END + "the hypervisor refused the registers of vCPU 0"),
    "endless-gdt": (lambda file: file.put(file.register("gdt_entries"), "I", 0xFFFFFFFF), AT_END + "vCPU 0: number of GDT entries"),
}


def expect_refusal(host, width, change, words):
    file = host.good[width].copy()
    change(file)
    said = host.restore(width, file.data)
    assert re.search(words, said), f"{said!r} is not about {words!r}"
    assert " as domain " not in said
    assert host.state() == host.before


@pytest.mark.parametrize("width", WIDTHS)
def test_xens_own_checker_takes_what_is_saved(host, width, tmp_path):
    """Guards against files that only this host can read."""
    checker = verify.checker()
    if checker is None:
        pytest.skip(f"{verify.PACKAGE} cannot be fetched here")
    path = tmp_path / NAMES[width]
    path.write_bytes(host.good[width].data)
    assert verify.verify(*checker, path, "xl") == ""


@pytest.mark.parametrize("name", STRUCTURE)
def test_a_stream_out_of_shape_is_refused(host, name):
    """Guards against a restore that goes on with what it has not understood, or leaves half a domain behind."""
    expect_refusal(host, 64, *STRUCTURE[name])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CONTENTS)
def test_what_points_elsewhere_is_refused(host, name, width):
    """Guards against memory and registers that would give a guest what is not its own."""
    expect_refusal(host, width, *CONTENTS[name])


def test_flipped_bits_do_no_harm(host):
    """Guards against a bit that brings down dom0 or the hypervisor, or leaves something behind, restored or not."""
    dice = random.Random(2026)
    for _ in range(12):
        file = host.good[64].copy()
        kind, at, length = dice.choice(file.records)
        file.data[at + dice.randrange(8 + min(length, 600))] ^= 1 << dice.randrange(8)
        said = host.restore(64, file.data)
        assert " as domain " in said or re.search("at offset (0x[0-9a-f]+|[0-9]+)", said), said
        host.machine.destroy_all()
        assert host.state() == host.before


def test_a_disk_too_small_ends_the_stream(host):
    """Guards against the end of a disk that is taken for the end of the domain."""
    said = host.restore(64, host.good[64].data[:SMALL_DISK], "/dev/vdc")
    assert re.search(PAGES + "the stream ends at offset 0x100000, after", said), said
    assert host.state() == host.before


def test_what_is_not_understood_is_told(host):
    """Guards against a setting of a newer xl, or another's, that is lost without a word."""
    file = host.good[64].copy()
    config('"b_info"', '"of_the_future": [1], "b_info"')(file)
    said = host.restore(64, file.data)
    assert "note: saved configuration: of_the_future is not known and has no effect" in said, said
    host.machine.destroy_all()
    assert host.state() == host.before


@pytest.mark.parametrize("width", WIDTHS)
def test_the_good_one_goes_on_after_all(host, width):
    """Guards against a refusal that only works because nothing can be restored."""
    said = host.restore(width, host.good[width].data)
    assert f"restored {NAMES[width]} as domain" in said, said
    host.machine.wait_log(NAMES[width], "tick")
    host.machine.command(f"destroy {NAMES[width]}")
    assert host.state() == host.before
