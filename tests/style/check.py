#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Looks at how the files look.

Usage: check.py PROJECT. Licences by `reuse lint`, C by clang-format and .clang-format, and of every source file: the
two SPDX lines, a paragraph that says what lives in it, a last newline, no tab or blank at a line's end. Of every
document: prose within 120 columns, tables whose rows have as many cells as their heads, links that lead to a file,
`make` with targets that there are. Ends with a line "N passed, N failed".
"""

import os
import re
import subprocess
import sys

SOURCES = (".c", ".h", ".S", ".py", ".mk", ".lds", ".tbl")
ASSEMBLY = re.compile(r"^\s*\.macro\b", re.M)
COLUMNS = 120
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
BAR = re.compile(r"(?<!\\)\|")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
MAKE = re.compile(r"`make (?:[A-Z]+=\S+ )*([a-z][a-z-]*)")
RULE = re.compile(r"^([a-z][a-z -]*?) *:(?!=)", re.M)


class Tally:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def judge(self, good, what):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print("FAIL", what)


def tracked_files(project):
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=project,
                             capture_output=True, text=True, check=True).stdout
    return [name for name in listing.split("\0") if name and os.path.isfile(os.path.join(project, name))]


def read(project, name):
    with open(os.path.join(project, name), encoding="utf-8", errors="replace") as text:
        return text.read()


def check_licences(project, tally):
    result = subprocess.run(["reuse", "lint"], cwd=project, capture_output=True, text=True, check=False)
    tally.judge(result.returncode == 0, "reuse lint:\n" + result.stdout + result.stderr)


def check_format(project, names, tally):
    """Assembler headers, which happen to end in .h, are not C."""
    for name in names:
        if not name.endswith((".c", ".h")) or ASSEMBLY.search(read(project, name)):
            continue
        result = subprocess.run(["clang-format", "--dry-run", "--Werror", "--ferror-limit=1", name], cwd=project,
                                capture_output=True, text=True, check=False)
        tally.judge(result.returncode == 0, f"{name} is not as clang-format has it: `make format` puts it right")


def check_head(name, text, tally):
    """A file opens with who may use it and what is in it."""
    head = text.splitlines()[:8]
    marks = [index for index, line in enumerate(head) if "SPDX-" in line]
    tally.judge(len(marks) == 2, f"{name}: two SPDX lines at its start")
    below = text.splitlines()[marks[-1] + 1:marks[-1] + 5] if marks else []
    rest = [re.sub(r"^[\s/*#\"]+", "", line) for line in below]
    tally.judge(any(len(line.split()) >= 2 for line in rest), f"{name}: a paragraph that says what lives in it")


def check_blanks(name, text, tally):
    lines = text.split("\n")
    tally.judge(not lines[-1], f"{name}: ends with a newline")
    wrong = [number for number, line in enumerate(lines, 1) if line != line.rstrip()]
    tally.judge(not wrong, f"{name}: blanks at the end of line {wrong[:1]}")
    if name.endswith((".c", ".h", ".S", ".py")):
        tabs = [number for number, line in enumerate(lines, 1) if "\t" in line]
        tally.judge(not tabs, f"{name}: a tab in line {tabs[:1]}")


def uneven_rows(prose):
    cells = [len(BAR.findall(line)) if line.startswith("|") else 0 for line in prose.splitlines()]
    return [number for number in range(1, len(cells)) if 0 < cells[number - 1] != cells[number] > 0]


def check_document(project, name, text, targets, tally):
    """What stands fenced is as it was typed or printed; a row of a table is one line."""
    prose = FENCED.sub(lambda fenced: "\n" * fenced.group().count("\n"), text)
    wide = [number for number, line in enumerate(prose.splitlines(), 1) if len(line) > COLUMNS and line[0] != "|"]
    tally.judge(not wide, f"{name}: more than {COLUMNS} columns in line {wide[:1]}")
    uneven = uneven_rows(prose)
    tally.judge(not uneven, f"{name}: a row of a table has other cells than its head in line {uneven[:1]}")
    here = os.path.join(project, os.path.dirname(name))
    lost = [link for link in LINK.findall(prose) if not os.path.exists(os.path.join(here, link))]
    tally.judge(not lost, f"{name}: links to what is not there: {lost}")
    unknown = [target for target in MAKE.findall(prose) if target not in targets]
    tally.judge(not unknown, f"{name}: no such target of make: {unknown}")


def make_targets(project, names):
    makefiles = [name for name in names if name.endswith(".mk") or os.path.basename(name) == "Makefile"]
    return {target for name in makefiles for rule in RULE.findall(read(project, name)) for target in rule.split()}


def main():
    project = sys.argv[1]
    tally = Tally()
    print("style: licences, C as clang-format has it, how files begin and end, what documents refer to")
    names = tracked_files(project)
    check_licences(project, tally)
    check_format(project, names, tally)
    targets = make_targets(project, names)
    for name in names:
        if name.endswith(".md"):
            check_document(project, name, read(project, name), targets, tally)
        if name.endswith(SOURCES) or os.path.basename(name) == "Makefile":
            text = read(project, name)
            check_head(name, text, tally)
            check_blanks(name, text, tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(bool(tally.failed))


if __name__ == "__main__":
    main()
