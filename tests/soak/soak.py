# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Four Linux guests under load and fifty minimal ones side by side for MINUTES; then all are destroyed, and every page,
port, grant and node of the store must be back.

On the way, every half minute: every guest makes progress, no Linux guest complains, the prompt answers; one minimal guest
is destroyed and made again. The Linux guests run stress-ng's stressors with verification of what they compute and keep
in memory, again and again. Guards against what only time shows: leaks, lost timers and events, starvation.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "system"), os.path.join(HERE, "..", "rival")]
import guests  # noqa: E402
import images  # noqa: E402
import packages  # noqa: E402
from machine import BUILD, booted  # noqa: E402
from test_leaks import settled  # noqa: E402

LINUX, MINIMAL = 4, 50
CHECK_SECONDS = 30
# How many checks in a row may see a guest without progress: the emulator shares the building machine with others.
PATIENCE = 6
LEEWAY_PAGES = 64
LIBRARIES = ["libc6", "libgcc-s1", "libapparmor1", "libbsd0", "libcrypt1", "libegl1", "libgbm1", "libgles2",
             "libipsec-mb1", "libjpeg62-turbo", "libjudydebian1", "libkmod2", "libsctp1", "libxxhash0", "zlib1g", "libmd0",
             "libglvnd0", "libdrm2", "libwayland-server0", "libffi8", "libexpat1", "libxcb-randr0", "libxcb1", "libxau6",
             "libxdmcp6", "libzstd1", "liblzma5", "libssl3"]
COMPLAINTS = re.compile(r"BUG: |WARNING: |lockup|blocked for more than|detected stall|Call Trace|Oops|Out of memory|"
                        r"stress-ng: (fail|error)|round \d+ failed|Segmentation fault")
# The pipe stressor runs to a number of operations: the alarm of a timeout interrupts its last write, which it calls a
# failure.
LOAD = """
(n=0; while :; do n=$((n + 1)); echo "beat $n"; sleep 5; done) &
round=0
while :; do
    round=$((round + 1))
    stress-ng --quiet --temp-path /tmp --timeout 60 --verify --cpu 1 --vm 1 --vm-bytes 32M --fork 1 --timer 1 \
        --timer-freq 100 --mmap 1 --mmap-bytes 16M &&
    stress-ng --quiet --temp-path /tmp --verify --pipe 2 --pipe-ops 10000 &&
    echo "round $round passed" || echo "round $round failed"
done
"""


def load_disk():
    """The initial RAM disk of a Linux guest that runs stress-ng."""
    archive = images.base("guest-init")
    root = packages.tree("stress-ng")
    archive.copy(root, "usr/bin/stress-ng", "bin/stress-ng")
    images.add_libraries(archive, [os.path.join(root, "usr/bin/stress-ng")], LIBRARIES)
    return images.guest(LOAD, archive=archive)


def ram_disk(directory):
    """dom0's RAM disk with the Linux guest and the minimal ones of both widths."""
    contents = {"vmlinuz": packages.read(images.kernel()), "initrd": load_disk()}
    for width in (32, 64):
        contents[f"ticker{width}"] = packages.read(f"{BUILD}/guest{width}/ticker")
        contents[f"ticker{width}.cfg"] = guests.config({"name": "ticker", "kernel": f"/guests/ticker{width}", "memory": 8,
                                                        "extra": "period=1000", "ramdisk": ""}).encode()
    contents["linux.cfg"] = guests.config({"memory": 256, "vcpus": 2}).encode()
    for name, data in contents.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)
    disk = os.path.join(directory, "dom0.rd")
    subprocess.run([sys.executable, "scripts/ramdisk.py", disk, *(f"guests/{name}={directory}/{name}" for name in contents)],
                   check=True)
    return disk


