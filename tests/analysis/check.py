#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Runs gcc -fanalyzer, clang's analyzer and cppcheck over the product's C files.

Usage: check.py WORKPLACE --hypervisor FLAGS --guest FLAGS. A finding that explained.tsv does not explain is a failure, and
so is an explanation of what is no longer found. A file's findings are kept in WORKPLACE under the hash of what the
preprocessor makes of it, so that only changed files are looked at again. Ends with a line "N passed, N failed".
"""

import argparse
import concurrent.futures
import glob
import hashlib
import os
import re
import shlex
import subprocess
import sys

EXPLAINED = "tests/analysis/explained.tsv"
FINDING = re.compile(r"^([\w./-]+\.[ch]):\d+:(?:\d+:)? (?:warning|error|performance|portability): (.*?) \[([\w.+=-]+)\]\s*$", re.M)
CPPCHECK = ["cppcheck", "-q", "--enable=warning,performance,portability", "--std=c11", "--inline-suppr",
            "--suppress=missingInclude", "-U__ASSEMBLER__", "-D__GNUC__=12", "-D__OPTIMIZE__", "--template={file}:{line}: {severity}: {message} [{id}]"]


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def own_headers(compiler):
    """Where the compiler keeps the headers that come with it."""
    return run([compiler, "-print-file-name=include"]).stdout.strip()


GCC_HEADERS, CLANG_HEADERS = own_headers("gcc"), own_headers("clang")


def analysers(name, flags, wide):
    """The command of each analyser for one file."""
    plain = [flag for flag in flags if not flag.startswith("-W")]
    theirs = [CLANG_HEADERS if flag == GCC_HEADERS else flag for flag in plain]
    places = [flag for flag in plain if flag.startswith(("-I", "-D"))]
    places += ["-I" + place for option, place in zip(plain, plain[1:]) if option == "-isystem"]
    machine = ["--platform=unix64", "-D__x86_64__"] if wide else ["--platform=unix32", "-D__i386__"]
    return (["gcc", *plain, "-O1", "-fanalyzer", "-fdiagnostics-plain-output", "-S", "-o", "/dev/null", name],
            ["clang", "--analyze", *theirs, "-Wno-everything", "--analyzer-output", "text", "-o", "/dev/null", name],
            [*CPPCHECK, *machine, *places, name])


def findings_of(command, text, workplace):
    """[(file, checker, message)] of one analyser, from the last time it saw this text if there was one."""
    kept = os.path.join(workplace, hashlib.sha256((repr(command) + text).encode()).hexdigest())
    if not os.path.exists(kept):
        result = run(command)
        if result.returncode and command[0] != "cppcheck":
            return [(command[-1], command[0], "did not finish: " + result.stderr.strip()[-300:])]
        found = FINDING.findall(result.stdout + result.stderr)
        with open(kept + ".new", "w", encoding="utf-8") as keep:
            keep.write("\n".join("\t".join((place, checker, message)) for place, message, checker in found
                                 if not place.startswith(("/", "build/"))))
        os.rename(kept + ".new", kept)
    with open(kept, encoding="utf-8") as keep:
        return [tuple(line.split("\t")) for line in keep.read().splitlines()]


def findings(name, flags, wide, workplace):
    """[(file, checker, message)] of one file."""
    text = run(["gcc", *flags, "-w", "-E", "-P", name])
    if text.returncode:
        return [(name, "preprocessor", text.stderr.strip().splitlines()[-1])]
    return [found for command in analysers(name, flags, wide) for found in findings_of(command, text.stdout, workplace)]


def explained():
    """(file, checker) -> reason."""
    with open(EXPLAINED, encoding="utf-8") as table:
        rows = (line.rstrip("\n").split("\t") for line in table if line.strip() and not line.startswith("#"))
        return {(name, checker): why for name, checker, why in rows}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workplace")
    parser.add_argument("--hypervisor", type=shlex.split)
    parser.add_argument("--guest", type=shlex.split)
    options = parser.parse_args()
    os.makedirs(options.workplace, exist_ok=True)
    jobs = [(name, options.hypervisor + ["-DSPECULATION"] * name.endswith("speculation.c"), True)
            for name in sorted(glob.glob("hypervisor/*/*.c"))]
    jobs += [(name, options.guest, False) for name in sorted(glob.glob("dom0-tools/*/*.c") + glob.glob("guest-pv/*/*.c"))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: findings(*job, options.workplace), jobs))
    excuses, seen, failed = explained(), set(), 0
    for (name, _, _), found in zip(jobs, results):
        for place, checker, message in sorted(set(found)):
            if (place, checker) in excuses:
                seen.add((place, checker))
            else:
                failed += 1
                print(f"FAIL {place} (in {name}): {message} [{checker}]")
    for place, checker in sorted(set(excuses) - seen):
        failed += 1
        print(f"FAIL {EXPLAINED} explains {checker} in {place}, which is not found any more")
    print(f"{max(len(jobs) - failed, 0)} passed, {failed} failed")
    return failed != 0


sys.exit(main())
