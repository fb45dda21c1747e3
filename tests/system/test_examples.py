# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Each configuration under /examples does what its README says, typed as the README types it."""
import re

import pytest

from machine import BUILD, LEAVE_CONSOLE

FIELD = re.compile(r"\\\{\w+\\\}")


def expected(example):
    """examples/*/expected.txt as regular expressions, one per line: {...} stands for what differs."""
    with open(f"examples/{example}/expected.txt", encoding="utf-8") as file:
        return [FIELD.sub(r"[-\\w:.]+", re.escape(line.rstrip("\n"))) for line in file]


def assert_lines(text, patterns):
    """Every line must be there, in order, with nothing between."""
    lines = text.splitlines()
    first = next((i for i, line in enumerate(lines) if re.fullmatch(patterns[0], line)), None)
    assert first is not None, f"no line is {patterns[0]!r} in:\n{text}"
    for pattern, line in zip(patterns, lines[first:] + [""] * len(patterns)):
        assert re.fullmatch(pattern, line), f"expected {pattern!r}, got {line!r} in:\n{text}"


@pytest.mark.parametrize("width", ["32", "64"])
def test_hello(host, width):
    """The first thing a newcomer types: the guest's lines appear, its end is told, the prompt is back."""
    host.send(f"create -c /examples/hello{width}.cfg\r")
    text = host.expect(rf"\[hello{width}: the domain has ended \(poweroff\)\]")
    host.prompt()
    assert_lines(text[text.index("hello: a"):], expected("hello"))
    assert f"a {width}-bit guest in ring {1 if width == '32' else 3}" in text
    assert f"hello{width}" not in host.domains()


@pytest.mark.parametrize("width", ["32", "64"])
def test_modules(shared_host, width):
    """Several files for one guest: each arrives whole, apart from the others, with the words behind its name."""
    files = {"/examples/ticker.cfg one two": "examples/ticker/ticker.cfg", "/boot/hello64": f"{BUILD}/guest64/hello",
             "/examples/ring.cfg": "examples/ring/ring.cfg"}
    listed = ", ".join(f'"{words}"' for words in files)
    shared_host.send(f"create -c /examples/hello{width}.cfg 'modules=[{listed}]'\r")
    text = shared_host.expect(rf"\[hello{width}: the domain has ended \(poweroff\)\]")
    shared_host.prompt()
    found = []
    for words, path in files.items():
        with open(path, "rb") as file:
            data = file.read()
        found.append(f'hello: module "{words}", {len(data)} bytes, sum {sum(data) % (1 << 32)}')
    assert [line for line in text.splitlines() if "hello: module" in line] == found


def test_ticker(host):
    """A guest that stays: Ctrl-] leaves its console and it ticks on; coming back shows the ticks meanwhile."""
    host.send("create -c /examples/ticker.cfg\r")
    text = host.expect("tick 3, [0-9]+ us late")
    assert_lines(text[text.index("ticker: dom"):], expected("ticker")[:3])
    host.send(LEAVE_CONSOLE)
    host.expect("left; it runs on")
    host.prompt()
    host.wait_log("ticker", "tick 5,")
    host.send("console ticker\r")
    host.expect("tick 4, [0-9]+ us late", timeout=5)
    host.send(LEAVE_CONSOLE)
    host.prompt()
    assert "Shutting down" in host.command("shutdown -w ticker")
    host.wait_gone("ticker")


@pytest.mark.parametrize("width", ["32", "64"])
def test_pattern(host, width):
    """The guest that proves a migration right must not be one that finds everything right: one bit is flipped."""
    host.send(f"create -c /examples/pattern{width}.cfg 'extra=\"spoil=3\"' vcpus=2\r")
    text = host.expect(r"pattern: BROKEN page \d+ \(pfn [0-9a-f]+\), generation \d+: word \d+ is [0-9a-f]+, not [0-9a-f]+")
    host.expect(rf"\[pattern{width}: the domain has ended \(crash\)\]")
    host.prompt()
    assert_lines(text[text.index("pattern: "):], expected("pattern"))


