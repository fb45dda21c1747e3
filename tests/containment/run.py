#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Runs attackers as guests of the embedded dom0, beside witnesses, and looks at what they did to the others.

run.py --hypervisor build/paravane --dom0 build/dom0 --ramdisk build/tests/containment.rd --cpus 1,2 KERNEL ...

A kernel prints "FAILED: sentence [...]" for an attack that went through and "NAME: N passed, N failed" at the end. One
whose last attack is to be its end prints "expected to crash: why" before it, one that never ends "expected to spin". After each one the prompt must answer and
the frame audit must find nothing, neither wrong nor left behind; at the end the witnesses must still run, their memory as they wrote it.
"""
import argparse
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "guests"))
from run import SUMMARY, Prompt, find, report  # pylint: disable=wrong-import-position

ROUND = re.compile(r"witness: round (\d+)")
CRASH_EXPECTED = re.compile(r"^expected to crash: ", re.M)
ENDLESS = ("contain-returns",)
WITNESSES = ("witness32", "witness64")
SPIN_EXPECTED = re.compile("expected to spin: ")
CRASHED = re.compile(r"domain \d+ .*crash", re.I)


class Machine(Prompt):
    """The prompt of a hypervisor that an attack may end."""

    dead = False

    def read_until(self, mark):
        """Looks every half second whether there is still something to wait for."""
        whole, end = self.timeout, time.monotonic() + self.timeout
        self.timeout = 0.5
        while not self.dead:
            text = super().read_until(mark)
            if find(mark, text):
                break
            self.dead = "Panic on CPU" in text or self.process.poll() is not None or time.monotonic() > end
            self.seen = text
        self.timeout = whole
        if self.dead:
            text, self.seen = self.seen, ""
        return text

    def run(self, line, mark="vane> "):
        return "" if self.dead else super().run(line, mark)


def boot(options, cpus):
    machine = Machine(options, cpus)
    for name in WITNESSES:
        machine.step(f"create /tests/contain.cfg kernel='/tests/guest{name[-2:]}-contain-witness' name='{name}'")
    return machine


def name_of(kernel):
    width, name = kernel.split("/")[-2:]
    return f"{width}-{name}"


def endless(prompt, create, name):
    """An attacker that means to hold its processor: it must be seen to run, and go when told."""
    prompt.step(f"create {create}")
    text = ""
    for _ in range(50):
        text = prompt.step(f"log {name}")
        if prompt.dead or SPIN_EXPECTED.search(text) or SUMMARY.search(text):
            break
    time.sleep(1)
    lives = name in prompt.step("list")
    prompt.step(f"destroy {name}")
    gone = name not in prompt.step("list")
    return text + (f"\n{name}: 2 passed, 0 failed\n" if lives and gone and not prompt.dead else "")


def attack(prompt, kernel, cpus, settings):
    """One kernel as a guest; (passed, failed) with the state of the machine after it as one more."""
    name = name_of(kernel)
    create = f"/tests/contain.cfg kernel='/tests/{name}' name='{name}' vcpus={cpus} {settings}"
    if name.endswith(ENDLESS):
        text = endless(prompt, create, name)
    else:
        text = prompt.run(f"create -c {create}", "the domain has ended") + prompt.read_until("vane> ")
    if CRASH_EXPECTED.search(text) and not SUMMARY.search(text):
        text += "\nthe-end: 1 passed, 0 failed\n" if CRASHED.search(text) else ""
    passed, failed = report(f"{kernel} with {cpus} vCPU{'s' if cpus != 1 else ''}", text)
    problems = prompt.audit()
    for problem in problems:
        print(f"    after {kernel}: {problem}")
    return (passed, failed + 1) if problems else (passed + 1, failed)


def witness_rounds(prompt, name):
    """How far a witness came; less than 0 when it saw damage or is gone."""
    text = prompt.step(f"log {name}")
    if "witness: DAMAGED" in text:
        print("    " + "\n    ".join(line for line in text.splitlines() if "DAMAGED" in line))
        return -1
    rounds = [int(number) for number in ROUND.findall(text)]
    return rounds[-1] if rounds else 0


def run_beside_witnesses(options, cpus):
    machine, results = boot(options, cpus), []
    place = f"on {cpus} CPU{'s' if cpus != 1 else ''}"
    for kernel in options.kernels:
        results.append(attack(machine, kernel, cpus, options.settings))
        if machine.dead:
            machine.end()
            machine = boot(options, cpus)
    for name in WITNESSES:
        before, after = witness_rounds(machine, name), 0
        for _ in range(40):
            after = witness_rounds(machine, name)
            if after < 0 or after > before:
                break
            time.sleep(0.2)
        lives = 0 <= before < after
        results.append((1, 0) if lives else (0, 1))
        print(f"  {name} {place}: " + ("unhurt" if lives else "HURT"), flush=True)
    machine.end()
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hypervisor", required=True)
    parser.add_argument("--dom0", required=True)
    parser.add_argument("--ramdisk", required=True, help="with the kernels in /tests")
    parser.add_argument("--settings", default="", help="added to the configuration of each attacker")
    parser.add_argument("--cpus", default="1")
    parser.add_argument("--timeout", type=float, default=240)
    parser.add_argument("kernels", nargs="+")
    options = parser.parse_args()
    results = []
    for cpus in options.cpus.split(","):
        results += run_beside_witnesses(options, int(cpus))
    passed, failed = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
