#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Holds the verdicts of the same kernels under two hypervisors beside each other.

differences.py OURS THEIRS exceptions.tsv: two directories that run.py --verdicts filled, and a file of named differences
(kernel, check, reason; tab-separated, with * and ? as in the shell). A difference that has no name fails, and so does a name without a difference.
"""
import difflib
import fnmatch
import os
import sys


def read_verdicts(path):
    """[(group: sentence, verdict with its value)] in order, and whether the kernel came to its end."""
    verdicts, group, ended = [], "", False
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.rstrip("\n").split(" ", 3)
            if words[:2] == ["verdict", "group"]:
                group = line.rstrip("\n").split(" ", 2)[2]
            elif words[0] == "verdict" and len(words) == 4:
                verdicts.append((f"{group}: {words[3]}", f"{words[1]} {words[2]}"))
            else:
                ended = True
    return verdicts, ended


def compare(ours, theirs):
    """[(check, ours, theirs)] where they differ; - stands for a check that was not made."""
    differences = []
    matcher = difflib.SequenceMatcher(None, [key for key, _ in ours], [key for key, _ in theirs], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            pairs = zip(ours[a:b], theirs[c:d])
            differences += [(mine[0], mine[1], other[1]) for mine, other in pairs if mine[1] != other[1]]
        else:
            differences += [(key, value, "-") for key, value in ours[a:b]]
            differences += [(key, "-", value) for key, value in theirs[c:d]]
    return differences


def read_exceptions(path):
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if line.strip() and not line.startswith("#")]
    return {(kernel, check): reason for kernel, check, reason in rows}


def main():
    ours, theirs, exceptions = sys.argv[1], sys.argv[2], read_exceptions(sys.argv[3])
    kernels = sorted(set(os.listdir(ours)) & set(os.listdir(theirs)))
    same, argued, failed, met = 0, 0, 0, set()
    for kernel in sorted(set(os.listdir(ours)) ^ set(os.listdir(theirs))):
        failed += 1
        print(f"FAILED: {kernel.removesuffix('.txt')} ran under one hypervisor only")
    for kernel in kernels:
        name = kernel.removesuffix(".txt")
        (mine, we_ended), (other, they_ended) = (read_verdicts(f"{d}/{kernel}") for d in (ours, theirs))
        differences = compare(mine, other)
        if not (we_ended and they_ended and mine):
            differences.append(("the end", str(we_ended), str(they_ended)))
        same += len(mine) - len(differences)
        print(f"  {name}: {len(mine)} verdicts, {len(differences)} different")
        for check, our, their in differences:
            reasons = [key for key in exceptions if fnmatch.fnmatchcase(name, key[0]) and fnmatch.fnmatchcase(check, key[1])]
            met.update(reasons)
            if reasons:
                argued += 1
                continue
            failed += 1
            print(f"FAILED: {name}: {check}: here {our}, genuine {their}")
    for name, check in sorted(set(exceptions) - met):
        if any(fnmatch.fnmatchcase(kernel, f"{name}.txt") for kernel in kernels):
            failed += 1
            print(f"FAILED: {name}: {check}: named as an exception, but there is no difference any more")
    print(f"{argued} differences are argued for by {len(met)} lines of {sys.argv[3]}")
    print(f"{same + argued} passed, {failed} failed")
    return 1 if failed or not kernels else 0


if __name__ == "__main__":
    sys.exit(main())