def test_ring(host):
    """Grants, event channels and the store between two guests of different widths, neither of them dom0."""
    host.command("create /examples/ring.cfg")
    host.wait_log("ring", "waits for a partner")
    host.command("create /examples/ring-peer.cfg")
    host.wait_log("ring", "every byte")
    assert_lines(host.log("ring"), expected("ring"))
    host.wait_gone("ring")
    host.wait_gone("ring-peer")


@pytest.mark.parametrize("width", ["32", "64"])
def test_disk(host, width):
    """Requests of every size and offset over a ring of either width: no sector lost, late or elsewhere."""
    text = host.command(f"create -c /examples/disk.cfg 'kernel=\"/boot/disk{width}\"'")
    assert_lines(text, expected("disk"))
    host.wait_gone("disk")


def test_ping(host):
    """Frames between two guests of different widths, found by ARP; a big one and a small one arrive whole."""
    host.command("create /examples/ping.cfg")
    for extra in ["", " 'extra=\"ip=10.0.0.11 to=10.0.0.10 size=1472\"'", " 'extra=\"ip=10.0.0.11 to=10.0.0.10 size=1\"'"]:
        text = host.command(f"create -c /examples/ping-peer.cfg{extra}")
        if not extra:
            assert_lines(text, expected("ping"))
        assert "ping: 4 of 4 answered" in text
    text = host.command("create -c /examples/ping-peer.cfg 'extra=\"ip=10.0.0.11 to=10.0.0.77 count=1\"'")
    assert "ping: 0 of 1 answered" in text, "nobody has that address"
    host.destroy_all()


def test_balloon(host):
    """Memory given back and taken again by the guest itself; past the maximum it stops, with the number."""
    host.command("create /examples/balloon.cfg")
    host.wait_log("balloon", "following memory/target")
    text = host.log("balloon")
    assert_lines(text, expected("balloon"))
    maximum = int(re.search(r"the maximum is (\d+) KiB", text)[1])
    assert maximum == 33 * 1024, "the target of 32 MiB and a MiB of slack, as xl sets it"
    assert int(re.search(r"refused past (\d+) KiB", text)[1]) == maximum
    host.destroy_all()


def test_rogue(host):
    """Nothing forbidden succeeds, the report names the broken rule, and a neighbour and dom0 never notice."""
    host.command("create /examples/ticker.cfg 'extra=\"period=100\"'")
    host.wait_log("ticker", "tick 1,")
    host.command("dmesg -c")
    host.command("create /examples/rogue.cfg")
    host.wait_gone("rogue")
    assert_lines(host.log("rogue"), expected("rogue"))
    report = host.dmesg()
    assert re.search(r"Domain \d+ \(vcpu#0\) crashed .*trap 6 .*registered no handler", report), report
    assert "rax" in report and "stack from" in report
    ticks = len(re.findall("tick ", host.log("ticker")))
    host.wait("the neighbour to tick on", lambda: len(re.findall("tick ", host.log("ticker"))) >= ticks + 5)
    host.destroy_all()


@pytest.mark.parametrize("width", ["32", "64"])
def test_grub(host, width):
    """A kernel nobody here wrote: its prompt, its answers to what is typed, Ctrl-] and back again."""
    host.send(f"create -c /examples/grub{width}.cfg\r")
    host.expect("grub> ")
    for typed, answer in [("echo one  two", "one two"), ("ls", r"\(memdisk\)"), ("help", "zfs-bootfs"),
                          ("set x=42; echo x=$x", "x=42")]:
        host.send(typed + "\r")
        host.expect(answer)
        host.expect("grub> ")
    host.send(LEAVE_CONSOLE)
    host.expect("left; it runs on")
    host.prompt()
    assert f"grub{width}" in host.domains()
    host.send(f"console grub{width}\r")
    host.expect("Ctrl-\\] leaves it")
    host.send("echo still  here\r")
    host.expect("still here")
    host.send(LEAVE_CONSOLE)
    host.prompt()
    host.command(f"destroy grub{width}")
    assert f"grub{width}" not in host.domains()
