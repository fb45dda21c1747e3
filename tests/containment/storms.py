#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Measures what a guest that only computes gets beside one that storms, on one CPU and in counted instructions.

storms.py --hypervisor build/paravane --dom0 build/dom0 --ramdisk build/tests/storms.rd [--milliseconds 100] [STORM ...]

meter.c says every 20 ms how far it came; storm.c says from when to when it stormed. With as many in want of the CPU as
there are (the meter, the attacker's vCPUs, and dom0 where the storm is one of requests to it), the meter must have at
least 95 % of its equal share. The clock is the count of instructions, so a slow host changes nothing.
"""
import argparse
import pathlib
import re
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent / "guests")
import run  # pylint: disable=wrong-import-position

ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "clock=vm"]
# Who else wants the CPU: one vCPU of the attacker, if nothing else is said.
RIVALS = {"console": 2, "bells": 2, "requests": 2, "wakes": 2, "vcpus": 2}
STORMS = ("compute events deadlines naps polls ticks yields restarts clears copies faults pins balloon complaints "
          "console bells requests wakes vcpus").split()
STRETCH = re.compile(r"^meter: (\d+) (\d+) (\d+)$", re.M)
STORMED = re.compile(r"storm: \w+ from (\d+) to (\d+): (\d+) rounds")
LEAST = 0.95


class Machine(run.Prompt):
    def command(self, options, cpus):
        return super().command(options, cpus) + ICOUNT


def rate(stretches, start, end):
    """Rounds per microsecond in the stretches that lie in this time."""
    inside = [(last - first, rounds) for first, last, rounds in stretches if start <= first and last <= end]
    time = sum(length for length, _ in inside)
    return sum(rounds for _, rounds in inside) / time if time else None


def stretches_of(machine):
    return [tuple(map(int, line)) for line in STRETCH.findall(machine.step("log meter"))]


def storm(machine, options, width, name):
    """From when to when, and how many rounds."""
    vcpus = 2 if name in ("wakes", "vcpus") else 1
    text = machine.run(f"create -c /tests/contain.cfg kernel='/tests/guest{width}-contain-storm' name='storm' "
                       f"vcpus={vcpus} extra='storm={name} ms={options.milliseconds}'", "the domain has ended")
    machine.read_until("vane> ")
    found = STORMED.search(text)
    if not found:
        print(text[-600:])
    return tuple(map(int, found.groups())) if found else None


def judge(name, share):
    fair = 1 / (1 + RIVALS.get(name, 1))
    return share is not None and share >= LEAST * fair, fair


def run_width(options, width):
    machine, passed, failed = Machine(options, 1), 0, 0
    meter = f"/tests/guest{96 - width}-contain-meter"
    for name in options.storms or STORMS:
        machine.step(f"create /tests/contain.cfg kernel='{meter}' name='meter'")
        times = storm(machine, options, width, name)
        stretches = stretches_of(machine)
        machine.step("destroy meter")
        if times is None or times[2] == 0:
            print(f"  {width}-bit {name}: did not {'finish' if times is None else 'storm'}")
            failed += 1
            continue
        alone = max(rounds / (last - first) for first, last, rounds in stretches)
        got = rate(stretches, times[0], times[1])
        share = got / alone if got else None
        good, fair = judge(name, share)
        passed, failed = passed + good, failed + (not good)
        print(f"  {width}-bit {name}: {times[2]} rounds, the other has {share if share is None else round(share, 3)} "
              f"of the CPU, its share is {fair:.2f}{'' if good else ': TOO LITTLE'}", flush=True)
    machine.end()
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hypervisor", required=True)
    parser.add_argument("--dom0", required=True)
    parser.add_argument("--ramdisk", required=True)
    parser.add_argument("--milliseconds", type=int, default=100)
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("storms", nargs="*")
    options = parser.parse_args()
    passed, failed = (sum(column) for column in zip(*(run_width(options, width) for width in (32, 64))))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
