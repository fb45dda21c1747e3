#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""What a Linux guest's log says under one hypervisor and not under the other: compare_logs.py XEN PARAVANE [SECTION...]

The files are what facts.sh printed (sections behind "@@ name"), or plain logs. Times, addresses, measured speeds and
the hypervisor's name do not count, nor does the order of lines, which two processors decide between them."""
import collections
import re
import sys

RULES = [(re.compile(pattern), replacement) for pattern, replacement in (
    (r"^\[ *\d+\.\d+\] ?", ""),
    (r"0x[0-9a-f]{5,}", "ADDRESS"),
    (r"\b[0-9a-f]{16}\b", "ADDRESS"),
    (r"\b\d+ (usecs|msecs|ms|us|ns)\b", r"N \1"),
    (r"\d+(\.\d+)? (MHz|MB/s|BogoMIPS|GFLOPS)", r"N \2"),
    (r"(lpj=|mult: |max_cycles: |max_idle_ns: |mask: |BogoMIPS\s*: |cpu MHz\s*: )[\w.]+", r"\1N"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"audit\(\d+\.\d+:\d+\)", "audit(TIME)"),
    (r"(setting system clock to) .*", r"\1 TIME"),
    (r"\d+K/\d+K available", "N available"), (r"\d+K reserved", "N reserved"),
    (r"per-cpu.*|percpu: Embedded.*", "per-cpu"),
    (r"Xen version: [\w.-]+", "Xen version: NAME"),
    (r"(random: crng init done).*", r"\1"),
    (r"(sched_clock: Marking stable) .*", r"\1"), (r"(bogomips\s*: ).*", r"\1N"),
    (r"hrtimer: interrupt took .*", ""),                        # a busy testing machine
    (r"xenbus_probe_frontend: Waiting for devices.*", ""),      # the same
    (r"(Freeing initrd memory: ).*", r"\1N"),                   # xl's builder unpacks it, ours leaves that to Linux
    (r"raid6: (.*) gen\(\).*", r"raid6: \1 gen()"),
)]


def normalised(line):
    for pattern, replacement in RULES:
        line = pattern.sub(replacement, line)
    return line.rstrip()


def sections(path):
    """The sections of a file of facts; a plain log is one section."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read().replace("\r", "")
    found, name = {}, None
    for line in text.split("\n"):
        if line.startswith("@@ "):
            name = line[3:].strip()
            found[name] = []
        elif name:
            found[name].append(line)
    return found or {"dmesg": text.split("\n")}


def difference(theirs, ours):
    """Lines (marked - and +) that only one side has, in the order in which that side says them."""
    counts = [collections.Counter(map(normalised, lines)) for lines in (theirs, ours)]
    result = []
    for mark, lines, other in (("-", theirs, counts[1]), ("+", ours, counts[0])):
        left = collections.Counter(other)
        for line in map(normalised, lines):
            if not line:
                continue
            if left[line]:
                left[line] -= 1
            else:
                result.append(f"{mark} {line}")
    return result


def compare(theirs_path, ours_path, names=None):
    """Prints the differences of the sections; their number."""
    theirs, ours = sections(theirs_path), sections(ours_path)
    total = 0
    for name in names or [name for name in theirs if name != "end"]:
        if name not in theirs or name not in ours:
            sys.exit(f"compare_logs: section {name} is missing in {theirs_path if name not in theirs else ours_path}")
        lines = difference(theirs[name], ours[name])
        total += len(lines)
        print(f"{name}: {len(lines) or 'no'} difference{'s'[:len(lines) != 1]}")
        for line in lines:
            print(f"  {line}")
    return total


if __name__ == "__main__":
    sys.exit(1 if compare(sys.argv[1], sys.argv[2], sys.argv[3:]) else 0)
