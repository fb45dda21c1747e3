#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Test kernels as guests of genuine Xen, created by genuine xl one after another in one boot: kernels.py HYPERVISOR
DIRECTORY KERNEL... keeps each one's verdicts in the directory, as run.py of tests/guests does for those that vane creates.

Guards against checks that hold only for a dom0, or only for what our own builder makes of a guest.
"""
import argparse
import os
import sys
import tarfile
import tempfile

import images
import machines
import packages

GUEST_TESTS = os.path.join(images.HERE, "..", "guests")
sys.path.append(GUEST_TESTS)
import run  # noqa: E402  how verdicts are kept and reported

VCPUS = 2
DISK_BYTES = 128 << 20
LIMIT = 300  # seconds for one kernel
BOOT = 600
RUN = """run() {
    timeout $limit xl create -F -q /guests/test.cfg kernel="'/guests/$1'" name="'$1'" vcpus=$vcpus extra="'verdicts'"
    xl destroy "$1" 2>/dev/null && echo "kernels: $1 was destroyed, it did not end within $limit s"
}
"""


def guest_name(kernel):
    """What run.py calls the kernel's file of verdicts: its width and its name."""
    return "-".join(kernel.split("/")[-2:])


def script(kernels):
    """Runs each kernel to its end; all that they said is then an archive on the machine's disk."""
    lines = [f"limit={LIMIT} vcpus={VCPUS}", RUN, *(f"run {guest_name(kernel)}" for kernel in kernels)]
    lines.append("tar -cf /dev/vda -C /var/log/xen/console . && sync")
    return "\n".join(lines) + "\n"


def logs(hypervisor, kernels, directory):
    """What each kernel said, by its name, and what dom0 said."""
    files = {f"guests/{guest_name(kernel)}": packages.read(kernel) for kernel in kernels}
    files["guests/test.cfg"] = packages.read(os.path.join(GUEST_TESTS, "test.cfg"))
    disk = os.path.join(directory, "logs.tar")
    with open(disk, "wb") as file:
        file.truncate(DISK_BYTES)
    initrd = images.dom0_with(os.path.join(directory, "dom0.cpio"), files, script(kernels))
    drive = ("-drive", f"file={disk},format=raw,if=none,id=logs", "-device", "virtio-blk-pci,drive=logs")
    command = machines.xen_command(initrd, hypervisor=hypervisor, cpus=VCPUS, extra=drive)
    said = machines.until(command, "dom0: script done", BOOT + LIMIT * len(kernels))
    with tarfile.open(disk) as archive:
        texts = {os.path.basename(file.name): archive.extractfile(file).read() for file in archive if file.isfile()}
    return {name: texts.get(f"guest-{name}.log", b"").decode(errors="replace").replace("\r", "")
            for name in map(guest_name, kernels)}, said


def main():
    hypervisor, directory, kernels = sys.argv[1], sys.argv[2], sys.argv[3:]
    with tempfile.TemporaryDirectory() as scratch:
        texts, said = logs(hypervisor, kernels, scratch)
    failed, kept = 0, argparse.Namespace(verdicts=directory, covered=None)
    for kernel in kernels:
        run.keep_lines(kept, kernel, VCPUS, texts[guest_name(kernel)])
        failed += run.report(f"{kernel} as a guest of genuine Xen", texts[guest_name(kernel)])[1]
    for line in said.splitlines():
        if line.startswith("kernels: "):
            print(line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
