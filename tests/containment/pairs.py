#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a kernel as two domains, in all four pairings of the widths: one lends, the other borrows (neighbour.c).

pairs.py --hypervisor build/paravane --dom0 build/dom0 --ramdisk build/tests/containment.rd --cpus 1,2 neighbour

Both must report; at the end neither domain is left, no memory is lost, and the frame audit finds nothing.
"""
import argparse
import pathlib
import re
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent / "guests")
from run import SUMMARY, Prompt, report, wait_for  # pylint: disable=wrong-import-position

FREE = re.compile(r"^free_memory *: (\d+)", re.M)


def free_memory(text):
    found = FREE.search(text)
    return int(found.group(1)) if found else 0


def run_pair(prompt, name, widths, domid, cpus):
    """Lender and borrower; domids are handed out in order, so each knows the other's beforehand."""
    kernels = [f"/tests/guest{width}-contain-{name}" for width in widths]
    roles = (f"for={domid + 1}", f"peer={domid}")
    lines = [f"create /tests/contain.cfg kernel='{k}' name='pair{domid + i}' vcpus={cpus} extra='{roles[i]}'"
             for i, k in enumerate(kernels)]
    before = free_memory(prompt.step("info"))
    prompt.step(lines[0])
    wait_for(prompt, f"log pair{domid}", lambda log: "lends" in log)
    prompt.step(lines[1])
    texts = [wait_for(prompt, f"log pair{domid + i}", SUMMARY.search) for i in range(2)]
    left = wait_for(prompt, "list", lambda domains: f"pair{domid}" not in domains and f"pair{domid + 1}" not in domains)
    results = [report(f"{w}-bit {role} on {cpus}", text) for w, role, text in zip(widths, ("lender", "borrower"), texts)]
    problems = prompt.audit()
    # What a domain had comes back when an idle CPU has cleaned it.
    after = free_memory(wait_for(prompt, "info", lambda text: before - free_memory(text) <= 1))
    good = not problems and "pair" not in left.replace("log pair", "") and 0 < before <= after + 1
    if not good:
        print(f"    after them: {problems}, free memory {before} and {after} MiB, {left!r}")
    return results + [(1, 0) if good else (0, 1)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hypervisor", required=True)
    parser.add_argument("--dom0", required=True)
    parser.add_argument("--ramdisk", required=True)
    parser.add_argument("--cpus", default="1")
    parser.add_argument("--timeout", type=float, default=240)
    parser.add_argument("name")
    options = parser.parse_args()
    results = []
    for cpus in options.cpus.split(","):
        prompt, domid = Prompt(options, int(cpus)), 1
        for widths in ((32, 32), (32, 64), (64, 32), (64, 64)):
            results += run_pair(prompt, options.name, widths, domid, int(cpus))
            domid += 2
        prompt.end()
    passed, failed = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
