#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Boots the contract guest as dom0, in both widths, and adds up what it says.

Usage: contract.py BUILD. Ends with a line "N passed, N failed"; a guest that does not reach its own summary is a failure.
"""

import os
import re
import subprocess
import sys

SECONDS = 120


def boot(build, width):
    """What the guest printed. The machine ends by itself when dom0 powers off."""
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-display", "none", "-serial", "stdio",
               "-no-reboot", "-kernel", os.path.join(build, "paravane"), "-append", "console=com1",
               "-initrd", os.path.join(build, f"guest{width}/test-contract")]
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = machine.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        machine.kill()
        output, _ = machine.communicate()
    return output.decode(errors="replace")


def main():
    passed = failed = 0
    print("contract: every hypercall answers what its page says, in both widths")
    for width in (32, 64):
        text = boot(sys.argv[1], width)
        for line in re.findall(r"contract: (FAIL.*)", text):
            print(f"{width}-bit: {line.strip()}")
        summary = re.search(r"contract: (\d+) passed, (\d+) failed", text)
        if summary:
            passed, failed = passed + int(summary.group(1)), failed + int(summary.group(2))
        else:
            failed += 1
            print(f"FAIL {width}-bit: no summary. The last lines:\n" + "\n".join(text.splitlines()[-8:]))
    print(f"{passed} passed, {failed} failed")
    sys.exit(bool(failed) or not passed)


if __name__ == "__main__":
    main()
