# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""make run-pair as a person uses it: two hosts on one terminal. Guards against a pair whose hosts do not find each other,
or that leaves a machine running behind the user's back.
"""
import os
import re
import subprocess

import pexpect

from line import ESCAPES
from machine import BUILD

KEYS = {"other": "\x01n", "restart": "\x01r", "end": "\x01x"}


def machines(child):
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(child.pid)], capture_output=True, text=True, check=False)
    return listing.stdout.split()


def command(child, line):
    child.send(f"{line}\r")
    child.expect("vane> ")
    return ESCAPES.sub("", child.before)


def test_run_pair():
    """A guest goes across, to be seen on the other host; that one is switched off and on; Ctrl-A x ends both."""
    memory = open(f"{BUILD}/dom0.rd.memory", encoding="ascii").read().strip()
    child = pexpect.spawn("scripts/run-pair", [BUILD, "--dom0-mem", memory, "--", "qemu-system-x86_64", "-accel", "tcg",
                                               "-cpu", "max", "-m", "640M", "-no-reboot", "-nic", "none"],
                          encoding="utf-8", codec_errors="replace", timeout=60, dimensions=(50, 200))
    child.delaybeforesend = None
    try:
        child.expect("vane> ")
        assert len(machines(child)) == 2
        command(child, "create /examples/ticker.cfg")
        while "migrated ticker to link0" not in (answer := command(child, "migrate ticker link0")):
            assert "nobody is connected" in answer or "no domain is expected" in answer  # the other still starts
        child.send(KEYS["other"])
        child.expect("host two")
        child.expect("vane> ")
        listing = command(child, "")
        while not re.search(r"ticker +\d+ +16", listing):
            listing = command(child, "list")
        child.send(KEYS["restart"])
        child.expect("off and on")
        child.expect("help lists the commands")
        child.expect("vane> ")
        assert "ticker" not in command(child, "list")
        assert len(machines(child)) == 2
        left = machines(child)
        child.send(KEYS["end"])
        child.expect(pexpect.EOF)
        assert not any(os.path.exists(f"/proc/{pid}") for pid in left)
    finally:
        child.close(force=True)