class Watch:
    """What each guest had come to at the last look, and for how many looks it has stood still."""

    def __init__(self, machine):
        self.machine = machine
        self.last = {}
        self.still = {}
        self.problems = []

    def look(self, name, pattern):
        log = self.machine.log(name)
        complaint = COMPLAINTS.search(log)
        if complaint:
            line = log[log.rfind("\n", 0, complaint.start()) + 1:].split("\n", 1)[0]
            self.problem(f"{name} says: {line.strip()}")
        seen = re.findall(pattern, log)
        progress = seen[-1] if seen else None
        self.still[name] = self.still.get(name, 0) + 1 if progress == self.last.get(name) else 0
        self.last[name] = progress
        if self.still[name] >= PATIENCE:
            self.problem(f"{name} stands still at {progress}")
        return log

    def forget(self, name):
        self.last.pop(name, None)
        self.still.pop(name, None)

    def problem(self, text):
        if text not in self.problems:
            self.problems.append(text)
            print(f"soak: {text}", flush=True)


def minimal_config(number):
    return f"/guests/ticker{32 if number % 2 else 64}.cfg"


def absent(machine):
    """The guests that should be there and are not."""
    running = machine.domains()
    names = [f"linux{number}" for number in range(LINUX)] + [f"tick{number}" for number in range(MINIMAL)]
    return [name for name in names if name not in running]


def populate(machine):
    for number in range(LINUX):
        machine.command(f"create /guests/linux.cfg name=linux{number}", timeout=300)
    for number in range(MINIMAL):
        machine.command(f"create {minimal_config(number)} name=tick{number}", timeout=120)
    missing = absent(machine)
    if missing:
        sys.exit(f"soak: {', '.join(missing)} could not be made:\n{machine.text()[-2000:]}")


def soak(machine, minutes):
    """The load; what went wrong, and how many rounds of stress-ng passed."""
    watch, started, looks = Watch(machine), time.monotonic(), 0
    rounds = {}
    while time.monotonic() - started < minutes * 60:
        time.sleep(CHECK_SECONDS)
        looks += 1
        asked = time.monotonic()
        for number in range(LINUX):
            log = watch.look(f"linux{number}", r"beat (\d+)")
            rounds[number] = max([rounds.get(number, 0), *map(int, re.findall(r"round (\d+) passed", log))])
        for number in range(looks % 5, MINIMAL, 5):
            watch.look(f"tick{number}", r"tick (\d+),")
        answered = time.monotonic() - asked
        victim = looks % MINIMAL
        machine.command(f"destroy tick{victim}; create {minimal_config(victim)} name=tick{victim}", timeout=300)
        watch.forget(f"tick{victim}")
        for name in absent(machine):
            watch.problem(f"{name} is gone")
        print(f"soak: {(time.monotonic() - started) / 60:.1f} min, {sum(rounds.values())} rounds passed, "
              f"{answered:.1f} s for {LINUX + MINIMAL // 5} logs", flush=True)
    return watch.problems, sum(rounds.values())


def compare(before, after):
    problems = []
    if before["free pages"] - after["free pages"] > LEEWAY_PAGES:
        problems.append(f"{before['free pages'] - after['free pages']} pages are lost")
    for what in before:
        if what != "free pages" and before[what] != after[what]:
            problems.append(f"{what} differ: {before[what]!r} before, {after[what]!r} after")
    return problems


def main():
    minutes = float(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        disk = ram_disk(directory)
        with booted(cpus=2, memory="3072M", append="console=com1 dom0_mem=512M loglvl=info guest_loglvl=none",
                    initrd=f"{BUILD}/dom0,{disk}") as machine:
            # Warm: the first guests let dom0's heap and the hypervisor's grow to their size.
            for _ in range(2):
                populate(machine)
                machine.destroy_all()
            before = settled(machine)
            populate(machine)
            problems, rounds = soak(machine, minutes)
            machine.destroy_all()
            machine.wait("all to be gone", lambda: list(machine.domains()) == ["Domain-0"], timeout=300)
            after = settled(machine)
    problems += compare(before, after)
    if not rounds:
        problems.append("no round of stress-ng passed")
    print(f"soak: {minutes:g} minutes, {rounds} rounds of stress-ng; free pages {before['free pages']} before, "
          f"{after['free pages']} after; " + ("; ".join(problems) or "every page, port, grant and node is back"))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
