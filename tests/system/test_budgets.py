# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""What Paravane costs, in numbers that do not depend on the machine the tests run on.

With -icount one instruction takes one nanosecond of the machine's time, so time stamps count instructions.
"""
import re
import subprocess
import time

import pexpect

from machine import BUILD, DOM0_MEM, Machine, booted

ICOUNT = ("-icount", "shift=0,sleep=off", "-rtc", "clock=vm")
IMAGE_BYTES = 160 * 1024
ENTRY_TO_DOM0 = 50_000_000
CREATE = 2_300_000


def stamp(kernel, initrd):
    """The sixteen hexadecimal digits and a full stop that a probe prints."""
    with Machine(kernel=kernel, initrd=initrd, memory="1024M", extra=ICOUNT) as machine:
        machine.child.expect(r"([0-9a-f]{16})\.", timeout=60)
        return int(machine.child.match[1], 16)


def test_image_size():
    """Text, read-only data and data of the hypervisor, without what pads them to pages."""
    sections = subprocess.run(["size", "-A", f"{BUILD}/paravane.elf64"], check=True, capture_output=True, text=True)
    sizes = dict(re.findall(r"^\.(text|rodata|data) +(\d+)", sections.stdout, re.MULTILINE))
    total = sum(int(size) for size in sizes.values())
    print(f"image: {total} bytes of {IMAGE_BYTES}: {sizes}")
    assert set(sizes) == {"text", "rodata", "data"}
    assert total <= IMAGE_BYTES


def test_instructions_from_entry_to_dom0():
    """1 GiB, 1 CPU: from the boot loader's jump to dom0's first instruction."""
    dom0 = f"{BUILD}/tests/system/probe_dom0"
    entered = stamp(f"{BUILD}/tests/system/probe_entry", dom0)
    started = stamp(f"{BUILD}/paravane", dom0)
    print(f"entry to dom0: {started - entered} instructions")
    assert 0 < started - entered <= ENTRY_TO_DOM0


def cost(machine, command):
    """Instructions that dom0, and the hypervisor for it, spend on a command between two looks at dom0's CPU time."""
    output = machine.command(f"list 0 --json; {command}; list 0 --json")
    before, after = [float(seconds) for seconds in re.findall(r'"cpu_seconds": ([0-9.]+)', output)]
    return round((after - before) * 1e9)


def test_instructions_of_create():
    """From the command to a domain ready to run, what the hypervisor does for it included: the 100th as the 5th.

    Idle CPUs keep cleared frames in stock, so each measured one comes after half a second of idleness; those between
    them come without a pause and may cost what clearing 16 MiB costs on top.
    """
    append = f"console=com1 {DOM0_MEM} loglvl=info"
    with booted(memory="2048M", append=append, extra=ICOUNT) as machine:
        looking = cost(machine, "domid Domain-0")
        rested, hurried = [], []
        for number in range(100):
            rests = number in (4, 5, 6, 97, 98, 99)
            time.sleep(0.5 if rests else 0)
            instructions = cost(machine, f"create -p /examples/hello64.cfg name=h{number}") - looking
            (rested if rests else hurried).append(instructions)
        print(f"create: {rested} instructions for domains 5 to 7 and 98 to 100; without a pause up to {max(hurried)}")
        assert max(rested) <= CREATE
        assert max(rested[3:]) < 1.1 * min(rested[:3])
        assert max(hurried) <= 2 * CREATE


def test_memory_of_ours():
    """On 2 GiB the hypervisor keeps at most 12 MiB for itself before the first guest: its image, frame table and both M2Ps,
    its stacks and what it knows of dom0. The boot loader's modules are given back by then; kept, they would show here."""
    with booted(memory="2048M", cpus=2) as machine:
        ours = int(re.search(r"ours (\d+) KiB", machine.text())[1])
        print(f"ours: {ours} KiB of 2 GiB")
        assert ours <= 12 * 1024
        machine.send("poweroff\r")
        machine.child.expect(pexpect.EOF)
