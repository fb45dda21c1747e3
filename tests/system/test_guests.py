# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The kernels of tests/guests as domUs: what they found as dom0 must hold for a guest that vane made, beside others."""
import glob
import os
import re

import pytest

from machine import BUILD, booted, built, config, ramdisk

VERDICT = re.compile(r"^[\w -]+: (\d+) passed, (\d+) failed$", re.MULTILINE)
TESTS = sorted(path.removeprefix(f"{BUILD}/") for width in (32, 64)
               for path in glob.glob(f"{BUILD}/guest{width}/test-*") if not path.endswith(".elf"))
DOM0_ONLY = {"test-control", "test-contract"}


@pytest.fixture(scope="module", params=[1, 2], ids=["1vcpu", "2vcpus"])
def machine(request, tmp_path_factory):
    """Two CPUs, and a neighbour that ticks on whatever the tests do."""
    files = {}
    for path in TESTS:
        name = path.replace("/", "-")
        files[name] = built(path)
        files[name + ".cfg"] = config(name, f"/guests/{name}", memory=64, vcpus=request.param)
    initrd = ramdisk(tmp_path_factory.mktemp("rd") / "rd", files)
    append = "console=com1 dom0_mem=256M loglvl=info guest_loglvl=none"
    with booted(cpus=2, memory="1024M", initrd=initrd, append=append) as machine:
        machine.command("create /examples/ticker.cfg")
        yield machine


@pytest.fixture(autouse=True)
def nothing_is_lost(machine):
    yield
    machine.command("; ".join(f"destroy {name}" for name in machine.domains() if name not in ("Domain-0", "ticker")))
    assert list(machine.domains()) == ["Domain-0", "ticker"]


@pytest.mark.parametrize("path", [path for path in TESTS if os.path.basename(path) not in DOM0_ONLY])
def test_as_domu(machine, path):
    """Every check of that kernel holds in a domU."""
    name = path.replace("/", "-")
    free = machine.free_mib()
    machine.command(f"create /guests/{name}.cfg")
    verdict = machine.wait(f"the verdict of {name}", lambda: VERDICT.search(machine.log(name)), timeout=60)
    failures = [line for line in machine.log(name).splitlines() if "FAIL" in line]
    assert int(verdict[2]) == 0, "\n".join(failures)
    assert int(verdict[1]) > 0
    machine.command(f"destroy {name}")
    machine.wait("its memory to be free", lambda: machine.free_mib() == free)


def test_neighbour_never_noticed(machine):
    """After all of them, dom0 answers and the ticker has not lost a tick."""
    ticks = [int(tick) for tick in re.findall(r"^tick (\d+),", machine.log("ticker"), re.MULTILINE)]
    assert ticks and ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    machine.wait("another tick", lambda: f"tick {ticks[-1] + 2}," in machine.log("ticker"))
