# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The command line as a user meets it: domains made, watched, changed and ended; and mistakes that are explained."""
import gzip
import json
import os
import re
import struct
import subprocess
import sys
import time

import pytest

from machine import BUILD, booted

HELLO = "/examples/hello32.cfg"


def broken_kernels(directory):
    """Kernels that lie, made from a good one. Name -> file."""
    with open(f"{BUILD}/guest32/hello", "rb") as file:
        good = file.read()
    phoff, = struct.unpack_from("<I", good, 28)
    files = {
        "truncated": good[:len(good) // 2],
        "headless": b"\0" + good[1:],
        "cut-header": good[:40],
        "huge-segment": good[:phoff + 20] + struct.pack("<I", 0xF0000000) + good[phoff + 24:],
        "far-offset": good[:phoff + 4] + struct.pack("<I", 0xFFFFFFF0) + good[phoff + 8:],
        "arm": good[:18] + struct.pack("<H", 40) + good[20:],
        "empty": b"",
    }
    result = {}
    for name, data in files.items():
        path = directory / name
        path.write_bytes(data)
        result[f"bad/{name}"] = str(path)
    return result


CONFIGS = {
    "unknown.cfg": 'name = "x"\nkernel = "/boot/hello32"\n\nmemroy = 16\n',
    "syntax.cfg": 'name = "x"\nkernel = "/boot/hello32\nmemory = 16\n',
    "list.cfg": 'name = "x"\nkernel = "/boot/hello32"\nvif = [ "a" "b" ]\n',
    "missing.cfg": 'name = "x"\nkernel = "/boot/nothing"\n',
    "noname.cfg": 'kernel = "/boot/hello32"\n',
    "hvm.cfg": 'name = "x"\nkernel = "/boot/hello32"\ntype = "hvm"\n',
    "multi.cfg": 'name = "multi"\nkernel = "/boot/hello32"\nmemory = 16\non_poweroff = "preserve"\n'
                 'modules = [ "/boot/hello32", "/boot/hello64", ]\n',
}


@pytest.fixture(scope="module")
def vane(tmp_path_factory):
    """A machine of 2 CPUs whose RAM disk also holds what should not work."""
    directory = tmp_path_factory.mktemp("guests")
    extra = broken_kernels(directory)
    for name, text in CONFIGS.items():
        (directory / name).write_text(text)
        extra[f"cfg/{name}"] = str(directory / name)
    with open(f"{BUILD}/guest64/hello", "rb") as file:
        (directory / "packed").write_bytes(gzip.compress(file.read(), 9))
    extra["boot/packed"] = str(directory / "packed")
    disk = directory / "dom0.rd"
    boot = {f"boot/{name}{width}": f"{BUILD}/guest{width}/{name}"
            for name in ("hello", "ticker", "balloon", "rogue", "ring") for width in ("32", "64")}
    examples = {f"examples/{file}": os.path.join(root, file)
                for root, _, files in os.walk("examples") for file in files if file.endswith(".cfg")}
    pairs = [f"{name}={path}" for name, path in {**boot, **examples, **extra}.items()]
    subprocess.run([sys.executable, "scripts/ramdisk.py", str(disk), *pairs], check=True)
    with booted(cpus=2, memory="768M", initrd=f"{BUILD}/dom0,{disk}") as machine:
        yield machine


def as_json(machine, command, timeout=60):
    """What a command says under --json."""
    output = machine.command(command + " --json", timeout)
    line = next(line for line in output.splitlines() if line[:1] in "{[")
    return json.loads(line)


def domains(machine):
    return {entry["name"]: entry for entry in as_json(machine, "list")}


def until(condition, seconds=20):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "did not happen in time"
        time.sleep(0.1)


def test_list_has_the_columns_of_xl(vane):
    """Programs parse xl list: every byte of a line has its place."""
    lines = vane.command("list").splitlines()
    assert lines[0] == "Name                                        ID   Mem VCPUs\tState\tTime(s)"
    assert re.fullmatch(r"Domain-0 {33}    0 [ 0-9]{5}     [12]     r-----  [ 0-9]{6}\.[0-9]", lines[1]), lines[1]


@pytest.mark.parametrize("width", ["32", "64"])
def test_console_of_create(vane, width):
    """create -c shows the guest's first line and its last, and comes back when it ends."""
    output = vane.command(f"create -c /examples/hello{width}.cfg")
    assert f"a {width}-bit guest" in output and "powering off" in output
    until(lambda: f"hello{width}" not in domains(vane))


def test_packed_kernel(vane):
    """A kernel packed with gzip, as distributions ship them, is unpacked on the way."""
    assert "a 64-bit guest" in vane.command(f"create -c {HELLO} kernel=/boot/packed name=packed")
    until(lambda: "packed" not in domains(vane))


def test_console_is_left_with_a_key(vane):
    """Ctrl-] leaves a running guest to itself; coming back shows what it printed meanwhile."""
    vane.send("create -c /examples/ticker.cfg extra=period=100\r")
    vane.expect("ticker: .*tick")
    vane.send("\x1d")
    assert "it runs on" in vane.prompt()
    assert "ticker" in domains(vane)
    time.sleep(0.5)
    vane.send("console ticker\r")
    vane.expect("Ctrl-]")
    vane.send("\x1d")
    vane.prompt()
    vane.command("destroy ticker")


def test_pause_and_unpause(vane):
    """A paused domain gets no CPU; its state says so; unpaused it goes on."""
    vane.command("create /examples/ticker.cfg")
    vane.command("pause ticker")
    assert "p" in domains(vane)["ticker"]["state"]
    before = domains(vane)["ticker"]["cpu_seconds"]
    time.sleep(1.5)
    assert domains(vane)["ticker"]["cpu_seconds"] == before
    vane.command("unpause ticker")
    assert "p" not in domains(vane)["ticker"]["state"]
    vane.command("destroy ticker")


def test_paused_creation(vane):
    """create -p starts nothing: the guest has printed nothing and used no CPU."""
    made = as_json(vane, f"create -p {HELLO} name=later")
    assert made["paused"] is True
    assert domains(vane)["later"]["cpu_seconds"] == 0
    vane.command("unpause later")
    until(lambda: "later" not in domains(vane))


def test_dry_run_makes_nothing(vane):
    """--dry-run checks all and creates no domain."""
    assert "Nothing was created" in vane.command(f"create --dry-run {HELLO}")
    assert "hello32" not in domains(vane)


def test_names_and_ids(vane):
    """domid, domname and rename agree; a name is taken once."""
    vane.command("create -p /examples/ticker.cfg")
    domid = vane.command("domid ticker").strip()
    assert vane.command(f"domname {domid}").strip() == "ticker"
    assert f'the name "ticker" is taken by domain {domid}' in vane.command("create /examples/ticker.cfg")
    vane.command("rename ticker clock")
    assert vane.command("domid clock").strip() == domid
    assert 'no domain "ticker"' in vane.command("pause ticker")
    assert "taken" in vane.command("rename clock Domain-0")
    vane.command("destroy clock")


def test_shutdown_is_a_request(vane):
    """A guest that listens shuts down and is gone; its log remains."""
    vane.command("create /examples/ticker.cfg")
    time.sleep(0.5)
    assert "has been shut down" in vane.command("shutdown -w ticker")
    until(lambda: "ticker" not in domains(vane))
    assert "ticker:" in vane.command("log ticker")
    assert "is dead; log ticker" in vane.command("console ticker")


def test_reboot_brings_it_back(vane):
    """on_reboot is restart by default: another id, the same UUID."""
    vane.command("create /examples/ticker.cfg")
    time.sleep(0.5)
    before = domains(vane)["ticker"]
    vane.command("reboot ticker")
    until(lambda: domains(vane).get("ticker", before)["domid"] != before["domid"])
    assert domains(vane)["ticker"]["uuid"] == before["uuid"]
    vane.command("destroy ticker")


def test_preserve_and_rename_restart(vane):
    """The dead stay for inspection when they are told to, under a name of their own where it is needed again."""
    vane.command(f"create {HELLO} name=kept on_poweroff=preserve")
    until(lambda: "s" in domains(vane)["kept"]["state"])
    assert domains(vane)["kept"]["shutdown_reason"] == "poweroff"
    vane.command("destroy kept")
    vane.command("create /examples/ticker.cfg name=phoenix on_reboot=rename-restart")
    time.sleep(0.5)
    old = domains(vane)["phoenix"]["domid"]
    vane.command("reboot phoenix")
    until(lambda: f"phoenix-{old}" in domains(vane) and "phoenix" in domains(vane))
    vane.command(f"destroy phoenix-{old}; destroy phoenix")


def test_restart_storm_ends(vane):
    """A guest that dies at once is not restarted for ever."""
    vane.command(f"create {HELLO} name=moth on_poweroff=restart")
    until(lambda: vane.command("") is not None and "not restarted any more" in vane.text(), 60)
    until(lambda: "moth" not in domains(vane))


def test_crash_is_reported(vane):
    """A guest that breaks a rule fatally ends as crashed, and the hypervisor says why."""
    vane.send("create -c /examples/rogue.cfg on_crash=preserve\r")
    vane.prompt(60)
    until(lambda: "c" in domains(vane)["rogue"]["state"])
    assert "crashed" in vane.dmesg()
    vane.command("destroy rogue")


def test_memory_limits_have_numbers(vane):
    """mem-set works up to maxmem and names the limit beyond it."""
    vane.command("create /examples/balloon.cfg")
    until(lambda: "following memory/target" in vane.command("log balloon"))
    vane.command("mem-set balloon 24")
    until(lambda: domains(vane)["balloon"]["memory_kib"] == 24 * 1024)
    vane.command("mem-set balloon 32")
    until(lambda: domains(vane)["balloon"]["memory_kib"] == 32 * 1024)
    assert "50 MiB is more than the 40 MiB" in vane.command("mem-set balloon 50")
    vane.command("mem-max balloon 64")
    assert "moves from 32 MiB to 50 MiB" in vane.command("mem-set balloon 50")
    until(lambda: domains(vane)["balloon"]["memory_kib"] == 50 * 1024)
    assert "is less than" in vane.command("mem-max balloon 20")
    vane.command("destroy balloon")


def test_scheduling(vane):
    """Weight, cap and affinity are what was set, and their limits are named."""
    vane.command("create -p /examples/ticker.cfg vcpus=1 cpus=0")
    assert as_json(vane, "vcpu-list ticker")[0]["hard_affinity"] == "0"
    vane.command("vcpu-pin ticker all 1 all")
    assert as_json(vane, "vcpu-list ticker")[0]["hard_affinity"] == "1"
    assert "machine has CPUs 0 to 1" in vane.command("vcpu-pin ticker 0 77")
    vane.command("sched-credit2 -d ticker -w 512 -c 50")
    assert as_json(vane, "sched-credit2 -d ticker") == [
        {"name": "ticker", "domid": domains(vane)["ticker"]["domid"], "weight": 512, "cap": 50}]
    assert "out of range" in vane.command("sched-credit2 -d ticker -w 0")
    assert "1 to 1 vCPUs" in vane.command("vcpu-set ticker 2")
    vane.command("destroy ticker")


@pytest.mark.parametrize("name, words", [
    ("truncated", "truncated"), ("headless", "not an ELF file"), ("cut-header", "truncated"),
    ("huge-segment", "truncated|overlap|memory|address space|entry"), ("far-offset", "outside the file"),
    ("arm", "processor"), ("empty", "not an ELF file"), ("nothing", "No such file"),
])
def test_bad_kernels(vane, name, words):
    """A kernel that lies is refused with the reason, and nothing is left of the attempt."""
    before = as_json(vane, "info")["free_pages"]
    output = vane.command(f"create {HELLO} kernel=/bad/{name} name=bad")
    assert f"/bad/{name}" in output and re.search(words, output), output
    assert "bad" not in domains(vane)
    assert as_json(vane, "info")["free_pages"] == before


@pytest.mark.parametrize("name, message", [
    ("unknown.cfg", r'/cfg/unknown.cfg:4:1: unknown setting "memroy"; did you mean "memory"'),
    ("syntax.cfg", r"/cfg/syntax.cfg:2:10: this string is not closed"),
    ("list.cfg", r"/cfg/list.cfg:3:13: expected ',' or ']'"),
    ("missing.cfg", r"kernel /boot/nothing: No such file"),
    ("noname.cfg", r"/cfg/noname.cfg: name is missing"),
    ("hvm.cfg", r'/cfg/hvm.cfg:3:8: type must be "pv"'),
    ("none.cfg", r"configuration /cfg/none.cfg: No such file"),
])
def test_bad_configurations(vane, name, message):
    """A mistake in a configuration is named with its file, line and column."""
    assert message in vane.command(f"create /cfg/{name}")


def test_memory_that_does_not_fit(vane):
    """Asked for and free are both named, and nothing is lost."""
    before = as_json(vane, "info")["free_pages"]
    output = vane.command(f"create {HELLO} memory=5000")
    assert re.search(r"5000 MiB asked for, [0-9]+ MiB free", output), output
    assert "MiB) at least" in vane.command(f"create {HELLO} memory=1")
    assert as_json(vane, "info")["free_pages"] == before


def test_several_modules(vane):
    """A list that ends with a comma is a list: both of its modules reach the guest."""
    output = vane.command("create -c /cfg/multi.cfg")
    assert re.findall(r'^hello: module "(.*?)", \d+ bytes', output, re.M) == ["/boot/hello32", "/boot/hello64"], output
    vane.command("destroy multi")


def test_errors_as_json(vane):
    """Under --json an error is an object too."""
    assert as_json(vane, "pause nobody") == {"error": 'there is no domain "nobody"; list shows those that exist'}
    assert "error" in as_json(vane, "destroy 0")
    assert "too many arguments" in as_json(vane, f"cat {HELLO} /nothing")["error"], "one value, not one and half another"
    assert 'name = "hello32"' in as_json(vane, f"cat {HELLO}")["text"]


def test_mistyped_command(vane):
    """The nearest command is offered."""
    assert 'did you mean "list"' in vane.command("lsit")


def test_completion_and_history(vane):
    """Tab completes commands, files and domains; the arrow brings the last line back."""
    vane.send("domi\tDom\t\r")
    assert "\n0\n" in vane.prompt()
    vane.send("\x1b[A\r")
    assert "\n0\n" in vane.prompt()
    vane.send("cat /exa\thello3\t\r")
    assert 'name = "hello32"' in vane.prompt()


def test_store_of_a_domain_goes_with_it(vane):
    """The store has exactly the nodes it had before a domain came and went."""
    before = vane.command("xenstore-ls")
    vane.command("create -p /examples/ticker.cfg")
    assert "ticker" in vane.command("xenstore-ls /local/domain")
    vane.command("destroy ticker")
    assert vane.command("xenstore-ls") == before


def test_a_thousand_domains(vane):
    """Creating and destroying leaks no page and no node, however often; ports and grants would run out before the end."""
    one = f"create --json {HELLO} memory=4 name=fly; destroy fly; "
    vane.command(one * 14)
    time.sleep(1)
    pages, nodes = as_json(vane, "info")["free_pages"], vane.command("xenstore-ls")
    for _ in range(72):
        output = vane.command(one * 14, 120)
        assert "error" not in output and output.count('"domid"') == 14, output
    until(lambda: list(domains(vane)) == ["Domain-0"])
    assert vane.command("xenstore-ls") == nodes
    assert abs(as_json(vane, "info")["free_pages"] - pages) <= 8
