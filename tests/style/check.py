#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Looks at how the files look.

Usage: check.py PROJECT. Licences by `reuse lint`, C by clang-format and .clang-format, and of every source file: the two
SPDX lines, a paragraph that says what lives in it, a last newline, no tab or blank at a line's end. Ends with a line
"N passed, N failed".
"""

import os
import re
import subprocess
import sys

SOURCES = (".c", ".h", ".S", ".py", ".mk", ".lds", ".tbl")
ASSEMBLY = re.compile(r"^\s*\.macro\b", re.M)


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
    rest = [re.sub(r"^[\s/*#\"]+", "", line) for line in text.splitlines()[marks[-1] + 1:marks[-1] + 5]] if marks else []
    tally.judge(any(len(line.split()) >= 2 for line in rest), f"{name}: a paragraph that says what lives in it")


def check_blanks(name, text, tally):
    lines = text.split("\n")
    tally.judge(not lines[-1], f"{name}: ends with a newline")
    wrong = [number for number, line in enumerate(lines, 1) if line != line.rstrip()]
    tally.judge(not wrong, f"{name}: blanks at the end of line {wrong[:1]}")
    if name.endswith((".c", ".h", ".S", ".py")):
        tabs = [number for number, line in enumerate(lines, 1) if "\t" in line]
        tally.judge(not tabs, f"{name}: a tab in line {tabs[:1]}")


def main():
    project = sys.argv[1]
    tally = Tally()
    print("style: licences, C as clang-format has it, how files begin and end")
    names = tracked_files(project)
    check_licences(project, tally)
    check_format(project, names, tally)
    for name in names:
        if name.endswith(SOURCES) or os.path.basename(name) == "Makefile":
            text = read(project, name)
            check_head(name, text, tally)
            check_blanks(name, text, tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(bool(tally.failed))


if __name__ == "__main__":
    main()
