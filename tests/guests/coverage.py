#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Which answers of the table of hypercalls no check has seen: there is to be none.

coverage.py hypercalls.json DIRECTORY...: the table and directories that run.py --covered filled. An answer is one of:
the success of a call or sub-operation, each error that the table names for a sub-operation alone, and each that it names
for the whole call, of whichever sub-operation. It is covered when a check expected it and got it. Callers of the two
widths go different ways, so each of them must get it.
"""
import glob
import json
import os
import re
import sys

WIDTHS = ("32", "64")


def errno_numbers(path):
    with open(path, encoding="utf-8") as header:
        return {m[1]: int(m[2]) for m in re.finditer(r"XEN_(E\w+)\s*=?\s*(\d+)", header.read())}


def errors(item):
    return {ret["code"] for ret in item["returns"] if ret["code"].startswith("-")}


def succeeds(item):
    """Whether a caller can see that it did."""
    return item["status"] in ("implemented", "accepted") and all(ret["code"] != "none" for ret in item["returns"])


def wanted(table, width):
    """{(call, sub or None, answer): name}; an answer is "success" or a code such as -EINVAL."""
    answers = {}
    for call in table["calls"]:
        number, name = call["number"], call["name"]
        if width == "32" and call["widths"] == "64":
            answers[number, None, "-ENOSYS"] = name
            continue
        answers |= {(number, None, code): name for code in errors(call)}
        if succeeds(call) and not call["subs"]:
            answers[number, None, "success"] = name
        for sub in call["subs"]:
            own = errors(sub) | ({"success"} if succeeds(sub) else set())
            own |= {"-ENOSYS"} if sub["status"] == "enosys" else set()
            answers |= {(number, sub["number"], answer): f"{name}.{sub['name']}" for answer in own}
    return answers


def seen(directories, width):
    """{(call, sub, code)}, a code of 0 standing for success."""
    found = set()
    for directory in directories:
        for path in glob.glob(f"{directory}/guest{width}-*.txt"):
            with open(path, encoding="utf-8") as file:
                found |= {tuple(map(int, line.split()[1:])) for line in file if line.startswith("covered ")}
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        table = json.load(file)
    numbers = errno_numbers(os.path.join(os.path.dirname(sys.argv[0]), "../../abi/errno.h"))
    passed, failed = 0, 0
    for width in WIDTHS:
        answers, found = wanted(table, width), seen(sys.argv[2:], width)
        for (call, sub, answer), name in sorted(answers.items(), key=str):
            code = 0 if answer == "success" else -numbers[answer[1:]]
            if any(c == call and r == code and sub in (None, s) for c, s, r in found):
                passed += 1
            else:
                failed += 1
                print(f"FAILED: {name}: no check of a {width}-bit kernel gets {answer}")
    print(f"{passed} of {passed + failed} answers of the table are covered, {failed} are not")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
