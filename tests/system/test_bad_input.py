# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Bad files and wrong words: each gets a sentence that names the cause, and nothing is lost.

The files come from /guests of the RAM disk, as a user would bring them.
"""
import gzip
import random
import re
import struct
import subprocess

import pytest

from machine import BUILD, PROMPT, booted, built, config, ramdisk

HELLO = {width: built(f"guest{width}/hello") for width in (32, 64)}
FREE = {"memory": 0}


def patched(width, offset, form, value):
    image = bytearray(HELLO[width])
    struct.pack_into("<" + form, image, offset, value)
    return bytes(image)


def program_headers(image):
    """Offsets of a 64-bit file's program headers that are to be loaded."""
    start, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    return [start + i * size for i in range(count) if struct.unpack_from("<I", image, start + i * size) == (1,)]


ENTRY_NOTE = struct.pack("<III4s", 4, 8, 1, b"Xen")
LOAD = program_headers(HELLO[64])[0]

# Kernel, and what the error must say about it.
KERNELS = {
    "empty": (b"", "is empty|not an ELF|truncated"),
    "text": (b"#!/bin/sh\necho no kernel\n" * 50, "not an ELF file"),
    "gzip": (b"\x1f\x8b\x08" + bytes(2000), "a packed kernel that claims an impossible"),
    "header-only": (HELLO[64][:40], "ends inside its ELF header"),
    "half": (HELLO[64][:len(HELLO[64]) // 2], "outside the file .truncated"),
    "half32": (HELLO[32][:len(HELLO[32]) // 2], "outside the file .truncated"),
    "last-byte-missing": (HELLO[64][:-1], "outside the file .truncated"),
    "arm": (patched(64, 18, "H", 183), "not for this processor"),
    "object": (patched(64, 16, "H", 1), "not an executable"),
    "big-endian": (patched(64, 5, "B", 2), "not a little-endian"),
    "class-9": (patched(64, 4, "B", 9), "neither a 32-bit nor a 64-bit"),
    "lies-about-width": (patched(64, 18, "H", 3), "not for this processor|32-bit|64-bit"),
    "headers-far-away": (patched(64, 32, "Q", 1 << 62), "program headers lie outside"),
    "many-headers": (patched(64, 56, "H", 65535), "program headers lie outside"),
    "tiny-headers": (patched(64, 54, "H", 8), "claim to be smaller"),
    "segment-far-in-file": (patched(64, LOAD + 8, "Q", (1 << 64) - 4096), "outside the file"),
    "segment-larger-than-memory": (patched(64, LOAD + 40, "Q", 16), "larger in the file than in memory"),
    "segment-past-the-end": (patched(64, LOAD + 40, "Q", (1 << 64) - 1), "past the end|does not fit|needs"),
    "segment-of-a-terabyte": (patched(64, LOAD + 40, "Q", 1 << 40), "does not fit|needs|memory|past the end|overlap"),
    "entry-outside": (patched(64, HELLO[64].index(ENTRY_NOTE) + 16, "Q", 0x7fffffffffff), "entry point lies outside"),
    "no-notes": (HELLO[64].replace(b"Xen\0", b"Nex\0"), "not a kernel for Xen"),
}


CONFIGS = {
    "unknown-key.cfg": ('name = "x"\nkernel = "/boot/hello32"\nmemoy = 16\n',
                        r'/guests/unknown-key.cfg:3:.*unknown setting "memoy".*did you mean "memory"'),
    "no-quote.cfg": ('name = "x"\nkernel = "/boot/hello32\n', r"/guests/no-quote.cfg:2:.*not closed"),
    "no-equals.cfg": ('name "x"\n', r"/guests/no-equals.cfg:1:.*expected '='"),
    "bare-word.cfg": ("name = x\n", r"/guests/bare-word.cfg:1:"),
    "open-list.cfg": ('name = "x"\nkernel = "/boot/hello32"\nvif = [ "a",\n', r"/guests/open-list.cfg:3:.*not closed"),
    "no-comma.cfg": ('name = "x"\nkernel = "/boot/hello32"\nvif = [ "a" "b" ]\n',
                     r"/guests/no-comma.cfg:3:13: expected ',' or '\]'"),
    "no-name.cfg": ('kernel = "/boot/hello32"\n', r"/guests/no-name.cfg: name is missing"),
    "no-kernel.cfg": ('name = "x"\n', r"/guests/no-kernel.cfg: kernel is missing"),
    "no-such-kernel.cfg": (config("x", "/boot/nothing"), r"kernel /boot/nothing: No such file"),
    "no-such-ramdisk.cfg": (config("x", "/boot/hello32", ramdisk="/boot/nothing"),
                            r"ramdisk /boot/nothing: No such file"),
    "text-memory.cfg": (config("x", "/boot/hello32", memory="much"), r"/guests/text-memory.cfg:3:.*memory"),
    "negative-memory.cfg": ('name = "x"\nkernel = "/boot/hello32"\nmemory = -4\n',
                            r"/guests/negative-memory.cfg:3:"),
    "no-vcpus.cfg": (config("x", "/boot/hello32", vcpus=0), r"/guests/no-vcpus.cfg:4:.*out of range"),
    "many-vcpus.cfg": (config("x", "/boot/hello32", vcpus=99999), r"/guests/many-vcpus.cfg:4:.*out of range"),
    "long-name.cfg": (config("n" * 300, "/boot/hello32"), r"/guests/long-name.cfg:1:"),
    "slash-name.cfg": (config("a/b", "/boot/hello32"), r"/guests/slash-name.cfg:1:"),
    "number-name.cfg": (config("17", "/boot/hello32"), r"/guests/number-name.cfg:1:"),
    "maxmem-below.cfg": (config("x", "/boot/hello32", maxmem=8), r"/guests/maxmem-below.cfg:\d+:.*maxmem"),
    "bad-action.cfg": (config("x", "/boot/hello32", on_crash="explode"), r"/guests/bad-action.cfg:4:.*on_crash"),
    "hvm.cfg": (config("x", "/boot/hello32", type="hvm"), r'/guests/hvm.cfg:4:.*type must be "pv"'),
    "huge-number.cfg": ('name = "x"\nkernel = "/boot/hello32"\nmemory = 99999999999999999999999\n',
                        r"/guests/huge-number.cfg:3:.*too large"),
    "bytes.cfg": (bytes(range(1, 256)), r"/guests/bytes.cfg:\d+:"),
    "zero.cfg": (b'name = "a\0b"\n', r"/guests/zero.cfg:1:"),
    "deep.cfg": ("a = " + "[" * 1000, r"/guests/deep.cfg:1:.*nested"),
    "tiny.cfg": (config("x", "/boot/hello64", memory=1), r"/boot/hello64: .* needs memory = \d+ \(MiB\) at least, the domain has 1"),
    "no-cpu.cfg": (config("x", "/boot/hello32", cpus="7"), r"cannot run on the CPUs asked for: .*the machine has CPUs 0 to 1"),
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    files = {f"{name}.elf": kernel for name, (kernel, _) in KERNELS.items()}
    files |= {f"{name}.elf.cfg": config("bad", f"/guests/{name}.elf") for name in KERNELS}
    files |= {name: text for name, (text, _) in CONFIGS.items()}
    mutants = random.Random(4711)
    for number in range(40):
        image = bytearray(HELLO[mutants.choice((32, 64))])
        for _ in range(mutants.randint(1, 6)):
            image[mutants.randrange(0, 400)] = mutants.randrange(256)
        files[f"mutant{number}.elf"] = bytes(image[:mutants.choice((len(image), mutants.randrange(len(image))))])
        files[f"mutant{number}.cfg"] = config(f"mutant{number}", f"/guests/mutant{number}.elf", on_crash="destroy",
                                              on_reboot="destroy")
    with booted(cpus=2, memory="1024M", initrd=ramdisk(tmp_path_factory.mktemp("rd") / "rd", files)) as machine:
        machine.command("create /examples/ticker.cfg")
        FREE["memory"] = machine.free_mib()
        yield machine


@pytest.fixture(autouse=True)
def nothing_is_lost(machine):
    """After each of these, the machine is as before: the same domains, every page free again."""
    yield
    assert list(machine.domains()) == ["Domain-0", "ticker"]
    assert machine.free_mib() == FREE["memory"]


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_is_refused(machine, name):
    """Each lie is refused by name before anything is built, and the file is named."""
    output = machine.command(f"create /guests/{name}.elf.cfg")
    assert output.startswith("create: ") and output.count("\n") == 1, output
    assert f"/guests/{name}.elf" in output
    assert re.search(KERNELS[name][1], output), output


@pytest.mark.parametrize("name", CONFIGS)
def test_configuration_is_refused(machine, name):
    """The file, the line, and what is wrong there."""
    output = machine.command(f"create /guests/{name}")
    assert output.startswith("create: ") and output.count("\n") == 1, output
    assert re.search(CONFIGS[name][1], output), output


def test_mutated_kernels(machine):
    """Forty kernels with random bytes in their headers: refused, crashed or run, none may hurt anything else."""
    for number in range(40):
        output = machine.command(f"create /guests/mutant{number}.cfg")
        assert re.match(r"create: |Domain \d+ .* is running|note: ", output), (number, output)
    machine.destroy_all()
    machine.command("create /examples/ticker.cfg")


def test_name_is_taken(machine):
    """The owner is named and goes on."""
    output = machine.command("create /examples/ticker.cfg")
    assert re.search(r'the name "ticker" is taken by domain \d+', output)
    assert "is taken by domain 0" in machine.command("create /examples/hello32.cfg name=Domain-0")


def test_memory_that_does_not_fit(machine):
    """What is free, what was asked, what to do."""
    output = machine.command("create /examples/hello32.cfg memory=2000")
    assert f"2000 MiB asked for, {FREE['memory']} MiB free" in output and "mem-set" in output


def test_missing_configuration(machine):
    """A configuration that is not there, or is a directory, is named; nothing is made of what was read of it."""
    assert "configuration /nowhere.cfg: No such file" in machine.command("create /nowhere.cfg")
    assert machine.command("create /examples").startswith("create: configuration /examples: ")


def test_overrides_are_checked(machine):
    """What stands on the command line is named as such."""
    assert "command line" in machine.command("create /examples/hello32.cfg memory=lots")
    assert 'did you mean "memory"' in machine.command("create /examples/hello32.cfg memry=5")


def test_unknown_domains(machine):
    """By name, by id, by an id that cannot be: every verb that takes a domain says the same."""
    for verb in ("pause", "unpause", "destroy", "shutdown", "reboot", "console", "list", "uptime", "vcpu-list"):
        assert 'there is no domain "ghost"' in machine.command(f"{verb} ghost"), verb
        assert "there is no domain 4321" in machine.command(f"{verb} 4321"), verb
    assert "is no domain id" in machine.command("pause 99999")


def test_domain_zero_is_protected(machine):
    """One word must not end the domain one is typing in."""
    for verb in ("pause", "destroy", "shutdown", "reboot", "console"):
        assert "domain 0" in machine.command(f"{verb} 0"), verb
        assert "domain 0" in machine.command(f"{verb} Domain-0"), verb


def test_guests_directory(tmp_path):
    """make iso GUESTS=DIR: a user's own kernel, packed as distributions do, and its configuration run from /guests."""
    own = tmp_path / "own" / "deeper"
    own.mkdir(parents=True)
    (own / "mine").write_bytes(gzip.compress(HELLO[64]))
    (tmp_path / "own" / "mine.cfg").write_text(config("mine", "/guests/deeper/mine"), encoding="utf-8")
    path = tmp_path / "rd"
    subprocess.run(["scripts/ramdisk.py", str(path), f"boot/hello32={BUILD}/guest32/hello", "--directory",
                    f"guests={tmp_path / 'own'}"], check=True)
    with booted(initrd=f"{BUILD}/dom0,{path}") as machine:
        machine.send("create -c /guests/mine.cfg\r")
        machine.expect("a 64-bit guest in ring 3")
        machine.expect(re.escape(PROMPT))


def test_no_ramdisk(tmp_path):
    """dom0 without its second module: a prompt without files, not a crash."""
    with booted(initrd=f"{BUILD}/dom0") as machine:
        assert "No such file" in machine.command("create /examples/hello32.cfg")
    junk = tmp_path / "junk"
    junk.write_bytes(random.Random(5).randbytes(100000))
    with booted(initrd=f"{BUILD}/dom0,{junk}") as machine:
        assert "No such file" in machine.command("create /examples/hello32.cfg")
