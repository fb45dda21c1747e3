# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""One Linux guest with one script, run the same way with no hypervisor, on genuine Xen and on Paravane; beside a first
guest if its configuration is named."""
import os
import subprocess
import sys
import tempfile

import images
import machines
import packages

BUILD = os.environ.get("BUILD", "build")
DONE = "guest: script done"
CONFIG = {"name": "linux", "kernel": "/guests/vmlinuz", "ramdisk": "/guests/initrd", "memory": 256, "vcpus": 1,
          "extra": "console=hvc0"}


def config(settings):
    return "".join(f"{key} = {value!r}\n" for key, value in {**CONFIG, **settings}.items())


def native(initrd, settings, limit, extra):
    """With no hypervisor: the machine has what the guest would have, devices apart."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(initrd)
        file.flush()
        append = f"{settings.get('extra', CONFIG['extra'])} console=ttyS0"
        command = machines.qemu(images.kernel(), append, file.name, cpus=settings.get("vcpus", 1),
                                memory=f"{settings.get('memory', CONFIG['memory'])}M", extra=extra)
        return machines.until(command, DONE, limit)


def on_xen(initrd, settings, limit, extra, cpus=1, files=None, first=None):
    """As a guest of genuine Xen, made by xl; dom0 sleeps until the guest ends, then shows its console's log."""
    script = f"xl create -q {first}\n" if first else ""
    script += "xl create -F -q /guests/linux.cfg || echo 'xl failed'\ncat /var/log/xen/console/guest-linux.log\n"
    contents = {"guests/vmlinuz": packages.read(images.kernel()), "guests/initrd": initrd,
                "guests/linux.cfg": config(settings), **(files or {})}
    with tempfile.TemporaryDirectory() as directory:
        disk = images.dom0_with(f"{directory}/dom0.cpio", contents, script)
        text = machines.until(machines.xen_command(disk, cpus=cpus, extra=extra), "dom0: script done", limit)
    if DONE not in text:
        sys.exit(f"rival: the guest of genuine Xen did not finish:\n{text[-3000:]}")
    return text.split("dom0: ready", 1)[1]


def on_paravane(initrd, settings, limit, extra, cpus=1, files=None, first=None):
    """As a guest of Paravane, made by vane, its console shown as it speaks."""
    contents = {"vmlinuz": packages.read(images.kernel()), "initrd": initrd, "linux.cfg": config(settings).encode(),
                **{name.removeprefix("guests/"): data for name, data in (files or {}).items()}}
    commands = (f"create {first}; " if first else "") + "create -c /guests/linux.cfg"
    with tempfile.TemporaryDirectory() as directory:
        for name, data in contents.items():
            with open(os.path.join(directory, name), "wb") as file:
                file.write(data if isinstance(data, bytes) else data.encode())
        disk = os.path.join(directory, "dom0.rd")
        names = [f"guests/{name}={directory}/{name}" for name in contents]
        subprocess.run([sys.executable, "scripts/ramdisk.py", disk, *names], check=True)
        command = machines.qemu(f"{BUILD}/paravane", "console=com1 loglvl=warning dom0_mem=256M",
                                f"{BUILD}/dom0 vane.run={commands},{disk}", cpus=cpus, extra=extra)
        return machines.until(command, DONE, limit)


KINDS = {"native": native, "xen": on_xen, "paravane": on_paravane}
