#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The hypercall fuzzer's driver: a machine with dom0, a witness, and one fuzzing guest after the other.

hypercalls.py --seconds 600 --width both --cpus 2 [--seed S] [--calls N] runs for as long as told, a machine for each
width, and replays with --seed S --rounds 1 --players 1. A guest that ends itself is nothing; a finding is a panic of the
hypervisor, a machine that no longer answers, a damaged or starving witness, a frame audit that counts anew and gets
something else, memory that does not come back. Each finding names the seed. Coverage goes to FILE (--coverage): every
call with every code it ever answered.
"""
import argparse
import collections
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guests"))
import run  # noqa: E402

ENDED = "the domain has ended"
PANIC = re.compile(r"^.*Panic on CPU.*$", re.M)
AUDIT = re.compile(r"frame audit: (\d+) frames, (\d+) wrong")
AT = re.compile(r"^fuzz: (?:at|ended after) (\d+)", re.M)
NEW = re.compile(r"^fuzz: new (\S+) (-?\d+)\s*$", re.M)
END = re.compile(r"the domain has ended \((\S+)\)")
STUCK = re.compile(r"^fuzz: vCPU \d+ is still in (\S+)", re.M)
WITNESS = re.compile(r"witness: (\d+) ticks, latest (\d+) us, (\d+) damaged")
SLEEPING = {"sched_op.block", "sched_op.poll", "sched_op_compat", "multicall", "vcpu_op.down", "nothing"}
TICKS_A_SECOND = 100


def qemu_command(*arguments, plain=run.qemu_command):
    """The machine of the guest tests, whose hypervisor keeps to itself what guests do wrong."""
    return [word.replace("guest_loglvl=all", "guest_loglvl=error") for word in plain(*arguments)]


run.qemu_command = qemu_command


class Finding(Exception):
    pass


class Machine(run.Prompt):
    """The machine; everything its serial line said since a moment, for what comes after."""

    def read_until(self, mark):
        text = super().read_until(mark)
        self.transcript = (getattr(self, "transcript", "") + text)[-200000:]
        if PANIC.search(text) or PANIC.search(self.seen):
            time.sleep(1)
            raise Finding(PANIC.search(text + self.seen).group(0) + "\n" + (text + self.seen)[-3000:])
        return text

    def step(self, line, mark="vane> "):
        text = super().step(line, mark)
        if mark not in text:
            raise Finding(f"no answer to {line!r}:\n{self.transcript[-3000:]}")
        return text


class Campaign:
    """The rounds of one machine."""

    def __init__(self, options, width):
        self.options, self.width = options, width
        self.calls = self.rounds = self.audits = 0
        self.codes, self.findings, self.ends = set(), [], collections.Counter()
        self.worst_us = 0
        self.seed = options.seed

    def free_pages(self):
        found = re.search(r'"free_memory": (\d+)', self.machine.step("info --json"))
        return int(found.group(1)) if found else 0

    def create(self):
        options = self.options
        extra = f"seed={self.seed} calls={options.calls} players={options.players} {options.extra}".strip()
        line = (f"create -c /tests/test.cfg kernel='/tests/fuzz{self.width}' name='fuzz' vcpus={options.players + 1} "
                f"memory=24 maxmem=32 on_reboot='destroy' extra='{extra}'")
        return self.machine.run(line, ENDED)

    def round(self):
        """One guest from creation to end."""
        started = time.monotonic()
        text = self.create()
        if ENDED not in text:
            self.machine.process.stdin.write(b"\x1d")
            self.machine.process.stdin.flush()
            text += self.machine.read_until("vane> ") + self.machine.step("list") + self.machine.step("debug-keys q")
            text += self.machine.step("debug-keys r")
            self.machine.step("destroy fuzz")
        else:
            text += self.machine.read_until("vane> ")
        if "fuzz " in self.machine.step("list"):
            self.machine.step("destroy fuzz")
        self.rounds += 1
        counts = [int(count) for count in AT.findall(text)] or [0]
        self.calls += counts[-1]
        end = END.search(text)
        self.ends[end.group(1) if end else "silence"] += 1
        self.codes |= set(NEW.findall(text))
        if self.options.verbose:
            print(f"{text}\n--- seed {self.seed}: {counts[-1]} calls, {time.monotonic() - started:.1f} s", flush=True)
        stuck = [name for name in STUCK.findall(text) if name not in SLEEPING]
        if stuck:
            raise Finding(f"a vCPU does not come back from {', '.join(stuck)}")

    def audit(self):
        """What is looked at between the rounds: the frame table, the witness."""
        self.audits += 1
        text = self.machine.step("debug-keys f")
        found = AUDIT.search(text) or AUDIT.search(self.machine.step("dmesg -c"))
        if found is None:
            raise Finding(f"no frame audit: {text[-500:]}")
        if found.group(2) != "0":
            raise Finding("frame audit: " + text[-2000:])
        log = self.machine.step("log witness")
        if "DAMAGED" in log:
            raise Finding("witness: " + log[-1500:])
        seen = WITNESS.findall(log)
        now = time.monotonic()
        if seen:
            ticks = int(seen[-1][0])
            self.worst_us = max(self.worst_us, *(int(one[1]) for one in seen))
            if self.ticked and now - self.ticked[0] >= 20:
                due = (now - self.ticked[0]) * TICKS_A_SECOND
                if ticks - self.ticked[1] < due * self.options.share:
                    raise Finding(f"the witness had {ticks - self.ticked[1]} ticks where {due:.0f} were due")
                self.ticked = (now, ticks)
            elif not self.ticked:
                self.ticked = (now, ticks)

    def boot(self):
        settings = argparse.Namespace(hypervisor=self.options.hypervisor, dom0=self.options.dom0,
                                      ramdisk=self.options.ramdisk, timeout=self.options.timeout)
        self.machine, self.ticked = Machine(settings, self.options.cpus), None
        other = 96 - self.width
        self.machine.step(f"create /tests/test.cfg kernel='/tests/witness{other}' name='witness' vcpus=1 memory=48")

    def campaign(self):
        options, end = self.options, time.monotonic() + self.options.seconds
        self.boot()
        try:
            before, last_audit = None, 0
            while time.monotonic() < end and not (options.rounds and self.rounds >= options.rounds):
                self.round()
                if time.monotonic() - last_audit > options.audit:
                    self.audit()
                    last_audit = time.monotonic()
                if before is None and self.rounds >= 3:
                    before = self.free_pages()
                self.seed += 1
            self.audit()
            if before is not None:
                end = time.monotonic() + options.timeout
                while (after := self.free_pages()) < before and time.monotonic() < end:
                    time.sleep(0.5)
                if after < before:
                    raise Finding(f"{before - after} MiB of {before} MiB free are lost")
        finally:
            self.machine.end()

    def run(self):
        started = time.monotonic()
        while True:
            try:
                self.campaign()
            except (Finding, OSError) as finding:
                self.findings.append(f"seed {self.seed}: {finding}")
                print(f"  fuzz {self.width}-bit: seed {self.seed}: {finding}", flush=True)
                self.seed += 1
            if time.monotonic() - started >= self.options.seconds or self.options.rounds:
                break
        self.seconds = time.monotonic() - started


def summarize(campaigns, coverage):
    for one in campaigns:
        succeeded = {name for name, code in one.codes if int(code) >= 0}
        print(f"  fuzz {one.width}-bit: {one.calls} calls in {one.seconds:.0f} s ({one.calls / one.seconds:.0f} a second), "
              f"{one.rounds} guests ({', '.join(f'{count} {how}' for how, count in one.ends.items())}), {one.audits} audits, {len(one.codes)} pairs of call and code, "
              f"{len(succeeded)} calls succeeded, witness at most {one.worst_us / 1000:.0f} ms late, "
              f"{len(one.findings)} findings")
    if coverage:
        with open(coverage, "w", encoding="utf-8") as file:
            for one in campaigns:
                for name, code in sorted(one.codes, key=lambda pair: (pair[0], int(pair[1]))):
                    file.write(f"{one.width} {name} {code}\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hypervisor", default="build/paravane")
    parser.add_argument("--dom0", default="build/dom0")
    parser.add_argument("--ramdisk", default="build/tests/fuzz.rd")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--width", choices=("32", "64", "both"), default="both")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--players", type=int, default=2, help="vCPUs that call at once")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=0, help="guests; as many as the seconds allow if not given")
    parser.add_argument("--calls", type=int, default=150000, help="of the first vCPU of each guest")
    parser.add_argument("--audit", type=float, default=10, help="seconds between two audits")
    parser.add_argument("--timeout", type=float, default=40, help="seconds after which a silent guest is destroyed")
    parser.add_argument("--share", type=float, default=0.02,
                        help="of the witness's ticks that must come, as the clock of a machine that may be busy counts them")
    parser.add_argument("--extra", default="", help="more of the fuzzing guest's command line: trace=N, skip=NAME")
    parser.add_argument("--coverage", help="file for the pairs of call and code")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = int(time.time()) % 1000000 * 1000
    print(f"  fuzz: seed {options.seed}", flush=True)
    campaigns = [Campaign(options, width) for width in ((32, 64) if options.width == "both" else (int(options.width),))]
    threads = [threading.Thread(target=one.run) for one in campaigns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    summarize(campaigns, options.coverage)
    failed = sum(bool(one.findings) for one in campaigns)
    print(f"{len(campaigns) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
