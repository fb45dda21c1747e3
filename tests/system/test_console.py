# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The console of a guest as a serial line, and the files of dom0: what is typed arrives, what is written is there."""
import os
import random
import re
import time

from machine import LEAVE_CONSOLE, answer_to


def paste(machine, data):
    """Sends bytes as fast as the line takes them."""
    sent = 0
    while sent < len(data):
        sent += os.write(machine.child.child_fd, data[sent:sent + 4096])


def test_commands_pasted_at_once(host2):
    """Lines pasted faster than they are carried out: input buffers that overflowed dropped what did not fit."""
    count = 250
    paste(host2, b"domid Domain-0\r" * count)
    for _ in range(count):
        assert host2.prompt().endswith("\n0\n")


def test_line_that_is_read_late(host2):
    """Whoever reads the serial line may be held up: what is said meanwhile waits, where sixteen letters were lost before."""
    text = host2.command("help")
    mark = "/.late"
    host2.send(f"{'help; ' * 8}cat '{mark}'\r")
    time.sleep(0.5)
    output = host2.expect(answer_to(mark))
    host2.prompt()
    assert output.count(text.strip()) == 8


def test_text_typed_while_a_command_waits(host2):
    """What is typed while a command waits for a guest is the next command, however long: not lost, not cut."""
    host2.command("create /examples/ticker.cfg")
    host2.command("pause ticker")
    name = "".join(random.Random(5).choices("abcdefghij", k=900))
    host2.send(f"shutdown -w -t 1 ticker\rdomid {name}\r")
    host2.expect("has not ended within 1 s")
    host2.prompt()
    assert f"domid {name}\n" in host2.prompt()


def test_guest_that_does_not_read(host2):
    """A guest deaf on its console must not keep the user there: what it does not take is dropped, with a word."""
    host2.command("create /examples/ticker.cfg 'extra=\"period=100000\"'")
    host2.command("pause ticker")
    host2.send("console ticker\r")
    host2.expect("Ctrl-] leaves it")
    paste(host2, b"x" * 12000)
    host2.expect(r"the guest does not read its console: \d+ bytes typed were dropped", timeout=30)
    host2.send(LEAVE_CONSOLE)
    host2.expect("left; it runs on", timeout=30)
    host2.prompt()


def test_console_follows_a_reboot(host2):
    """Who watches a guest restart sees the next one's first lines: the console used to end with the domain."""
    host2.command("create /examples/ticker.cfg")
    first = host2.domains()["ticker"]["domid"]
    host2.send("reboot ticker; console ticker\r")
    host2.expect(r"\[ticker: the domain has ended \(reboot\); it goes on as domain (\d+)\]")
    assert int(host2.child.match.group(1)) > first
    host2.expect("a tick every")
    host2.expect("tick 1,")
    host2.send(LEAVE_CONSOLE)
    host2.expect("left; it runs on")
    host2.prompt()


def test_console_of_a_domain_that_is_destroyed(host2):
    """The session says how the domain went, and there is a prompt again."""
    host2.command("create /examples/ticker.cfg on_poweroff=destroy")
    host2.send("shutdown ticker; console ticker\r")
    host2.expect(r"\[ticker: the domain has ended \(poweroff\)\]")
    host2.prompt()
    assert "there is no console number 1" in host2.command("console -n 1 ticker")


def test_daemons_speak_in_dmesg_only(host2):
    """A daemon's complaint about a guest belongs into dmesg: on the screen it broke the line being typed."""
    line = r"\d\d:\d\d:\d\d vbd 51712 of domain \d+: "
    host2.command("dmesg -c")
    host2.command("create /examples/ticker.cfg 'disk=[\"/images/scratch.img,raw,xvda,r\"]'")
    before = len(host2.text())
    host2.command(f"xenstore-write /local/domain/{host2.domains()['ticker']['domid']}/device/vbd/51712/state 3")
    host2.wait("word of a front end that has no ring", lambda: re.search(line, host2.json("dmesg")["dom0"]))
    assert not re.search("^" + line, host2.text()[before:], re.MULTILINE)


def test_files_in_tmp(host2):
    """Files are copied, listed and removed; their memory comes back, and a full /tmp keeps what it had."""
    assert host2.command("cp /examples/hello32.cfg /tmp") == ""
    assert host2.command("cat /tmp/hello32.cfg") == host2.command("cat /examples/hello32.cfg")
    assert host2.command("mkdir /tmp/d; cp /boot/hello32 /tmp/d") == ""
    size = {entry["name"]: entry["size"] for entry in host2.json("ls /boot")}["hello32"]
    assert host2.json("ls /tmp/d") == [{"name": "hello32", "directory": False, "size": size}]
    assert "Directory not empty" in host2.command("rm /tmp/d")
    output = ""
    for number in range(1000):
        output = host2.command(f"cp /boot/vmlinuz /tmp/{number}", timeout=30)
        if output:
            break
    assert "no space left" in output and "rm something" in output
    assert host2.command("cat /tmp/hello32.cfg") == host2.command("cat /examples/hello32.cfg")
    files = [entry["name"] for entry in host2.json("ls /tmp") if not entry["directory"]]
    assert str(number) not in files, "half a file stayed"
    for name in files:
        assert host2.command(f"rm /tmp/{name}") == ""
    assert host2.command("rm /tmp/d/hello32 /tmp/d") == ""
    assert host2.command("cp /boot/vmlinuz /tmp/again; rm /tmp/again") == ""


def test_files_elsewhere_are_read_only(host2):
    """The RAM disk cannot be written, and the answer says where one can."""
    for line in ("cp /boot/hello32 /boot/x", "rm /boot/hello32", "mkdir /boot/d"):
        assert "read-only" in host2.command(line) and "/tmp" in host2.command(line)
    assert "are the same file" in host2.command("cp /examples/hello32.cfg /examples/../examples/hello32.cfg")
    assert "No such file" in host2.command("cp /nothing /tmp")
    assert "is a directory" in host2.command("cp /examples /tmp")


def test_a_guest_from_tmp(host2):
    """A kernel and a configuration that were written a moment ago boot like those of the RAM disk."""
    host2.command("cp /boot/hello32 /tmp/kernel; cp /examples/hello32.cfg /tmp/mine.cfg")
    host2.command("create /tmp/mine.cfg kernel=/tmp/kernel name=mine")
    host2.wait_log("mine", "powering off")
    host2.command("rm /tmp/kernel /tmp/mine.cfg")
