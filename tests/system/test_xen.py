# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Side by side with genuine Xen: our 64-bit dom0 and guests, bit for bit the same files, under Debian's hypervisor."""
import glob
import gzip
import re
import shutil
import time

import pytest

from machine import BUILD, DOM0_MEM, Machine, booted

XEN = sorted(glob.glob("/boot/xen-4.17-amd64.gz"))

# The emulator reads a ring-3 iret's stack as a supervisor: with SMAP on, every 64-bit kernel's own iret faults there.
OPTIONS = f"console=com1 com1=115200,8n1 {DOM0_MEM} loglvl=warning smap=0"


@pytest.fixture(scope="module")
def genuine(tmp_path_factory):
    """Debian's Xen with our dom0."""
    if not XEN:
        pytest.skip("xen-hypervisor-4.17-amd64 is not installed")
    kernel = tmp_path_factory.mktemp("xen") / "xen"
    with gzip.open(XEN[-1], "rb") as packed, open(kernel, "wb") as plain:
        shutil.copyfileobj(packed, plain)
    machine = Machine(cpus=2, memory="768M", kernel=str(kernel), append=OPTIONS,
                      initrd=f"{BUILD}/guest64/dom0,{BUILD}/dom0.rd")
    machine.prompt(timeout=120)
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def paravane():
    """The same dom0 on Paravane."""
    with booted(cpus=2, memory="768M", append=f"console=com1 {DOM0_MEM} loglvl=warning",
                initrd=f"{BUILD}/guest64/dom0,{BUILD}/dom0.rd") as machine:
        yield machine


def lines_of(machine, config):
    """What a guest prints, without what differs from run to run: domain numbers and times."""
    output = machine.command(f"create -c {config}", timeout=90)
    kept = [line for line in output.splitlines() if line.startswith("hello: ")]
    return [re.sub(r"dom[0-9]+", "domN", line) for line in kept]


def test_hello_says_the_same(genuine, paravane):
    """A guest must not be able to tell the two apart by anything hello looks at."""
    there = lines_of(genuine, "/examples/hello64.cfg")
    assert len(there) >= 5
    assert lines_of(paravane, "/examples/hello64.cfg") == there


def test_list_is_the_same(genuine, paravane):
    """Columns, states and memory of domain 0: only the time and the number of vCPUs may differ."""
    def shape(machine):
        return [re.sub(r"[0-9.]+$", "T", line) for line in machine.command("list").splitlines()]
    assert shape(genuine) == shape(paravane)


def test_grub_answers(genuine):
    """Debian's GRUB, built by our domain builder under genuine Xen: the layout is what Xen's own would be."""
    genuine.send("create -c /examples/grub64.cfg\r")
    genuine.expect("grub> ", timeout=90)
    genuine.send("echo it works\r")
    genuine.expect("\rit works")  # the echo of what is typed has cursor movements between its letters
    genuine.send("\x1d")
    genuine.prompt()
    genuine.command("destroy grub64")


def test_width_that_xen_lacks_is_explained(genuine):
    """Debian's Xen runs no 32-bit PV guests; the refusal names what the kernel needs and what there is."""
    assert re.search(r"32-bit kernel .xen-3.0-x86_32p.; this hypervisor runs xen-3.0-x86_64",
                     genuine.command("create /examples/hello32.cfg"))


def test_nothing_is_left_there_either(genuine):
    """The tools' own leaks would show under any hypervisor."""
    genuine.command("create -p /examples/hello64.cfg memory=8; destroy hello64")
    before, nodes = genuine.json("info")["free_pages"], genuine.command("xenstore-ls")
    for _ in range(20):  # short lines: Xen's serial input drops what comes too fast
        genuine.command("create -p /examples/hello64.cfg memory=8; destroy hello64")
    assert genuine.command("xenstore-ls") == nodes
    end = time.time() + 20
    while genuine.json("info")["free_pages"] < before - 32:  # Xen frees the last pages of a domain a little later
        assert time.time() < end
        time.sleep(0.5)
