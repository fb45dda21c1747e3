# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the bench kernel of each width as dom0 of Paravane, and the 64-bit one as dom0 of Debian's genuine Xen, with
one TSC tick an instruction, and prints the rows side by side. Debian's Xen has no 32-bit PV: that column is what the
same source line with CONFIG_PV32 was measured to cost (tests/bench/xen32.tsv)."""
import gzip
import os
import subprocess
import sys
import tempfile
import threading

BUILD = os.environ.get("BUILD", "build")
XEN = "/boot/xen-4.17-amd64.gz"
ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "clock=vm"]


def run(kernel, append, initrd):
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-display", "none", "-serial",
               "stdio", "-monitor", "none", "-no-reboot", "-nic", "none", *ICOUNT, "-kernel", kernel, "-append", append,
               "-initrd", initrd]
    # A hypervisor that cannot switch the machine off leaves QEMU running: the last line of the guest is the end.
    machine = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    guard = threading.Timer(300, machine.kill)
    guard.start()
    output = ""
    for line in machine.stdout:
        output += line.decode(errors="replace")
        if "bench done" in output:
            break
    guard.cancel()
    machine.kill()
    machine.wait()
    rows = {}
    for line in output.splitlines():
        words = line.replace("(XEN) ", "").split()
        if len(words) >= 3 and words[0] == "row":
            rows[" ".join(words[1:-1])] = int(words[-1])
    if "bench done" not in output:
        sys.exit(f"bench: {kernel} with {initrd} did not finish:\n{output[-2000:]}")
    return rows


def xen64():
    with tempfile.NamedTemporaryFile() as image:
        image.write(gzip.open(XEN).read())
        image.flush()
        return run(image.name, "console=com1 dom0_mem=256M", f"{BUILD}/guest64/bench")


def xen32():
    with open("tests/bench/xen32.tsv", encoding="utf-8") as table:
        rows = (line.rstrip("\n").split("\t") for line in table if not line.startswith("#"))
        return {name: int(cost) for name, cost in rows}


def main():
    ours = {width: run(f"{BUILD}/paravane", "console=com1 dom0_mem=256M", f"{BUILD}/guest{width}/bench")
            for width in (64, 32)}
    theirs = {64: xen64(), 32: xen32()}
    above_half, worst, total = 0, (0.0, ""), 0
    print(f"{'operation':44}{'ours 64':>9}{'Xen 64':>9}{'ratio':>7}{'ours 32':>9}{'Xen 32':>9}{'ratio':>7}")
    for name in ours[64]:
        line = f"{name:44}"
        for width in (64, 32):
            mine, other = ours[width].get(name), theirs[width].get(name)
            if mine is None or not other:
                line += f"{mine if mine is not None else '-':>9}{'-':>9}{'-':>7}"
                continue
            ratio = mine / other
            total += 1
            above_half += ratio > 0.5
            worst = max(worst, (ratio, f"{name}, {width}-bit"))
            line += f"{mine:9}{other:9}{ratio:7.2f}"
        print(line)
    print(f"worst ratio {worst[0]:.2f} ({worst[1]}), {above_half} of {total} rows over 0.50")


if __name__ == "__main__":
    main()
