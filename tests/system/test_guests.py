# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Many of the kernels of tests/guests at once, as neighbours in both widths, more vCPUs than CPUs.

check-guests runs each of them alone; here they compete for CPUs, frames and dom0's services.
"""
import re

import pytest

from machine import booted, built, config, ramdisk

VERDICT = re.compile(r"^[\w -]+: (\d+) passed, (\d+) failed$", re.MULTILINE)
CROWD = ["hostile", "mmu_stress", "mmu", "memory", "grants", "segments", "traps", "store"]
KERNELS = {f"{name}{width}": f"guest{width}/test-{name}" for width in (32, 64) for name in CROWD}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    files = {}
    for name, path in KERNELS.items():
        files[name] = built(path)
        files[name + ".cfg"] = config(name, f"/guests/{name}", memory=48, vcpus=2)
    initrd = ramdisk(tmp_path_factory.mktemp("rd") / "rd", files)
    append = "console=com1 dom0_mem=256M loglvl=info guest_loglvl=none"
    with booted(cpus=2, memory="1536M", initrd=initrd, append=append) as machine:
        yield machine


def test_crowd(machine):
    """Hostile, stressing and measuring guests side by side: each verdict holds, no page is lost, no tick is missed."""
    machine.command("create /examples/ticker.cfg 'extra=\"period=100\"'")
    machine.wait_log("ticker", "tick 1,")
    free = machine.free_mib()
    for name in KERNELS:
        assert "is running" in machine.command(f"create /guests/{name}.cfg"), name
    verdicts = {}
    for name in KERNELS:
        verdicts[name] = machine.wait(f"the verdict of {name}", lambda: VERDICT.search(machine.log(name)), timeout=150)
    failed = {name: [line for line in machine.log(name).splitlines() if "FAIL" in line]
              for name, verdict in verdicts.items() if verdict[2] != "0" or verdict[1] == "0"}
    assert not failed
    for name in KERNELS:
        machine.wait_gone(name)
    machine.wait("all memory to be free again", lambda: machine.free_mib() == free)
    ticks = [int(tick) for tick in re.findall(r"^tick (\d+),", machine.log("ticker"), re.MULTILINE)]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    machine.wait("another tick", lambda: f"tick {ticks[-1] + 3}," in machine.log("ticker"))
