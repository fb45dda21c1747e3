#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Which answers of the table of hypercalls no check has seen, and which it has seen that the table lacks: there is to be
none of either kind.

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
RANDOM = re.compile(r"test-(mmu_stress|sharefuzz)-")  # what these ask, and so get, differs from run to run


def errno_numbers(path):
    with open(path, encoding="utf-8") as header:
        return {m[1]: int(m[2]) for m in re.finditer(r"XEN_(E\w+)\s*=?\s*(\d+)", header.read())}


def errors(item, width):
    return {ret["code"] for ret in item["returns"] if ret["code"].startswith("-") and ret["widths"] in ("both", width)}


def succeeds(item, width):
    """Whether a caller can see that it did."""
    never = any(ret["code"] == "none" or (ret["code"] == "0" and ret["widths"] not in ("both", width))
                for ret in item["returns"])
    return item["status"] in ("implemented", "accepted") and not never


def wanted(table, width):
    """{(call, sub or None, answer): name}; an answer is "success" or a code such as -EINVAL."""
    answers = {}
    for call in table["calls"]:
        number, name = call["number"], call["name"]
        if width == "32" and call["widths"] == "64":
            answers[number, None, "-ENOSYS"] = name
            continue
        answers |= {(number, None, code): name for code in errors(call, width)}
        if succeeds(call, width) and not call["subs"]:
            answers[number, None, "success"] = name
        for sub in call["subs"]:
            own = errors(sub, width) | ({"success"} if succeeds(sub, width) else set())
            own |= {"-ENOSYS"} if sub["status"] == "enosys" else set()
            answers |= {(number, sub["number"], answer): f"{name}.{sub['name']}" for answer in own}
    return answers


def seen(directories, width, mark):
    """{(call, sub, code)}, a code of 0 standing for success; what is "covered" or "refused"."""
    found = set()
    for directory in directories:
        for path in glob.glob(f"{directory}/guest{width}-*.txt"):
            if RANDOM.search(path):
                continue
            with open(path, encoding="utf-8") as file:
                found |= {tuple(map(int, line.split()[1:])) for line in file if line.startswith(mark)}
    return found


def undocumented(table, found, width, names):
    """What a kernel got that the table does not name, as (operation, error)."""
    calls = {call["number"]: call for call in table["calls"]}
    for number, sub, code in sorted(found):
        call = calls.get(number)
        if call is None:
            continue
        operation = next((item for item in call["subs"] if item["number"] == sub), None)
        enosys = operation is not None and operation["status"] == "enosys"
        known = errors(call, width) | (errors(operation, width) if operation else set()) | ({"-ENOSYS"} if enosys else set())
        if width == "32" and call["widths"] == "64":
            known = {"-ENOSYS"}
        answer = names.get(-code, str(code))
        if answer not in known:
            yield f"{call['name']}.{operation['name']}" if operation else call["name"], answer


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        table = json.load(file)
    numbers = errno_numbers(os.path.join(os.path.dirname(sys.argv[0]), "../../abi/errno.h"))
    names = {value: f"-{name}" for name, value in numbers.items()}
    passed, failed = 0, 0
    for width in WIDTHS:
        answers, found = wanted(table, width), seen(sys.argv[2:], width, "covered ")
        for (call, sub, answer), name in sorted(answers.items(), key=str):
            code = 0 if answer == "success" else -numbers[answer[1:]]
            if any(c == call and r == code and sub in (None, s) for c, s, r in found):
                passed += 1
            else:
                failed += 1
                print(f"FAILED: {name}: no check of a {width}-bit kernel gets {answer}")
        for name, answer in undocumented(table, seen(sys.argv[2:], width, "refused "), width, names):
            failed += 1
            print(f"FAILED: {name}: a {width}-bit kernel gets {answer}, which the table does not name")
    print(f"{passed} of {passed + failed} answers of the table are covered, {failed} are not")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
