#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Compares the coverage that gcov counted with what is asked of each file.

Usage: check.py BUILD. The rooms below keep the books: who owns what, who may do what, how often. Each of their files that
a unit test compiles owes 90 % of its lines and 80 % of its branches; exceptions.tsv names those that owe less, with
the reason, and an exception that a file no longer needs is a failure too. Ends with a line "N passed, N failed".
"""

import json
import os
import subprocess
import sys

ROOMS = ("hypervisor/domain", "hypervisor/emulate", "hypervisor/mm", "hypervisor/sched", "dom0-tools/xenstored",
         "dom0-tools/stream", "dom0-tools/block", "dom0-tools/network")
LINES, BRANCHES = 90, 80
SLACK = 3  # what a test of racing threads reaches differs from run to run by so much
EXCEPTIONS = "tests/coverage/exceptions.tsv"


def exceptions():
    """file -> (lines, branches) asked of it."""
    with open(EXCEPTIONS, encoding="utf-8") as table:
        rows = (line.rstrip("\n").split("\t") for line in table if line.strip() and not line.startswith("#"))
        return {name: (int(lines), int(branches)) for name, lines, branches, _ in rows}


def measured(build):
    """file -> (percent of lines, percent of branches)."""
    report = os.path.join(build, "report")
    os.makedirs(report, exist_ok=True)
    filters = [argument for room in ROOMS for argument in ("--filter", room + "/")]
    command = ["gcovr", "--root", ".", "--exclude-unreachable-branches", *filters, "--json-summary",
               os.path.join(report, "summary.json"), "--html-details", os.path.join(report, "index.html"), build]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(os.path.join(report, "summary.json"), encoding="utf-8") as summary:
        files = json.load(summary)["files"]
    return {f["filename"]: (share(f["line_covered"], f["line_total"]), share(f["branch_covered"], f["branch_total"]))
            for f in files if f["filename"].endswith(".c")}


def share(covered, total):
    return 100.0 * covered / total if total else 100.0


def main():
    build = sys.argv[1]
    excused, found, failed = exceptions(), measured(build), 0
    for name in sorted(found):
        lines, branches = found[name]
        asked = excused.get(name, (LINES, BRANCHES))
        verdict = ""
        if lines < asked[0] or branches < asked[1]:
            verdict = f"FAIL: owes {asked[0]} and {asked[1]}"
        elif name in excused and lines >= LINES + SLACK and branches >= BRANCHES + SLACK:
            verdict = "FAIL: no exception is needed any more"
        failed += bool(verdict)
        print(f"  {name:46} {lines:5.1f} {branches:5.1f} {verdict}")
    for name in sorted(set(excused) - set(found)):
        print(f"FAIL {EXCEPTIONS} names {name}, which no unit test compiles")
        failed += 1
    print(f"{len(found) + len(set(excused) - set(found)) - failed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
