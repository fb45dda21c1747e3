#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""How long an idle 128 MiB Linux guest stands still while it is migrated to the same host, and how long saving, restoring
and migrating take: on genuine Xen with shadow paging under xl, on Paravane under xl in the same Linux dom0, and on
Paravane under its own dom0. One instruction is one nanosecond, so a busy testing machine changes nothing. The guest's own
clock tells the downtime: the longest time between two of its ticks of a millisecond.

Arguments: the columns wanted (xen, paravane-xl, paravane), or none for all.
"""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import images
import machines
import moving
import packages
import built_xen

BUILD = os.environ.get("BUILD", "build")
REPEATS = 3
LIMIT = 900
LINE = re.compile(r"moved line (\d+) .*broken (\d+) gap us boot (\d+) mono (\d+)")
ROWS = ["downtime of a live migration, ms", "live migration, s", "saving, s", "restoring, s", "file, bytes over memory"]
SETTINGS = {"name": "linux", **moving.LINUX}
LOG, LATER = moving.log_of("linux"), moving.log_of("linux--incoming")


def guest_files():
    program = [("bin/moved", packages.read(f"{BUILD}/tests/rival/moved"))]
    config = "".join(f"{key} = {value!r}\n" for key, value in SETTINGS.items())
    return {"guests/vmlinuz": packages.read(images.kernel()), "guests/initrd": images.guest("/bin/moved 16 0\n", program),
            "guests/linux.cfg": config}


def gaps(text, after=0):
    """The longest standstill that each line after that one tells of, in ms; a broken word ends it all."""
    lines = {}
    for number, broken, boot, _ in LINE.findall(text):
        if int(broken):
            sys.exit(f"rival: the guest found {broken} broken words")
        lines[int(number)] = int(boot) / 1000
    return [gap for number, gap in sorted(lines.items()) if number > after]


def xl_script():
    """Migrations one after the other, then a save and a restore; times by dom0's clock."""
    return f"""now() {{ read up rest </proc/uptime; echo "@@ $1 $up"; }}
xl create -q /guests/linux.cfg
for i in $(seq 60); do grep -q 'moved line 3' {LOG} && break; sleep 1; done
for n in $(seq {REPEATS}); do
    now migrate; xl migrate -s '' linux 'xl migrate-receive' >/tmp/said 2>&1 || tail -n 5 /tmp/said; now migrated; sleep 4
done
cat {LATER}
now save; xl save linux /tmp/saved >/dev/null 2>&1; now saved; echo "@@ size $(stat -c %s /tmp/saved)"
now restore; xl restore /tmp/saved >/dev/null 2>&1; now restored
sleep 3; xl list
"""


def spans(text, begin, end):
    first, last = ([float(value) for value in re.findall(rf"@@ {name} ([\d.]+)", text)] for name in (begin, end))
    return [after - before for before, after in zip(first, last)]


def keep(column, text):
    with open(os.path.join(moving.KEPT, f"downtime-{column}.txt"), "w", encoding="utf-8") as file:
        file.write(text)


def under_xl(column, command):
    text = machines.until(command, "dom0: script done", LIMIT)
    keep(column, text)
    text = text[text.find("@@ migrate"):]
    moved, sizes = spans(text, "migrate", "migrated"), re.findall(r"@@ size (\d+)", text)
    standing = sorted(gaps(text), reverse=True)[:REPEATS]
    if len(standing) < REPEATS or not sizes:
        sys.exit(f"rival: not all migrations went well:\n{text[-3000:]}")
    return [statistics.median(standing), statistics.median(moved), spans(text, "save", "saved")[0],
            spans(text, "restore", "restored")[0], int(sizes[0]) / (128 << 20)]


def genuine_xen(directory):
    initrd = images.dom0_with(f"{directory}/dom0.cpio", guest_files(), xl_script())
    command = machines.xen_command(initrd, memory="1400M", extra=machines.ICOUNT, hypervisor=built_xen.image("shadow"))
    return under_xl("xen", command)


def paravane_xl(directory):
    initrd = images.dom0_with(f"{directory}/dom0.cpio", guest_files(), xl_script())
    kernel = images.unpacked_kernel(images.GENERIC)
    return under_xl("paravane-xl", machines.qemu(f"{BUILD}/paravane", "console=com1 loglvl=warning dom0_mem=512M",
                                  f"{kernel} {machines.DOM0_OPTIONS},{initrd}", memory="1400M", extra=machines.ICOUNT))


def paravane(directory):
    names = []
    for name, data in guest_files().items():
        path = os.path.join(directory, os.path.basename(name))
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        names.append(f"{name}={path}")
    subprocess.run([sys.executable, "scripts/ramdisk.py", f"{directory}/dom0.rd", *names], check=True)
    command = machines.qemu(f"{BUILD}/paravane", "console=com1 loglvl=warning dom0_mem=512M",
                            f"{BUILD}/dom0,{directory}/dom0.rd", memory="1400M",
                            extra=machines.ICOUNT)
    with machines.Shell(command, "vane> ") as shell:
        return at_our_prompt(shell)


def line_reached(shell, least):
    """The log once the guest has said so many lines."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        text = moving.vane(shell, "log linux")
        if max((int(match[0]) for match in LINE.findall(text)), default=0) >= least:
            return text
        time.sleep(0.2)
    sys.exit(f"rival: the guest stays silent:\n{shell.text()[-3000:]}")


def last_line(text):
    return max(int(match[0]) for match in LINE.findall(text))


def seconds(text):
    match = re.search(r"([\d.]+) s[);]", text)
    return float(match[1]) if match else sys.exit(f"rival: it did not go well: {text}")


def at_our_prompt(shell):
    moving.vane(shell, "create /guests/linux.cfg")
    last, moved, standing = last_line(line_reached(shell, 3)), [], []
    for _ in range(REPEATS):
        moved.append(seconds(moving.vane(shell, "migrate linux localhost", 300)))
        text = line_reached(shell, last + 3)
        standing.append(max(gaps(text, last)))
        last = last_line(text)
    said = moving.vane(shell, "save linux /tmp/saved", 300)
    size = float(re.search(r"\(([\d.]+) MiB", said)[1]) / 128
    back = moving.vane(shell, "restore /tmp/saved", 300)
    keep("paravane", shell.text())
    return [statistics.median(standing), statistics.median(moved), seconds(said), seconds(back), size]


COLUMNS = {"xen": ("genuine Xen, xl", genuine_xen), "paravane-xl": ("Paravane, xl", paravane_xl),
           "paravane": ("Paravane, vane", paravane)}


def main():
    os.makedirs(moving.KEPT, exist_ok=True)
    images.dom0_base()
    values = {}
    for name in sys.argv[1:] or COLUMNS:
        with tempfile.TemporaryDirectory() as directory:
            values[name] = COLUMNS[name][1](directory)
    print(f"{'':34}" + "".join(f"{COLUMNS[name][0]:>18}" for name in values) + "   ratios to the first")
    for number, row in enumerate(ROWS):
        cells = [column[number] for column in values.values()]
        print(f"{row:34}" + "".join(f"{cell:18.2f}" for cell in cells) + "   "
              + " ".join(f"{cell / cells[0]:.2f}" for cell in cells[1:]))


if __name__ == "__main__":
    main()
