# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""A thousand minimal guests created, listed and destroyed at dom0's prompt: what each step costs in instructions of dom0
and of the hypervisor for it, from the first guest to the last, and what memory the hypervisor keeps for each.

    scale.py [COUNT]    writes BUILD/bench/domains.tsv; fails when a step is not flat or the state of a domain too large

With -icount one instruction takes one nanosecond, so dom0's own CPU time counts instructions. The dom0 is the 64-bit one:
a 32-bit one has 1,024 event ports, and each guest takes two of them.
"""
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
from machine import BUILD, DOM0_MEM, booted  # noqa: E402

ICOUNT = ("-icount", "shift=0,sleep=off", "-rtc", "clock=vm")
GUEST = "/examples/hello64.cfg memory=2"
LIST_EVERY = 50
EDGE = 0.05  # of all steps: what the first and the last are the median of
FLAT = 1.10
STATE_LIMIT = 20 * 1024
CPU = re.compile(r'"cpu_seconds": ([0-9.]+)')


def cost(machine, command):
    """Instructions between two looks at dom0's CPU time, one look included."""
    output = machine.command(f"list 0 --json; {command}; list 0 --json", timeout=120)
    before, after = (float(seconds) for seconds in (CPU.findall(output)[0], CPU.findall(output)[-1]))
    return round((after - before) * 1e9)


def free_kib(machine):
    return int(machine.json("info")["free_pages"]) * 4


def climb(machine, count, looking):
    """The cost of each creation, and of the list, a domain of it, after some of them."""
    created, listed = [], {}
    for number in range(1, count + 1):
        created.append(cost(machine, f"create -p {GUEST} name=g{number:04}") - looking)
        if number % LIST_EVERY == 0 or number == 1:
            listed[number] = (cost(machine, "list") - looking) / (number + 1)
    return created, listed


def edges(values):
    """The medians of the first and of the last steps."""
    width = max(1, round(len(values) * EDGE))
    return statistics.median(values[:width]), statistics.median(values[-width:])


def flat(name, values):
    first, last = edges(values)
    ratio = max(first, last) / min(first, last)
    print(f"{name}: {first:.0f} instructions at first, {last:.0f} at last, ratio {ratio:.3f}")
    return ratio <= FLAT


def write(created, listed, destroyed):
    os.makedirs(f"{BUILD}/bench", exist_ok=True)
    with open(f"{BUILD}/bench/domains.tsv", "w", encoding="utf-8") as file:
        file.write("# domains\tcreate\tdestroy\tlist, a domain\n")
        for number, (birth, death) in enumerate(zip(created, destroyed), 1):
            file.write(f"{number}\t{birth}\t{death}\t{listed.get(number, '')}\n")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    initrd = f"{BUILD}/guest64/dom0,{BUILD}/dom0.rd"
    with booted(memory="3584M", initrd=initrd, append=f"console=com1 {DOM0_MEM} loglvl=warning", extra=ICOUNT) as machine:
        machine.command(f"create -p {GUEST} name=first; destroy first")
        looking = min(cost(machine, "domid Domain-0") for _ in range(5))
        before = free_kib(machine)
        created, listed = climb(machine, count, looking)
        if len(machine.domains()) != count + 1:
            raise SystemExit(f"only {len(machine.domains()) - 1} of {count} guests came to be")
        own = sum(domain["memory_kib"] for name, domain in machine.domains().items() if name.startswith("g"))
        state = (before - free_kib(machine) - own) * 1024 / count
        destroyed = [cost(machine, f"destroy g{number:04}") - looking for number in range(count, 0, -1)][::-1]
        left = before - free_kib(machine)
    write(created, listed, destroyed)
    print(f"{len(created)} guests created")
    good = [flat("create", created), flat("destroy", destroyed), flat("list, a domain", list(listed.values())[2:])]
    print(f"state of a domain beyond its pages: {state / 1024:.1f} KiB; {left} KiB not back after the last")
    return 0 if all(good) and state <= STATE_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
