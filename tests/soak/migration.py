# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""migration.py COUNT: tickers and pattern guests of both widths and a Linux guest under load, each saved and restored
COUNT times and migrated live COUNT times; then all are destroyed, and every page, port, grant and node must be back.

Guards against what one move in a hundred does: a tick lost or told twice, a page of an older state, a request of a disk
that runs into the next life, a network that stays deaf, and against what each move leaves behind.
"""
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "system")]
from machine import booted  # noqa: E402
from moving import Linux, Pattern, Ticker  # noqa: E402
from test_leaks import settled  # noqa: E402

LEEWAY_PAGES = 64
SMALL = {"ticker": Ticker, "ticker64": Ticker, "pattern32": Pattern, "pattern64": Pattern}
FAST = {"ticker": "extra=period=100", "ticker64": "extra=period=100"}


def populate(machine):
    guests = []
    for name, kind in SMALL.items():
        machine.command(f"create /examples/{name}.cfg {FAST.get(name, '')}")
        guests.append(kind(machine, name))
    machine.command("create /examples/linux2.cfg memory=128 maxmem=128 vcpus=1")
    machine.command("create /examples/linux.cfg memory=128 maxmem=128")
    for name in ("linux", "linux2"):
        machine.wait_log(name, ":/root# ", timeout=300)
    guests.append(Linux(machine, "linux", "linux2"))
    return guests


def move(guests, count, how):
    """All guests, one after the other, `count` times; the seconds that each took."""
    took = {guest.name: [] for guest in guests}
    for number in range(count):
        for guest in guests:
            took[guest.name].append(getattr(guest, how)())
        if number % 10 == 9 or number + 1 == count:
            print(f"soak-migration: {how} {number + 1} of {count}, "
                  f"{sum(len(guest.problems) for guest in guests)} problems", flush=True)
    return took


def report(how, took):
    for name, seconds in took.items():
        print(f"soak-migration: {how} of {name}: {len(seconds)} times, stood still {statistics.median(seconds) * 1000:.0f} ms "
              f"(median), {max(seconds) * 1000:.0f} ms at most", flush=True)


def compare(before, after):
    problems = []
    if before["free pages"] - after["free pages"] > LEEWAY_PAGES:
        problems.append(f"{before['free pages'] - after['free pages']} pages are lost")
    problems += [f"{what} differ: {before[what]!r} before, {after[what]!r} after"
                 for what in before if what != "free pages" and before[what] != after[what]]
    return problems


def run(machine, count):
    guests = populate(machine)
    guests[-1].load()
    for how in ("save_restore", "migrate"):
        report(how, move(guests, count, how))
    problems = []
    for guest in guests:
        result = guest.finished()
        print(f"soak-migration: {guest.name} after {guest.moves} moves: {result or 'whole'}", flush=True)
        problems += guest.problems
    still = guests[-1].standstills()
    if still:
        print(f"soak-migration: linux, by its own clock: {len(still)} times, {statistics.median(still):.0f} ms (median)")
    machine.destroy_all()
    machine.wait("all to be gone", lambda: list(machine.domains()) == ["Domain-0"], timeout=120)
    return problems


def main():
    count, began = int(sys.argv[1]), time.monotonic()
    with booted(cpus=2, memory="1536M", append="console=com1 dom0_mem=512M loglvl=info guest_loglvl=none") as machine:
        run(machine, 1)  # warm: dom0's heap and the hypervisor's grow to their size
        before = settled(machine)
        problems = run(machine, count)
        problems += compare(before, settled(machine))
    for problem in problems:
        print(f"soak-migration: {problem}")
    print(f"soak-migration: {count} saves and {count} migrations of each guest in {(time.monotonic() - began) / 60:.0f} min: "
          f"{len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
