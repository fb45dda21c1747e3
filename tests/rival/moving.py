#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Saved domains cross between genuine Xen and Paravane, and the guests in them go on.

Each guest is created by genuine xl and saved, restored here and saved again, and restored by genuine xl. It checks all
its memory and counts; all that it ever said must be one account without a gap and without a broken word. Both files
have to please verify-stream-v2 of Xen's own tools. Guards against records that only one side understands, pages in the
wrong place, devices, processors or clocks that do not come back. Arguments: names of guests, or none for all.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

import images
import machines
import packages
import saved

BUILD = os.environ.get("BUILD", "build")
KEPT = os.path.join(BUILD, "rival")
DISK_BYTES = 256 << 20
ATTEMPTS = 3
LOG_BEGINS = "script: the guest's log"
LINE = re.compile(r"moved line (\d+) ticks (\d+) sum ([0-9a-f]{16}) broken (\d+)")
ROUND = re.compile(r"pattern: round (\d+),.*, all right")
LINUX = {"kernel": "/guests/vmlinuz", "ramdisk": "/guests/initrd", "memory": 128, "vcpus": 1,
         "extra": "console=hvc0 quiet"}
DEVICES = {"disk": ["/guests/disk.img,raw,xvda,rw"], "vif": ["mac=00:16:3e:00:00:01,bridge=xenbr0"]}
GUESTS = {
    "linux": LINUX,
    "linux-devices": {**LINUX, **DEVICES, "vcpus": 2},
    "linux-ballooned": {**LINUX, "memory": 112, "maxmem": 160},
    "pattern": {"kernel": "/guests/pattern64", "memory": 32, "vcpus": 2, "extra": "rate=2000"},
}
# With devices it also hears from its bridge and reads its disk from time to time.
PROGRAM = """ip link set eth0 up 2>/dev/null && ip addr add 10.0.0.1/24 dev eth0
if [ -e /dev/xvda ]; then
    while sleep 1; do
        dd if=/dev/xvda of=/dev/null bs=4096 count=64 iflag=direct 2>/dev/null && echo "disk read" || echo "disk failed"
    done &
fi
/bin/moved 16 64
"""


class Account:
    """What a guest said so far, on whichever host."""

    def __init__(self, name):
        self.name, self.lines, self.texts = name, {}, []

    def fail(self, reason):
        path = os.path.join(KEPT, f"moving-{self.name}.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n@@@@\n".join(self.texts))
        sys.exit(f"rival: {self.name}: {reason}; all that was said is in {path}")

    def hear(self, text, where):
        """Adds what it said there, which must go on where it was; how many new lines."""
        self.texts.append(f"{where}:\n{text}")
        last, new = max(self.lines, default=0), 0
        for match in (ROUND if self.name == "pattern" else LINE).finditer(text):
            number, rest = int(match[1]), match.groups()[1:]
            if rest and int(rest[2]):
                self.fail(f"{rest[2]} broken words, {where}: {match[0]}")
            if self.lines.get(number, rest) != rest:
                self.fail(f"line {number} differs from what it said before, {where}: {match[0]}")
            if number > last + 1:
                self.fail(f"line {number} follows line {last}, {where}")
            new += number not in self.lines
            self.lines[number] = rest
            last = max(last, number)
        guest = text.partition(LOG_BEGINS)[2] or text
        if any(word in guest for word in ("disk failed", "BROKEN", "egmentation fault")) or new < 2:
            self.fail(f"only {new} new lines, or a failure, {where}")
        return new


def disks(*paths):
    options = []
    for number, path in enumerate(paths):
        options += ["-drive", f"file={path},format=raw,if=none,id=disk{number}", "-device",
                    f"virtio-blk-pci,drive=disk{number}"]
    return options


def blank(path):
    with open(path, "wb") as file:
        file.truncate(DISK_BYTES)
    return path


def files_for(settings):
    files = {"guests/disk.img": bytes(8 << 20)}
    if "ramdisk" in settings:
        program = [("bin/moved", packages.read(f"{BUILD}/tests/rival/moved"))]
        return {**files, "guests/vmlinuz": packages.read(images.kernel()), "guests/initrd": images.guest(PROGRAM, program)}
    return {**files, "guests/pattern64": packages.read(f"{BUILD}/guest64/pattern")}


