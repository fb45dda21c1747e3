# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Guests that are saved, restored and migrated again and again, and what each must not lose by it.

A guest is a domain that gets another number each time; its console's log begins anew with each. `moved` looks at what the
last one said. What a guest says is wrong with it is collected in `problems`, never raised, so that a long run goes on.
"""
import re
import time

import linux_shell

COMPLAINTS = re.compile(r"BUG: |WARNING: |kernel BUG|lockup|blocked for more than|detected stall|Call Trace|Oops|"
                        r"Out of memory|clocksource: .*(unstable|skew)|I/O error")


class Guest:
    """One guest by its name; knows its present number."""

    def __init__(self, machine, name):
        self.machine = machine
        self.name = name
        self.problems = []
        self.moves = 0
        self.number = machine.domains()[name]["domid"]

    def save_restore(self, file="/tmp/saved"):
        """Seconds that it did not exist, as dom0 counts them."""
        began = time.monotonic()
        saved = self.machine.json(f"save {self.name} {file}", timeout=180)
        restored = self.machine.json(f"restore {file}", timeout=180)
        took = time.monotonic() - began
        self.machine.command(f"rm {file}")
        return self.arrived({"save": saved, "restore": restored}, restored.get("domid"), took)

    def migrate(self, target="localhost"):
        """Seconds that it stood still, as dom0 counts them."""
        said = self.machine.json(f"migrate {self.name} {target}", timeout=180)
        return self.arrived(said, said.get("domid"), said.get("stood_still_ns", 0) / 1e9)

    def arrived(self, said, number, took):
        old = self.number
        if number is None:
            raise AssertionError(f"{self.name} was not moved: {said}")
        self.moves += 1
        self.number = number
        self.moved(self.machine.log(str(old)))
        return took

    def problem(self, text):
        self.problems.append(f"{self.name}, move {self.moves}: {text}")

    def moved(self, log):
        """What domain `old` said while it was this guest."""

    def finished(self):
        """The last look, while it still runs."""
        self.moved(self.machine.log(self.name))


class Ticker(Guest):
    """Ticks are numbered: none may be lost, none be told twice."""

    def __init__(self, machine, name):
        super().__init__(machine, name)
        self.last = None

    def moved(self, log):
        for number in map(int, re.findall(r"^tick (\d+),", log, re.MULTILINE)):
            if self.last is not None and number != self.last + 1:
                self.problem(f"tick {number} follows tick {self.last}")
            self.last = number


class Pattern(Guest):
    """It checks all its memory itself, and stops with a word when a page is not as it was written."""

    def __init__(self, machine, name):
        super().__init__(machine, name)
        self.rounds = 0

    def moved(self, log):
        for text in re.findall(r"BROKEN[^\n]*", log):
            self.problem(text)
        self.rounds = max([self.rounds, *map(int, re.findall(r"pattern: round (\d+),", log))])


# Each loop leaves a line per round in a file of its own; what it compares, it has written or computed before.
LOADS = {
    "disk": "dd if=/dev/urandom of=/mnt/f bs=64k count=24 2>/dev/null; md5sum /mnt/f >/tmp/sum; sync; "
            "echo 3 >/proc/sys/vm/drop_caches; md5sum -cs /tmp/sum",
    "forks": "n=0; for i in 1 2 3 4 5 6 7 8 9 10; do n=$((n + $(sh -c 'sh -c \"echo 1\"'))); done; [ $n = 10 ]",
    "memory": "dd if=/dev/urandom of=/tmp/a bs=1M count=8 2>/dev/null; cp /tmp/a /tmp/b; cmp -s /tmp/a /tmp/b",
}


class Linux(Guest):
    """Debian's Linux under load: a disk whose contents are compared, processes that fork, memory that is rewritten, an
    open ping in both directions to a neighbour that stays where it is."""

    def __init__(self, machine, name, neighbour=None):
        super().__init__(machine, name)
        self.neighbour = neighbour
        self.away = 0.0

    def ask(self, command, name=None, timeout=60):
        """Types a command at the guest's shell; what it answered."""
        return linux_shell.ask(self.machine, command, name or self.name, timeout)

    def load(self):
        linux_shell.quiet(self.machine, self.name)
        for what, loop in LOADS.items():
            self.ask(f"(while :; do if {loop}; then echo good; else echo BAD; fi >>/tmp/{what}; done) >/dev/null 2>&1 & :")
        self.ask("standstill 50 >/tmp/still & :")
        if self.neighbour:
            self.ask("ping -i 0.1 10.0.0.2 >/tmp/ping 2>&1 & :")
            self.ask("ping -i 0.1 10.0.0.1 >/tmp/ping 2>&1 & :", self.neighbour)

    def arrived(self, said, number, took):
        self.away += took
        return super().arrived(said, number, took)

    def connected(self):
        """Whether its disk and its interface say so."""
        root = f"/local/domain/{self.number}/device"
        states = [self.machine.command(f"xenstore-read {root}/{device}/state").strip() for device in ("vbd/51712", "vif/0")]
        return states == ["4", "4"]

    def moved(self, log):
        for line in log.splitlines():
            if COMPLAINTS.search(line):
                self.problem(line.strip())

    def standstills(self):
        """All spans in which the guest's own program did not run and that have a suspended part: milliseconds."""
        lines = self.ask("cat /tmp/still")
        return [float(whole) for whole, part in re.findall(r": ([\d.]+) ms, suspended (-?[\d.]+)", lines)
                if float(part) > 0.2]

    def count(self, file):
        """Rounds that went well; the others are problems."""
        good, bad = map(int, self.ask(f"grep -c good {file}; grep -c BAD {file}").split())
        if bad:
            self.problem(f"{file} has {bad} rounds that did not give what they must")
        return good

    def lost(self, asker):
        """How many answers are missing in a ping that still runs, and how many came twice."""
        numbers = self.ask("grep -o 'seq=[0-9]*' /tmp/ping | tail -1; grep -c seq= /tmp/ping; grep -c DUP /tmp/ping", asker)
        last, answers, twice = map(int, re.findall(r"\d+", numbers)[-3:])
        if twice:
            self.problem(f"{twice} answers came twice to {asker}")
        return last + 1 - answers

    def finished(self):
        """What each load came to; its problems are those of the whole time."""
        super().finished()
        result = {what: self.count(f"/tmp/{what}") for what in LOADS}
        self.moved(self.ask("dmesg"))
        if self.neighbour:
            result["lost"] = self.lost(self.name)
            result["lost by neighbour"] = self.lost(self.neighbour)
            # Ten a second; two on their way at either end of the gap. It asks nothing while it is away, and in vain until
            # its interface has connected again; the neighbour asks in vain during both.
            deaf = 10 * self.reconnecting_seconds() + 3 * self.moves
            allowed = {"lost": deaf, "lost by neighbour": 10 * self.away_seconds() + deaf}
            for what, most in allowed.items():
                if result[what] > most:
                    self.problem(f"{result[what]} pings {what}, the time it was away explains {most:.0f}")
        return result

    def reconnecting_seconds(self):
        """By the guest's own log, which does not count the time it is suspended: from the moment it lets go of the store to
        that at which its interface has read what the new back end can. It is connected a few requests later."""
        began, took = None, []
        for stamp, what in re.findall(r"^\[ *([\d.]+)\] (suspending xenstore|xen_netfront: backend supports)",
                                      self.ask("dmesg"), re.MULTILINE):
            if what.startswith("suspending"):
                began = float(stamp)
            elif began is not None:
                took.append(float(stamp) - began)
                began = None
        if not took:
            raise AssertionError(f"the log of {self.name} does not tell of its moves")
        return sum(took) / len(took) * self.moves

    def away_seconds(self):
        """By its own clock and, where its program saw nothing, by dom0's."""
        return max(self.away, sum(self.standstills()) / 1000)
