#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's Linux as dom0 of Paravane, with genuine xl: creates a Linux guest, saves and restores it, and migrates it live
to the same host, which Debian's own Xen refuses. Guards against domctls, policies and log-dirty reports that only our
own tools understand."""
import os
import sys
import tempfile

import images
import machines
import moving

LATER = moving.log_of("linux--incoming")
SCRIPT = f"""xl create -q /guests/linux.cfg
for i in $(seq 200); do grep -q 'moved line 3' {moving.log_of("linux")} 2>/dev/null && break; sleep 1; done
xl save linux /tmp/saved >/tmp/said 2>&1 && xl restore /tmp/saved >>/tmp/said 2>&1 && echo "tools: restored" || tail /tmp/said
rm /tmp/saved
sleep 4
for n in 1 2; do
    xl migrate -s '' linux 'xl migrate-receive' >/tmp/said 2>&1 && echo "tools: migrated" || tail /tmp/said
    sleep 4
done
xl list
cat {moving.log_of("linux")} {LATER}
"""


def main():
    os.makedirs(moving.KEPT, exist_ok=True)
    images.dom0_base()
    account = moving.Account("linux")
    config = "".join(f"{key} = {value!r}\n" for key, value in {"name": "linux", **moving.LINUX}.items())
    with tempfile.TemporaryDirectory() as directory:
        initrd = images.dom0_with(f"{directory}/dom0.cpio",
                                  {**moving.files_for(moving.LINUX), "guests/linux.cfg": config}, SCRIPT)
        kernel = images.unpacked_kernel(images.GENERIC)
        text = machines.until(machines.qemu(f"{moving.BUILD}/paravane", "console=com1 loglvl=warning dom0_mem=512M",
                                            f"{kernel} {machines.DOM0_OPTIONS},{initrd}", memory="1400M"),
                              "dom0: script done", 900)
    lines = account.hear(text, "under xl on Paravane")
    if "tools: restored" not in text or text.count("tools: migrated") != 2:
        account.fail("xl could not do all")
    print(f"genuine xl in a Linux dom0: created, saved, restored, migrated twice; {lines} lines, one account")


if __name__ == "__main__":
    sys.exit(main())