def on_xen(script, files, disk, guest_seen):
    """What dom0 of genuine Xen says while it runs the script, which ends with the guest's log; /dev/vda is the file
    named disk. Programs there die without a cause now and then under the emulator, in dom0 and in guests that only Xen has
    seen: then it is done again. A guest that was here (guest_seen) and a failure of xl are judged at the first time."""
    with tempfile.TemporaryDirectory() as directory:
        initrd = images.dom0_with(f"{directory}/dom0.cpio", files, script + "echo script: whole\n")
        for _ in range(ATTEMPTS):
            text = machines.until(machines.xen_command(initrd, cpus=2, memory="1400M", extra=disks(disk)),
                                  "dom0: script done", 600).split("dom0: ready", 1)[1]
            dom0, _, guest = text.partition(LOG_BEGINS)
            died = "script: whole" not in text or "egmentation fault" in dom0
            if not died and (guest_seen or "egmentation fault" not in guest) or guest_seen and guest:
                break
            print(f"rival: a program died {'in dom0' if died else 'in the guest'} of Xen; once more", flush=True)
        return text


def log_of(name):
    return f"/var/log/xen/console/guest-{name}.log"


def save_there(name, settings, disk):
    config = "".join(f"{key} = {value!r}\n" for key, value in {"name": name, **settings}.items())
    said = "pattern: round 5" if name == "pattern" else "moved line 4"
    script = f"""xl create -q /guests/{name}.cfg
for i in $(seq 200); do grep -q '{said}' {log_of(name)} 2>/dev/null && break; sleep 1; done
xl save {name} /dev/vda 2>&1 | tail -n 3
sync
echo "{LOG_BEGINS}"
cat {log_of(name)}
"""
    return on_xen(script, {**files_for(settings), f"guests/{name}.cfg": config}, disk, guest_seen=False)


def restore_there(name, disk):
    script = f"""xl restore /dev/vda 2>&1 | tail -n 3
sleep 8
xl list
echo "{LOG_BEGINS}"
cat {log_of(name)}
"""
    return on_xen(script, {"guests/disk.img": bytes(8 << 20)}, disk, guest_seen=True)


def through_paravane(name, disk, other):
    """Restores it from the one disk, lets it go on and saves it to the other; what it said here."""
    with tempfile.TemporaryDirectory() as directory:
        image = blank(f"{directory}/disk.img")
        os.truncate(image, 8 << 20)
        subprocess.run([sys.executable, "scripts/ramdisk.py", f"{directory}/dom0.rd", f"guests/disk.img={image}"],
                       check=True)
        command = machines.qemu(f"{BUILD}/paravane", "console=com1 loglvl=warning dom0_mem=160M",
                                f"{BUILD}/dom0,{directory}/dom0.rd", cpus=2, extra=disks(disk, other))
        with machines.Shell(command, "vane> ") as shell:
            said = [vane(shell, "restore /dev/vda", 180)]
            if "it is running" not in said[0]:
                return said[0]
            time.sleep(8)
            said.append(vane(shell, f"log {name}"))
            said.append(vane(shell, f"save {name} /dev/vdb", 180))
            return "\n".join(said)


def vane(shell, line, limit=60):
    shell.send(line + "\r")
    shell.expect(r"\r*\n", limit)
    return shell.expect("vane> ", limit)


def verify(account, disk):
    """Xen's own checker reads the stream; our second reader tells where it ends."""
    domain = saved.Saved(disk)
    domain.check_pages()
    exact = disk + ".saved"
    with open(exact, "wb") as file:
        file.write(domain.data[:domain.size])
    root = os.path.join(packages.tree("xen-utils-4.17"), "usr/lib/xen-4.17")
    done = subprocess.run([sys.executable, f"{root}/bin/verify-stream-v2", "-f", "xl", "-i", exact], check=False,
                          env={**os.environ, "PYTHONPATH": f"{root}/lib/python"}, capture_output=True, text=True)
    if done.returncode:
        account.fail(f"verify-stream-v2 refuses {exact}:\n{done.stdout[-400:]}{done.stderr[-400:]}")
    os.unlink(exact)
    return domain.size


def cross(name):
    account, settings = Account(name), GUESTS[name]
    with tempfile.TemporaryDirectory() as directory:
        theirs, ours = blank(f"{directory}/theirs"), blank(f"{directory}/ours")
        heard = [account.hear(save_there(name, settings, theirs), "on genuine Xen")]
        sizes = [verify(account, theirs)]
        heard.append(account.hear(through_paravane(name, theirs, ours), "on Paravane"))
        sizes.append(verify(account, ours))
        heard.append(account.hear(restore_there(name, ours), "on genuine Xen again"))
    print(f"{name}: {heard[0]} lines on Xen, saved in {sizes[0]} bytes, {heard[1]} on Paravane, saved in {sizes[1]}, "
          f"{heard[2]} on Xen again: one account, no broken word", flush=True)


def main():
    os.makedirs(KEPT, exist_ok=True)
    images.dom0_base()
    for name in sys.argv[1:] or GUESTS:
        cross(name)


if __name__ == "__main__":
    main()
