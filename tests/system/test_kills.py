# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Whatever happens is cut short at a random moment: guests end while something is done to them, Ctrl-C comes while
something is done, disks, interfaces and consoles go while they are used. Nothing stays behind, and a witness goes on.

The moments follow from a seed: SEED=n ROUNDS=n choose them (`make soak-kills`), FIRST=n begins with that round. As the
machine is no clockwork, a round that failed is repeated a few times rather than once.
"""
import os
import random
import re
import time

import pytest

from heap import DISKS, Heap, difference
from machine import DOM0_MEM, LEAVE_CONSOLE, Machine
from test_leaks import counts, settled

SEED = int(os.environ.get("SEED", "1"))
ROUNDS = int(os.environ.get("ROUNDS", "40"))
FIRST = int(os.environ.get("FIRST", "0"))
OPTIONS = f"console=com1 {DOM0_MEM} loglvl=info guest_loglvl=none"
CTRL_C = "\x03"
DISK = "/images/scratch.img,raw,xvdb,w"
SLACK_PAGES = 64
# Besides the common ones a guest that computes, one at its disk, one that pings, one that balloons by itself.
BUSY = {"ticker": "'extra=\"period=2\"'", "ticker64": "'extra=\"period=2\"'", "pattern32": "", "pattern64": "",
        "disk": "'extra=\"rounds=0\"'", "disk64": "'kernel=\"/boot/disk64\"' 'extra=\"rounds=0\"'", "ping": "", "balloon": "",
        "hello32": "", "hello64": "", "rogue": ""}
CONFIGS = {"disk64": "disk"}


class Chaos:
    """One round's choices, and the means to carry them out."""

    def __init__(self, machine, number):
        self.machine = machine
        self.random = random.Random(f"{SEED}/{number}")
        self.story = []

    def moment(self, most=0.15):
        """Most of what happens takes milliseconds; some of it a tenth of a second."""
        seconds = self.random.choice((0, 0.002, 0.005, 0.01, 0.02, 0.05, self.random.random() * most))
        self.story.append(f"{seconds * 1000:.0f} ms")
        time.sleep(seconds)

    def command(self, line):
        self.story.append(line)
        return self.machine.command(line, timeout=120)

    def cut_short(self, line):
        """Ctrl-C at some moment of a command."""
        self.story.append(f"Ctrl-C in: {line}")
        done = self.machine.begin(line)
        self.moment()
        self.machine.send(CTRL_C)
        return done()

    def either(self, line):
        return self.cut_short(line) if self.random.random() < 0.7 else self.command(line)

    def guest(self, *kinds, more=""):
        """Creates a guest that is busy, or one of these kinds."""
        kind = self.random.choice(kinds or list(BUSY))
        self.command(f"create /examples/{CONFIGS.get(kind, kind)}.cfg name=victim {more or BUSY[kind]}")
        return kind

    def short_lived(self):
        """One that will end by itself soon, at a moment that it alone knows."""
        kind = self.random.choice(("ticker", "ticker64"))
        life = self.random.choice((3, 10, 30, 60, 120))
        self.command(f"create /examples/{kind}.cfg name=victim 'extra=\"period=1 count={life}\"'")


def killed(chaos):
    """While it starts, or does its work."""
    chaos.guest()
    chaos.moment()
    if chaos.random.random() < 0.2:
        chaos.command("pause victim")


def creation(chaos):
    """Ctrl-C while it is made."""
    kind = chaos.random.choice(list(BUSY))
    chaos.cut_short(f"create /examples/{CONFIGS.get(kind, kind)}.cfg name=victim {BUSY[kind]}")


def saved(chaos):
    """Ctrl-C while it is saved, by either way, and while it is restored."""
    chaos.guest("ticker", "ticker64", "pattern32", "pattern64", "disk", "disk64", "ping")
    chaos.moment()
    chaos.either(chaos.random.choice(("save", "save -l", "save -c", "save -l -c", "save -p")) + " victim /tmp/victim")
    if "victim" not in chaos.machine.domains():
        chaos.either("restore /tmp/victim")
        chaos.moment()


def migrated(chaos):
    chaos.guest("ticker", "ticker64", "pattern32", "pattern64", "disk", "disk64", "ping")
    chaos.moment()
    slow = chaos.random.choice(("", "--non-live ", "--bandwidth=50 ", "--rounds=100 --max-downtime=1 "))
    chaos.either(f"migrate {slow}victim localhost")
    chaos.moment()


def dead_meanwhile(chaos):
    """It ends by itself while it is saved, migrated, given memory, a disk, an interface, or asked to shut down."""
    chaos.short_lived()
    chaos.moment(0.05)
    chaos.command(chaos.random.choice((
        "save victim /tmp/victim", "save -l victim /tmp/victim", "save -c victim /tmp/victim", "migrate victim localhost",
        "migrate --bandwidth=50 victim localhost", "mem-set victim 12", f"block-attach victim {DISK}",
        "network-attach victim", "shutdown -w victim", "dump-core victim /tmp/victim", "reboot victim",
        "vcpu-set victim 1", "rename victim other; rename other victim")))


def ballooned(chaos):
    chaos.guest("balloon")
    chaos.moment()
    chaos.either(f"mem-set -w victim {chaos.random.choice((16, 24, 36, 40))}")
    chaos.moment()


