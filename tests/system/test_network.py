# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Interfaces and the switch between them: guests of both widths, Linux, and one that lies."""
import json
import re

import pytest

from linux_shell import ask, quiet
from machine import booted, built, config, ramdisk
from test_leaks import assert_same, settled

OPTIONS = "console=com1 dom0_mem=256M loglvl=info"
HEADER = "Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       "
BLOCKS = 64  # of 64 KiB each: what two Linux guests send each other


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A host that answers pings at 10.0.0.10, and the guests that lie."""
    files = {}
    for width in (32, 64):
        files[f"liar{width}"] = built(f"guest{width}/test-netfront")
        files[f"liar{width}.cfg"] = config(f"liar{width}", f"/guests/liar{width}", vif=[""])
    files["host.cfg"] = config("host", "/boot/ping32", extra="ip=10.0.0.10", vif=["vifname=host"])
    path = tmp_path_factory.mktemp("network") / "dom0.rd"
    with booted(cpus=2, memory="1024M", append=OPTIONS, initrd=ramdisk(path, files)) as machine:
        machine.command("xenstore-write /local/domain/0/error/backend/vif ''")  # made with the first error, and stays
        machine.command("create /guests/host.cfg")
        machine.wait("its interface", lambda: interfaces(machine, "host")[0]["state"] == 4)
        yield machine


def interfaces(machine, domain):
    """Those of a domain; none while it is not there, as between two lives."""
    found = machine.json(f"network-list {domain}")
    return found if isinstance(found, list) else []


def ports(machine):
    return {port["port"]: port for port in machine.json("network-switch -a")}


def test_both_widths(machine):
    """A 64-bit guest finds a 32-bit one by ARP and pings it, with small and with the largest frames."""
    for size in (56, 1472):
        output = machine.command(f"create -c /examples/ping-peer.cfg 'extra=\"ip=10.0.0.11 to=10.0.0.10 size={size}\"'")
        assert "4 of 4 answered" in output, output
        machine.wait_gone("ping-peer")
    assert list(ports(machine)) == ["host"]


def test_list(machine):
    """The columns are xl's, which scripts cut by position."""
    lines = machine.command("network-list host").splitlines()
    assert lines[0] == HEADER
    assert re.fullmatch(r"0   0  00:16:3e(:[0-9a-f]{2}){3}     0     4 +\d+ +\d+/\d+ +/local/domain/0/backend/vif/\d+/0 *",
                        lines[1])
    assert len(lines) == 2


def test_address_outlives_a_reboot(machine):
    """A guest whose address changed with each boot would get a new lease and lose its name."""
    before = interfaces(machine, "host")[0]
    machine.command("reboot -w host", timeout=60)
    machine.wait("the interface again", lambda: [i for i in interfaces(machine, "host")
                                                  if i["state"] == 4 and i["domid"] != before["domid"]])
    after = interfaces(machine, "host")[0]
    assert after["mac"] == before["mac"] and after["domid"] != before["domid"]


def test_attach_and_detach(machine):
    """What is attached appears on its bridge with what was asked for, by number or address it goes; two may not clash."""
    first = machine.json("network-attach host mac=00:16:3e:00:00:77 bridge=other mtu=9000 rate=1MB/s@20ms")
    assert first == {"devid": 1, "mac": "00:16:3e:00:00:77"}
    second = machine.json("network-attach host")
    assert second["devid"] == 2 and second["mac"].startswith("00:16:3e:")
    domid = machine.command("domid host").strip()
    assert ports(machine)[f"vif{domid}.1"]["bridge"] == "other"
    assert interfaces(machine, "host")[1]["rate"] == "20000,20000"
    assert "already" in machine.command("network-attach host devid=2")
    assert "has the address" in machine.command("network-attach host mac=00:16:3e:00:00:77")
    for name in ("00:16:3e:00:00:77", "2", "00:16:3e:00:00:77"):
        assert machine.command(f"network-detach host {name}") == ""
    assert "no interface 2" in machine.command("network-detach host 2")
    assert len(interfaces(machine, "host")) == 1
    assert list(ports(machine)) == ["host"]


@pytest.mark.parametrize("spec, complaint", [
    ("mac=00:16:3e:0:0:1", "is no address"), ("mac=01:16:3e:00:00:01", "a group's"), ("bridge=", "wants a name"),
    ("rate=fast", "is none"), ("rate=1b/s@1us", "bytes in each interval"), ("mtu=67", "68 to"), ("type=ioemu", "type=vif"),
    ("gatewaydev=eth0", "bridge=NAME"), ("backend=5", "domain 0 has"), ("speed=1", 'unknown keyword "speed"'),
    ("devid=64", "0 to 63"), ("vifname=" + "x" * 40, "at most 31"),
])
def test_bad_specification(machine, spec, complaint):
    """A wrong interface is an error that names the wrong part, on the command line and in a configuration."""
    assert complaint in machine.command(f"network-attach host '{spec}'")
    output = machine.command(f"create -n /examples/ping.cfg 'vif=[\"{spec}\"]'")
    assert complaint in output and "vif" in output
    assert len(interfaces(machine, "host")) == 1


