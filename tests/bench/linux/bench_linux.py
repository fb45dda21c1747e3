# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""What a Linux guest's operations cost with no hypervisor, on genuine Xen and on Paravane: the same kernel, initial RAM
disk and program in one run, on one processor, with one TSC tick an instruction. Keeps each machine's words.

    bench_linux.py [native] [xen] [xen-tsc] [paravane]     only these; the others' words are taken from the last run

Genuine Xen has two columns. Where the processor does not promise a steady TSC, as here, it traps a guest's reads of it
by default, and Linux reads it at each system call; tsc_mode = "native" in the second does without.

Devices have their rows in a second machine of each hypervisor: a disk in the memory of dom0, and a second guest to send
to."""
import concurrent.futures
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "rival"))
import guests  # noqa: E402
import images  # noqa: E402
import machines  # noqa: E402
import packages  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
KEPT = os.path.join(BUILD, "bench-linux")
LIMIT = 1500
RESULTS_HEAD = """# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# What `make bench-linux` printed last, and what each batch of each row took.

"""
COMPUTE_LIMIT = 1.02


# How each column runs its guest, and what its configuration has beside the common.
COLUMNS = {"native": (guests.native, {}), "xen": (guests.on_xen, {}), "xen-tsc": (guests.on_xen, {"tsc_mode": "native"}),
           "paravane": (guests.on_paravane, {})}


def calls(column):
    """Runs the program's rows of the kernel and the processor."""
    initrd = images.guest("/bin/lat all\n", [("bin/lat", packages.read(f"{BUILD}/tests/bench/lat"))])
    machine, settings = COLUMNS[column]
    return machine(initrd, settings, LIMIT, machines.ICOUNT)


def transfers(column):
    """Runs the rows of disk and network; none without a hypervisor. Genuine Xen's disk is a RAM block device of dom0's
    Linux, which costs it less than a file behind a loop device."""
    machine, settings = COLUMNS[column]
    if machine is guests.native:
        return ""
    script = """ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up
/bin/lat disk /dev/xvda
until ping -c 1 -W 1 10.0.0.2 >/dev/null; do :; done
/bin/lat net 10.0.0.2 5000
"""
    peer = "ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up; /bin/lat serve 5000\n"
    program = [("bin/lat", packages.read(f"{BUILD}/tests/bench/lat"))]
    bridge, disk = (",bridge=xenbr0", "/dev/ram0") if machine is guests.on_xen else ("", "/guests/disk.img")
    devices = {"disk": [f"{disk},raw,xvda,rw"], "vif": [f"mac=00:16:3e:00:00:01{bridge}"]}
    neighbour = guests.config({"name": "peer", "ramdisk": "/guests/initrd2", "memory": 128,
                               "vif": [f"mac=00:16:3e:00:00:02{bridge}"], **settings})
    files = {"guests/disk.img": bytes(16 << 20), "guests/initrd2": images.guest(peer, program),
             "guests/peer.cfg": neighbour}
    return machine(images.guest(script, program), {**devices, **settings}, LIMIT, machines.ICOUNT, files=files,
                   first="/guests/peer.cfg")


def rows(text):
    """Name to median and batches, in the order of the run."""
    found = {}
    for match in re.finditer(r"^.*?row ([^\n]*?) (\d+\.\d\d)((?: \d+\.\d\d){9})\s*$", text, re.M):
        found[match[1]] = (float(match[2]), match[3])
    failed = re.search(r"bench failed: .*", text)
    if failed:
        print(f"bench-linux: {failed[0]}")
    return found


def run(column, part):
    text = part(column)
    with open(os.path.join(KEPT, f"{column}-{part.__name__}.txt"), "w", encoding="utf-8") as file:
        file.write(text)


def kept(column):
    """The rows of a column's last runs."""
    found = {}
    for part in (calls, transfers):
        path = os.path.join(KEPT, f"{column}-{part.__name__}.txt")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found.update(rows(file.read()))
    return found


def ratio(value, base):
    return f"{value / base:9.3f}" if value and base else f"{'-':>9}"


def number(value):
    return f"{value:13.0f}" if value else f"{'-':>13}"


def verdict(name, ours, native, best):
    """What a row misses, if anything: computing must cost what it costs without a hypervisor, all else less than Xen."""
    if name.startswith("compute"):
        return "over 2 % of native" if ours and native and ours / native > COMPUTE_LIMIT else ""
    return "above Xen" if ours and best and ours > best else ""


def table(results):
    """The text of the table. The last ratio is to whichever genuine Xen is better."""
    lines = [f"{'operation (instructions)':38}{'no hypervisor':>14}{'genuine Xen':>13}{'... own TSC':>13}{'Paravane':>13}"
             f"{'/native':>9}{'/Xen':>9}"]
    missed, worst = 0, (0.0, "none")
    for name, ours in results["paravane"].items():
        native, *theirs = (results[column].get(name) for column in ("native", "xen", "xen-tsc"))
        best = min(filter(None, theirs), default=None)
        flag = verdict(name, ours, native, best)
        missed += bool(flag)
        if best and not name.startswith("compute"):
            worst = max(worst, (ours / best, name))
        lines.append(f"{name:38} {''.join(map(number, (native, *theirs, ours)))}{ratio(ours, native)}{ratio(ours, best)}"
                     f" {flag}".rstrip())
    lines.append(f"worst ratio to genuine Xen {worst[0]:.2f} ({worst[1]}); {missed} of {len(results['paravane'])} rows "
                 "miss their goal")
    return "\n".join(lines) + "\n"


def main():
    os.makedirs(KEPT, exist_ok=True)
    columns = sys.argv[1:] or list(COLUMNS)
    images.dom0_base()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for job in [pool.submit(run, column, part) for part in (calls, transfers) for column in columns]:
            job.result()
    text = table({column: {name: cost for name, (cost, _) in kept(column).items()} for column in COLUMNS})
    with open(os.path.join(KEPT, "results.txt"), "w", encoding="utf-8") as file:
        file.write(RESULTS_HEAD + text)
        for column in COLUMNS:
            file.write(f"\nBatches of {column}, instructions an operation:\n")
            file.writelines(f"{name}:{batches}\n" for name, (_, batches) in kept(column).items())
    print(text, end="")


if __name__ == "__main__":
    main()