def devices(chaos):
    """A disk and an interface come and go; the guest ends while its driver connects, or lets go."""
    chaos.guest("disk", "disk64", "ping", "ticker")
    for _ in range(chaos.random.randrange(1, 4)):
        chaos.either(chaos.random.choice((
            f"block-attach victim {DISK}", "block-detach -f victim xvdb", "block-detach -f victim xvda", "network-attach victim",
            "network-detach -f victim 0", "network-detach -f victim 1", "block-detach victim xvda")))
        chaos.moment(0.05)


def console(chaos):
    """The session leaves while it prints, or the guest ends under it."""
    kind = chaos.random.choice(("ticker", "ticker64", "rogue", "hello64"))
    extra = f"'extra=\"period=1 count={chaos.random.choice((0, 20, 60))}\"'" if kind.startswith("ticker") else ""
    chaos.story.append(f"console of {kind} {extra}")
    done = chaos.machine.begin(f"create -c /examples/{kind}.cfg name=victim {extra}")
    chaos.moment()
    chaos.machine.send(LEAVE_CONSOLE)
    done()


def shut_down(chaos):
    chaos.guest("ticker", "ticker64", "pattern32", "disk", "ping")
    chaos.moment()
    chaos.cut_short("shutdown -w victim")


def received(chaos):
    """Nobody is at the other end of the link: what waits for it is given up."""
    chaos.guest("ticker", "ticker64")
    chaos.cut_short("migrate-receive link0")
    chaos.cut_short("migrate victim link0")


SCENES = (killed, creation, saved, saved, migrated, migrated, dead_meanwhile, dead_meanwhile, ballooned, devices, devices,
          console, shut_down, received)


class KillMachine(Machine):
    """A machine whose commands can be left alone while they run."""

    def begin(self, line):
        """Types a command; a function that waits for its end and says what it printed."""
        number = next(self.marks)
        self.send(f"cat /.begin{number}; {line}; cat /.end{number}\r")
        self.expect(rf"/\.begin{number}: ", 60)

        def done():
            output = self.expect(rf"cat: /\.end{number}: [^\n]*\n", 120)
            self.prompt(60)
            return output
        return done


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    link = tmp_path_factory.mktemp("link") / "socket"
    with KillMachine(cpus=2, memory="1024M", append=OPTIONS, initrd=DISKS,
                     extra=["-device", "virtio-serial-pci", "-chardev", f"socket,id=link,path={link},server=on,wait=off",
                            "-device", "virtserialport,chardev=link,name=link0"]) as machine:
        machine.prompt(timeout=90)
        machine.heap = Heap(machine)
        yield machine


def play(machine, number, scene=None):
    """One round, and the end of all that it left alive."""
    chaos = Chaos(machine, number)
    scene = scene or chaos.random.choice(SCENES)
    chaos.story.append(f"round {number} of seed {SEED}, {scene.__name__}:")
    scene(chaos)
    for name in list(machine.domains()):
        if name not in ("Domain-0", "witness"):
            machine.command(f"destroy {name}")
    machine.command("rm /tmp/victim")
    return "; ".join(chaos.story)


def ticks(machine):
    """What the witness told: every tick once, whatever happens beside it."""
    return [int(number) for number in re.findall(r"^tick (\d+),", machine.log("witness"), re.MULTILINE)]


def assert_nothing_left(machine, before, story):
    """At once or, as pages are freed and threads told in the background, soon."""
    def left():
        now = counts(machine)
        pages = before["free pages"] - now["free pages"]
        problems = [f"{pages} pages are gone"] if pages > SLACK_PAGES else []
        problems += [f"{what}: {before[what]!r} before, {now[what]!r} after"
                     for what in before if what not in ("free pages", "heap") and before[what] != now[what]]
        blocks = difference(before["heap"], machine.heap.blocks())
        return problems + ([blocks] if blocks else [])
    try:
        machine.wait("all to be as before", lambda: not left(), timeout=30)
    except AssertionError:
        raise AssertionError(f"{story}\nleft behind: {'; '.join(left())}") from None


def test_killed_at_any_moment(machine):
    """Each round leaves domains, pages, ports, grants, nodes of the store and blocks of dom0's heap as they were."""
    machine.command("create /examples/ticker64.cfg name=witness 'extra=\"period=500\"'")
    for number, scene in enumerate(SCENES):  # warm: heaps and tables grow to their size
        play(machine, -1 - number, scene)
    machine.command(f"create /examples/balloon.cfg name=victim; block-attach victim {DISK}; network-attach victim; "
                    "mem-set -w victim 24; destroy victim")
    machine.command("; ".join(["create -p /examples/hello32.cfg name=victim", "destroy victim"] * 8))
    for kind in ("vbd", "vif"):  # the first error of a kind makes its directory, which stays
        machine.command(f'xenstore-write /local/domain/0/error/backend/{kind} ""')
    before = settled(machine)
    before["heap"] = machine.heap.settled()
    for number in range(FIRST, FIRST + ROUNDS):
        assert_nothing_left(machine, before, play(machine, number))
    last = ticks(machine)[-1]
    machine.wait("the witness to go on", lambda: ticks(machine)[-1] > last)
    told = ticks(machine)
    assert told == list(range(told[0], told[0] + len(told)))
    machine.command("destroy witness")
