#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's Linux as dom0 of Paravane, with genuine xentrace: it takes a trace, and genuine xenalyze reads it here. Guards
against rings, masks and records that only our own tools understand."""
import base64
import os
import re
import subprocess
import sys
import tempfile

import images
import machines
import packages

UTILS = "xen-utils-4.17"
SCRIPT = """cp /xentrace /tmp/xentrace
chmod +x /tmp/xentrace
/tmp/xentrace -D -T 3 -S 32 /tmp/trace
echo "tracing: xentrace ended with $?"
echo tracing: begin
base64 /tmp/trace
echo tracing: end
"""
# What a Linux dom0 that mostly sleeps does.
EXPECTED = (r"sched_op +\[29\]: +[1-9]", r"iret +\[23\]: +[1-9]", r"vcpu_op +\[24\]: +[1-9]", r"\|-- Domain 0 --\|",
            r"\|-- Domain 32767 --\|", r"blocked: +[1-9]")


def take(build):
    """The file that xentrace wrote."""
    images.dom0_base()
    with tempfile.TemporaryDirectory() as directory:
        xentrace = packages.read(packages.find(UTILS, "usr/lib/xen-4.17/bin/xentrace"))
        initrd = images.dom0_with(f"{directory}/dom0.cpio", {"xentrace": xentrace}, SCRIPT)
        kernel = images.unpacked_kernel(images.GENERIC)
        text = machines.until(machines.qemu(f"{build}/paravane", "console=com1 loglvl=warning dom0_mem=512M",
                                            f"{kernel} {machines.DOM0_OPTIONS},{initrd}", memory="1400M"),
                              "dom0: script done", 600)
    if "tracing: xentrace ended with 0" not in text:
        sys.exit(f"rival: xentrace failed in dom0:\n{text[-2000:]}")
    encoded = text.split("tracing: begin")[1].split("tracing: end")[0]
    return base64.b64decode(re.sub(r"[^A-Za-z0-9+/=]", "", encoded))


def main():
    with tempfile.NamedTemporaryFile() as file:
        file.write(take(os.environ.get("BUILD", "build")))
        file.flush()
        said = subprocess.run([packages.find("xen-utils-common", "usr/bin/xenalyze"), "-s", file.name], capture_output=True,
                              text=True, check=True).stdout
    missing = [pattern for pattern in EXPECTED if not re.search(pattern, said)]
    if missing:
        sys.exit(f"rival: xenalyze does not see {', '.join(missing)} in what xentrace took:\n{said[:4000]}")
    total = re.search(r"Total time: (.*)", said)
    print(f"genuine xentrace in a Linux dom0 and xenalyze: {total.group(1) if total else ''}; all is there")


if __name__ == "__main__":
    sys.exit(main())
