# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The prompt: help, line editing, completion, JSON, and the columns that programs parse."""
import re

import pytest

from machine import booted

UP, DOWN, LEFT, HOME, END = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[H", "\x1b[F"
CLEAR = "\x15"


@pytest.fixture(scope="module")
def machine():
    with booted(cpus=2) as machine:
        machine.command("create /examples/ticker.cfg")
        yield machine


def verbs(machine):
    return [row["name"] for row in machine.json("help")]


def test_help_lists_every_verb_of_the_manual(machine):
    """Everything the manual promises is there, each with a line that says what it does."""
    text = machine.command("help")
    for verb in ("create list info console pause unpause shutdown reboot destroy rename domid domname vcpu-list vcpu-pin "
                 "vcpu-set sched-credit2 mem-set mem-max dmesg uptime top help log").split():
        assert re.search(rf"^  {verb} +\S", text, re.MULTILINE), verb


def test_help_of_each_verb(machine):
    """help VERB and VERB --help say the same: usage and an explanation."""
    for verb in verbs(machine):
        text = machine.command(f"help {verb}")
        assert verb in text.splitlines()[0] and len(text.splitlines()) >= 2, text
        assert machine.command(f"{verb} --help") == text, verb


def test_unknown_verb_names_the_nearest(machine):
    """A slip of the finger gets the word meant, nonsense gets the way to help."""
    assert 'did you mean "destroy"?' in machine.command("destory ticker")
    assert 'did you mean "list"?' in machine.command("lst")
    assert "help lists them" in machine.command("xyzzyplugh")


def test_usage_errors_show_the_usage(machine):
    """Too few, too many, unknown options: each answer carries the usage line."""
    assert "usage: pause DOMAIN" in machine.command("pause")
    assert "usage: pause DOMAIN" in machine.command("pause a b")
    assert "unknown option -x; usage: list" in machine.command("list -x")


def test_completion_of_verbs(machine):
    """Tab completes what is unique, and shows what is not on the second Tab."""
    assert "Domain-0" in machine.keys("lis\t")
    machine.send("vcpu-\t\t")
    machine.expect(r"vcpu-list +vcpu-pin +vcpu-set")
    machine.keys(CLEAR)


def test_completion_of_domain_names(machine):
    """Domain names complete where the verb takes one, also those created a moment ago."""
    assert machine.keys("domid tic\t").strip().endswith("1")
    machine.command("create -p /examples/hello32.cfg name=zebra")
    assert re.search(r"zebra +\d+ ", machine.keys("list ze\t"))
    machine.command("destroy zebra")


def test_completion_of_files(machine):
    """Paths of the RAM disk complete, directory by directory."""
    assert "hello32" in machine.keys("cat /exa\thello32\t")


def test_history_and_editing(machine):
    """Up brings a line back, editing in its middle changes it, Down leaves again."""
    assert machine.keys("domname 0").endswith("Domain-0\n")
    assert machine.keys(UP + UP).endswith("Domain-0\n")
    assert machine.keys("omname 0" + HOME + "d" + END).endswith("Domain-0\n")
    assert machine.keys("domname 00" + LEFT + "\x7f").endswith("Domain-0\n")
    assert machine.keys("domid Domain-0" + UP + DOWN).endswith("\n0\n")


def test_control_c_drops_the_line(machine):
    """A half-typed destroy must be possible to abandon."""
    machine.keys("destroy ticker\x03")
    assert "ticker" in machine.domains()


def test_long_and_binary_lines(machine):
    """A line past the editor's limit and bytes that are no text: no crash, the next command works."""
    machine.keys("x" * 2000)
    machine.keys("\x00\x01\x02\x04\x05\x7f\x1b[99~\x1b[Z\x1bOP\xe4\xff")
    assert "Domain-0" in machine.command("list")


def test_open_quote(machine):
    """A quote that is never closed is a message, not a hang."""
    assert "a quote is not closed" in machine.keys("create 'x")


def test_list_columns_byte_for_byte(machine):
    """Scripts cut these columns at fixed places; the tabs in the header are xl's too."""
    lines = machine.command("list").split("\n")
    assert lines[0] == "Name                                        ID   Mem VCPUs\tState\tTime(s)"
    assert re.fullmatch(r"Domain-0                                     0 [ \d]{5}     [12]     r-----  +\d+\.\d", lines[1])
    assert re.fullmatch(r"ticker                                       1    16     1     [-rb]{2}----  +\d+\.\d", lines[2])
    assert all(len(line) == len(lines[1]) for line in lines[1:3])


def test_uptime_columns(machine):
    """As xl prints them."""
    lines = machine.command("uptime").splitlines()
    assert lines[0] == "Name                                ID Uptime"
    assert re.fullmatch(r"Domain-0                             0  0:0\d:\d\d", lines[1])
    assert re.fullmatch(r"ticker                               1  0:0\d:\d\d", lines[2])


def test_info_lines(machine):
    """xl info's names and layout, with the numbers of this machine."""
    lines = dict(line.split(" : ", 1) for line in machine.command("info").splitlines())
    values = {key.strip(): value for key, value in lines.items()}
    assert all(len(key) == 22 for key in lines)
    assert values["nr_cpus"] == "2"
    assert values["xen_version"].startswith("4.17")
    assert values["xen_caps"].split() == ["xen-3.0-x86_64", "xen-3.0-x86_32p"]
    assert 628 < int(values["total_memory"]) <= 640
    assert values["xen_commandline"].startswith("console=com1")


JSON_COMMANDS = [
    "help", "help list", "list", "list ticker", "list -l", "list -v", "info", "dmesg", "uptime", "uptime -s", "top",
    "vcpu-list", "vcpu-list ticker", "vcpu-pin ticker 0 all", "vcpu-set ticker 1", "sched-credit2",
    "sched-credit2 -d ticker -w 256", "mem-set ticker 16", "mem-set -w ticker 16", "mem-max ticker 20", "list -m",
    "log", "log ticker", "domid ticker", "domname 0", "pause ticker", "unpause ticker", "rename ticker tock",
    "rename tock ticker", "xenstore-ls", "xenstore-read /local/domain/0/name", "xenstore-write /tool/x 5",
    "xenstore-rm /tool/x", "xenstore-control quota set watches 128", "debug-keys h", "ls",
    "ls /examples", "cat /examples/ticker.cfg", "create -n /examples/hello64.cfg", "create -p /examples/hello32.cfg",
    "destroy hello32", "create /examples/ticker.cfg name=other", "shutdown -w other",
    "mkdir /tmp/d", "cp /examples/ticker.cfg /tmp/d", "rm /tmp/d/ticker.cfg", "trigger ticker nmi", "sysrq ticker h",
    "dump-core ticker /tmp/core", "rm /tmp/core", "devices", "block-list ticker", "network-list ticker",
    "network-switch", "network-attach ticker mac=00:16:3e:00:00:07", "network-detach ticker 0",
    "block-attach ticker /images/scratch.img,raw,xvdb,r", "block-detach -f ticker xvdb",
    "trace -t 20", "trace -s -t 20", "trace --flame -t 20 -o /tmp/flame", "rm /tmp/flame", "suspend ticker", "resume ticker", "save ticker /tmp/saved", "restore /tmp/saved", "rm /tmp/saved",
    "migrate ticker localhost", "migrate-settle", "create /examples/ticker.cfg name=back", "reboot -w back",
]
JSON_ERRORS = ["console ticker", "nonsense", "pause", "pause nobody", "create /nowhere", "create -n /boot/hello32",
               "domid nobody", "domname 99", "mem-set ticker 1t", "xenstore-read /no/such", "xenstore-control nonsense",
               "cat /nowhere", "cat /examples/ticker.cfg /nowhere", "log nobody",
               "list -x", "help nonsense", "sched-credit2 -w 3", "vcpu-pin ticker 9 0", "rename ticker Domain-0",
               "trigger ticker power", "sysrq ticker", "dump-core 0 /tmp/x", "cp /boot /tmp", "rm /boot", "mkdir /boot/d",
               "resume ticker", "suspend nobody", "save ticker /nowhere/file", "restore /examples/ticker.cfg",
               "migrate ticker link0", "migrate-receive link0", "migrate-settle ticker keep", "trace -t 0",
               "trace --timeline", "trace -e nonsense"]


def test_every_verb_speaks_json(machine):
    """--json gives exactly one JSON value and nothing else, with what the text says."""
    done = {line.split()[0] for line in JSON_COMMANDS} | {"console", "poweroff", "migrate-receive"}  # that needs a link
    assert done == set(verbs(machine)), "a verb without a test here"
    for line in JSON_COMMANDS:
        value = machine.json(line)
        assert not (isinstance(value, dict) and "error" in value), (line, value)
    machine.wait("the reboot", lambda: machine.domains() and "[back: restarted as domain" in machine.text())
    machine.command("destroy back")
    assert [row["name"] for row in machine.json("list")] == ["Domain-0", "ticker"]


def test_every_error_speaks_json(machine):
    """A program that asked for JSON must get the error as JSON too."""
    for line in JSON_ERRORS:
        value = machine.json(line)
        assert list(value) == ["error"] and value["error"], (line, value)


def test_dry_run_makes_nothing(machine):
    """create -n says what would be made and makes nothing, not even a domain id."""
    before = machine.domains().keys()
    text = machine.command("create -n /examples/hello64.cfg")
    assert "64-bit" in text and "Nothing was created" in text
    assert machine.domains().keys() == before
    assert "did you mean" in machine.command("create -n /examples/hello64.cfg memoy=5")


def test_store_verbs(machine):
    """What is written is read back, listed below its parent, and gone after rm; odd bytes come out escaped."""
    machine.command("xenstore-write /tool/test/a 'one \"two\"'")
    assert machine.command("xenstore-read /tool/test/a") == 'one \\042two\\042\n'
    assert machine.command("xenstore-ls /tool/test") == 'a = "one \\042two\\042"\n'
    machine.command("xenstore-rm /tool/test")
    assert "No such file" in machine.command("xenstore-read /tool/test/a")
    assert "Invalid argument" in machine.command("xenstore-write '/tool//x' 1")
