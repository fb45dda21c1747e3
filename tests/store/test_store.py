# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The store and the console backend as guests of both widths meet them, under a dom0 of both widths."""
import os
import re
import socket
import subprocess
import time

import pytest

from machine import BUILD, booted

WIDTHS = ["32", "64"]
REFERENCE = os.environ.get("REFERENCE_XENSTORED", "/usr/lib/xen-4.17/bin/xenstored")


@pytest.fixture(scope="module", params=WIDTHS, ids=["dom0-32", "dom0-64"])
def dom0(request):
    with booted(cpus=2, initrd=f"{BUILD}/guest{request.param}/dom0,{BUILD}/tests/store.rd") as machine:
        yield machine


def run_guest(machine, name):
    """Creates a guest that ends by itself; returns everything that it printed. dmesg speaks of it alone then."""
    machine.command("dmesg -c")
    machine.command(f"create /guests/{name}.cfg")
    machine.wait_gone(name, timeout=300)
    return machine.command(f"log {name}")


def listening(path):
    """Whether a daemon answers there: its socket is to be seen before it is heard."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_store_from_a_domu(dom0, width):
    """Every request that a guest may make, through its own ring, with rights, limits, watches and threads."""
    printed = run_guest(dom0, f"store{width}")
    assert re.search(r"store: [0-9]+ passed, 0 failed", printed), printed
    assert "hit its limit of 1000 nodes" in dom0.dmesg()


@pytest.mark.parametrize("width", WIDTHS)
def test_lying_guest(dom0, width):
    """A guest that breaks both ring protocols in every way is served again after each, and dom0 does not mind."""
    printed = run_guest(dom0, f"hostile{width}")
    assert re.search(r"hostile: [0-9]+ passed, 0 failed", printed), printed
    assert "Domain-0" in dom0.command("list")


def test_noisy_guests(dom0):
    """Two guests that ring both daemons without end: the prompt answers, other guests are served, destroy ends them."""
    for name in ("noise32", "noise64"):
        dom0.command(f"create /guests/{name}.cfg")
    assert "noise64" in dom0.command("list", timeout=10)
    printed = run_guest(dom0, "store32")
    assert re.search(r"store: [0-9]+ passed, 0 failed", printed), printed
    for name in ("noise32", "noise64"):
        dom0.command(f"destroy {name}", timeout=10)
    assert "noise" not in dom0.command("list")


@pytest.mark.parametrize("width", WIDTHS)
def test_program_for_libxenstore(dom0, width):
    """A program written for libxenstore runs as a guest and finds its transaction committed."""
    printed = run_guest(dom0, f"compat{width}")
    assert 'data/compat = "value" (5 bytes)' in printed
    assert "data token below: 1" in printed


def test_nothing_stays(dom0):
    """After all these guests the store holds no more than before the first."""
    before = dom0.command("xenstore-ls /")
    run_guest(dom0, "store32")
    assert dom0.command("xenstore-ls /") == before
    assert "/local/domain/1" not in before


def test_program_compiles_against_libxenstore(tmp_path):
    """The same file is accepted by Debian's headers and library: it is not written for ours alone."""
    subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-o",
                    str(tmp_path / "compat"), "tests/store/compat.c", "-lxenstore"], check=True)


@pytest.mark.skipif(not os.path.exists(REFERENCE), reason="the reference xenstored (xen-utils-4.17) is not installed")
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("mode", ["transactions", "guests"])
def test_like_the_reference(tmp_path, mode, seed):
    """Random requests get the same answers and events from Debian's xenstored and from ours."""
    environment = {**os.environ, "REFERENCE_DIR": str(tmp_path), "XENSTORED_RUNDIR": str(tmp_path),
                   "XENSTORED_PATH": str(tmp_path / "socket"), "LD_PRELOAD": os.path.abspath(f"{BUILD}/tests/reference_shim.so")}
    with subprocess.Popen([REFERENCE, "-N"], env=environment) as daemon:
        try:
            end = time.monotonic() + 60
            while not listening(str(tmp_path / "socket")):
                assert time.monotonic() < end and daemon.poll() is None, "the reference does not start"
                time.sleep(0.05)
            result = subprocess.run([f"{BUILD}/tests/store-compare", str(tmp_path), str(seed), "3000", mode],
                                    capture_output=True, text=True, timeout=300, check=False)
        finally:
            daemon.kill()
    assert result.returncode == 0, result.stdout + result.stderr
