# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The log of a Linux guest on Paravane and on genuine Xen, same configuration: an end with an error if they differ in
more than times, addresses and the hypervisor's name. Guards against features, topologies, clocks and device options
that a guest sees here and not there, and against warnings that only our guests print."""
import concurrent.futures
import os
import sys

import compare_logs
import guests
import images
import packages

BUILD = os.environ.get("BUILD", "build")
KEPT = os.path.join(BUILD, "rival")
SECTIONS = ["dmesg", "cpuinfo", "clocksource", "vulnerabilities", "iomem", "devices"]
LIMIT = 900


def facts(kind):
    """Runs the guest on that machine; the path of what it said."""
    program = [("bin/cpuid", packages.read(f"{BUILD}/tests/rival/cpuid"))]
    script = packages.read(os.path.join(images.HERE, "facts.sh")).decode()
    bridge = ",bridge=xenbr0" if kind == "xen" else ""
    settings = {"vcpus": 2, "disk": ["/guests/disk.img,raw,xvda,rw"], "vif": [f"mac=00:16:3e:00:00:01{bridge}"]}
    text = guests.KINDS[kind](images.guest(script, program), settings, LIMIT, (), cpus=2,
                              files={"guests/disk.img": bytes(16 << 20)})
    path = os.path.join(KEPT, f"{kind}.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def main():
    os.makedirs(KEPT, exist_ok=True)
    images.dom0_base()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        theirs, ours = (job.result() for job in [pool.submit(facts, kind) for kind in ("xen", "paravane")])
    different = compare_logs.compare(theirs, ours, SECTIONS)
    sys.exit(f"rival: the guest's facts differ in {different} lines; both are in {KEPT}" if different else 0)


if __name__ == "__main__":
    main()
