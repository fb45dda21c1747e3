#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Which answers of the table of hypercalls a check has seen.

coverage.py hypercalls.json uncovered.tsv DIRECTORY...: the table, the answers that no test gets (call, answer, reason;
tab-separated) and directories that run.py --verdicts filled. An answer is one of: the success of a call or
sub-operation, each error that the table names for a sub-operation alone, and each that it names for the whole call, of
whichever sub-operation. It is covered when a check expected it and got it. What is neither covered nor named fails, and
so does a name that is covered.
"""
import glob
import json
import os
import re
import sys

WHOLE = 0xFFFF


def errno_numbers(path):
    with open(path, encoding="utf-8") as header:
        return {m[1]: int(m[2]) for m in re.finditer(r"XEN_(E\w+)\s*=?\s*(\d+)", header.read())}


def wanted(table):
    """{(call, sub or None, answer): name}; an answer is "success" or a code such as -EINVAL."""
    answers = {}
    for call in table["calls"]:
        codes = [ret["code"] for ret in call["returns"]]
        subs = call["subs"]
        for code in codes:
            if code.startswith("-"):
                answers[call["number"], None, code] = call["name"]
        if call["status"] == "implemented" and not subs and call["name"] not in ("iret",):
            answers[call["number"], None, "success"] = call["name"]
        for sub in subs:
            name = f"{call['name']}.{sub['name']}"
            own = [ret["code"] for ret in sub.get("returns", []) if ret["code"].startswith("-")]
            if sub["status"] in ("implemented", "accepted"):
                answers[call["number"], sub["number"], "success"] = name
            elif sub["status"] == "enosys":
                answers[call["number"], sub["number"], "-ENOSYS"] = name
            for code in own:
                answers[call["number"], sub["number"], code] = name
    return answers


def seen(directories):
    """{(call, sub, code)}, a code of 0 standing for success."""
    found = set()
    for directory in directories:
        for path in glob.glob(f"{directory}/*.txt"):
            with open(path, encoding="utf-8") as file:
                found |= {tuple(map(int, line.split()[1:])) for line in file if line.startswith("covered ")}
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        answers = wanted(json.load(file))
    with open(sys.argv[2], encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if line.strip() and not line.startswith("#")]
    excused = {(name, answer): reason for name, answer, reason in rows}
    numbers = errno_numbers(os.path.join(os.path.dirname(sys.argv[0]), "../../abi/errno.h"))
    found = seen(sys.argv[3:])
    covered, failed = 0, 0
    for (call, sub, answer), name in sorted(answers.items(), key=str):
        code = 0 if answer == "success" else -numbers[answer[1:]]
        if any(c == call and r == code and sub in (None, s) for c, s, r in found):
            covered += 1
            if (name, answer) in excused:
                failed += 1
                print(f"FAILED: {name} {answer} is covered, but named in {sys.argv[2]} as not")
        elif (name, answer) not in excused:
            failed += 1
            print(f"FAILED: {name}: no check gets {answer}")
    for name, answer in sorted(set(excused) - {(name, key[2]) for key, name in answers.items()}):
        failed += 1
        print(f"FAILED: {name} {answer}: {sys.argv[2]} names it, but the table does not")
    print(f"{covered} of {len(answers)} answers of the table are covered by a check; {len(excused)} are named with a reason")
    print(f"{len(answers) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
