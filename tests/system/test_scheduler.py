# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Weight, cap and affinity, measured by the CPU time that guests which never sleep get."""
import re
import time

import pytest

from machine import booted


@pytest.fixture(scope="module")
def spinners():
    """Two CPUs; two GRUBs, which poll their consoles and so never sleep, both on CPU 1. dom0 stays on CPU 0."""
    with booted(cpus=2, memory="1024M") as machine:
        machine.command("vcpu-pin Domain-0 all 0")
        for name in ("a", "b"):
            machine.command(f"create /examples/grub64.cfg name={name} 'cpus=\"1\"' memory=64")
            machine.wait_log(name, "grub>")
        yield machine


@pytest.fixture(autouse=True)
def defaults(spinners):
    yield
    for name in ("a", "b"):
        spinners.command(f"sched-credit2 -d {name} -w 256 -c 0; vcpu-pin {name} all 1 all; unpause {name}")


def cpu_seconds(machine):
    return {name: domain["cpu_seconds"] for name, domain in machine.domains().items()}


def shares(machine, seconds=2.0):
    """CPU seconds that a and b got in some seconds of the machine's own time, and that time."""
    before, start = cpu_seconds(machine), time.monotonic()
    time.sleep(seconds)
    after, end = cpu_seconds(machine), time.monotonic()
    return after["a"] - before["a"], after["b"] - before["b"], end - start


def test_equal_weights_share_equally(spinners):
    """Two busy domains on one CPU get the same time, and together all of it."""
    a, b, elapsed = shares(spinners)
    assert 0.85 < a / b < 1.18, (a, b)
    assert a + b > 0.8 * elapsed


def test_weight_is_the_ratio(spinners):
    """Three times the weight is three times the time."""
    assert spinners.command("sched-credit2 -d a -w 768") == ""
    a, b, _ = shares(spinners)
    assert 2.4 < a / b < 3.7, (a, b)


def test_cap_is_a_ceiling(spinners):
    """A capped domain gets no more even on an idle CPU, and the rest is for the other."""
    spinners.command("sched-credit2 -d a -c 25")
    a, b, elapsed = shares(spinners)
    assert 0.1 < a / elapsed < 0.3, (a, elapsed)
    spinners.command("pause b")
    a, b, elapsed = shares(spinners)
    assert 0.1 < a / elapsed < 0.3, (a, elapsed)
    assert b < 0.01
    spinners.command("unpause b")


def test_hard_affinity_moves_and_holds(spinners):
    """vcpu-list shows the CPU that vcpu-pin named, and both domains run at full speed on different CPUs."""
    spinners.command("vcpu-pin a 0 0")
    spinners.wait("a on CPU 0", lambda: spinners.json("vcpu-list a")[0]["cpu"] == 0)
    a, b, elapsed = shares(spinners)
    assert b > 0.8 * elapsed, "b has CPU 1 to itself"
    assert {row["cpu"] for row in spinners.json("vcpu-list b")} == {1}
    assert spinners.json("vcpu-list a")[0]["hard_affinity"] == "0"


def test_dom0_answers_beside_spinning_guests(spinners):
    """A prompt that shares its CPU with a busy guest must stay quick."""
    spinners.command("vcpu-pin a 0 0")
    start = time.monotonic()
    for _ in range(10):
        spinners.command("list")
    assert time.monotonic() - start < 5


def test_parameters_are_checked(spinners):
    """Out of range, unknown domain, CPU that is not there: refused with the range, nothing changed."""
    assert "out of range: 1 to 65535" in spinners.command("sched-credit2 -d a -w 0")
    assert "out of range: 1 to 65535" in spinners.command("sched-credit2 -d a -w 65536")
    assert "out of range: 0 (none) to 100" in spinners.command("sched-credit2 -d a -c 101")
    assert "need a domain" in spinners.command("sched-credit2 -w 5")
    assert "cannot run there" in spinners.command("vcpu-pin a 0 7")
    assert "is no vCPU of domain" in spinners.command("vcpu-pin a 1 0")
    assert "1 to 1 vCPUs" in spinners.command("vcpu-set a 2")
    assert spinners.json("sched-credit2 -d a")[0]["weight"] == 256


def test_columns_are_those_of_xl(spinners):
    """Programs read these columns: their widths may not drift."""
    lines = spinners.command("sched-credit2").splitlines()
    assert re.fullmatch(r"Cpupool Pool-0: ratelimit=\d+us", lines[0])
    assert lines[1] == "Name                                ID Weight  Cap"
    assert lines[2] == "Domain-0                             0    256    0"
    lines = spinners.command("vcpu-list Domain-0").splitlines()
    assert lines[0] == "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)"
    assert lines[1].startswith("Domain-0                             0     0     0   r-- ")
    assert lines[1].endswith("  0 / all")