@pytest.mark.parametrize("width", [32, 64])
def test_liar(machine, width):
    """A front end that lies in every field is cut off or told so; its neighbours' pings go on, and nothing is left."""
    before = settled(machine)
    pinging = machine.json("create /examples/ping-peer.cfg 'extra=\"ip=10.0.0.11 to=10.0.0.10 count=12\"'")["domid"]
    machine.command("dmesg -c")
    assert "is running" in machine.command(f"create /guests/liar{width}.cfg")
    machine.wait_gone(f"liar{width}", timeout=60)
    log = machine.log(f"liar{width}")
    assert re.search(r"netfront: [1-9]\d* passed, 0 failed", log), log
    machine.wait_gone("ping-peer", timeout=60)
    assert "12 of 12 answered" in machine.log(pinging)
    assert "cut off: its transmit ring claims 1000 requests" in machine.dmesg()
    assert_same(machine, before, slack=16)


@pytest.fixture(scope="module")
def linux(machine):
    """Two Linux guests at their shells; each sends back the checksum of what is sent to its port 5000."""
    machine.destroy_all()
    for name in ("linux", "linux2"):
        machine.command(f"create /examples/{name}.cfg")
    for name in ("linux", "linux2"):
        machine.wait_log(name, rf"{name}:[^ ]*# ", timeout=120)
        quiet(machine, name)
        ask(machine, "(nc -ll -p 5000 -e sha256sum >/dev/null 2>&1 &)", name)
        ask(machine, f"dd if=/dev/urandom of=/tmp/data bs=64k count={BLOCKS} 2>/dev/null", name)
    return machine


def send(machine, domain, peer):
    """Sends the file to the other guest and compares what it says about it with what we have."""
    sums = ask(machine, f"sha256sum </tmp/data; nc {peer} 5000 </tmp/data", domain, timeout=120).split()
    assert len(sums) == 4 and sums[0] == sums[2], sums


def test_linux_pair(linux):
    """Megabytes in both directions arrive as they were sent, in large segments, and nobody complains."""
    assert ", 0% packet loss" in ask(linux, "ping -c 3 10.0.0.2")
    send(linux, "linux", "10.0.0.2")
    send(linux, "linux2", "10.0.0.1")
    counters = ports(linux)
    for name in ("linux", "linux2"):
        port = counters[f"vif{linux.command(f'domid {name}').strip()}.0"]
        assert port["in_bytes"] > BLOCKS * 65536 and port["out_bytes"] > BLOCKS * 65536
        assert port["in_frames"] < BLOCKS * 65536 / 1448 * 2  # segments were left to the receiver
        assert port["bad"] == 0
        assert ask(linux, "dmesg | grep -iE 'rx->offset|eth0.*(error|bad|invalid)'", name) == ""


def test_hot_plug(linux):
    """An interface comes and goes in a running Linux, and the one that stays works on."""
    devid = linux.json("network-attach linux mac=00:16:3e:00:00:55")["devid"]
    linux.wait("the second interface", lambda: interfaces(linux, "linux")[1]["state"] == 4)
    assert "00:16:3e:00:00:55" in ask(linux, "cat /sys/class/net/eth1/address")
    assert linux.command(f"network-detach linux {devid}") == ""
    linux.wait("Linux to let go of it", lambda: "No such file" in ask(linux, "cat /sys/class/net/eth1/address"))
    assert ", 0% packet loss" in ask(linux, "ping -c 2 10.0.0.2")


def test_destroyed_while_sending(linux):
    """One end of a transfer vanishes in the middle: the other lives, no page or port of the dead one stays."""
    ask(linux, "(nc -ll -p 5001 -e cat >/dev/null 2>&1 &)", "linux2")
    ask(linux, "(while :; do cat /tmp/data /tmp/data; done | nc 10.0.0.2 5001 >/dev/null &)")
    domid = linux.command("domid linux").strip()
    start = ports(linux)[f"vif{domid}.0"]["in_bytes"]
    linux.wait("traffic", lambda: ports(linux)[f"vif{domid}.0"]["in_bytes"] > start + 500_000)
    linux.command("destroy linux")
    linux.wait_gone("linux")
    assert f"vif{domid}.0" not in ports(linux)
    assert "alive" in ask(linux, "echo al''ive", "linux2")
    grants = re.search(r"d0 grant table: .* (\d+) mappings of others", linux.debug_key("g"))
    linux.command("destroy linux2")
    linux.wait_gone("linux2")
    after = re.search(r"d0 grant table: .* (\d+) mappings of others", linux.debug_key("g"))
    assert int(after[1]) < int(grants[1])
    assert ports(linux) == {}
    assert "vif/" not in json.dumps(linux.command("xenstore-ls /local/domain/0/backend"))
