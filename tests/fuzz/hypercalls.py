#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The hypercall fuzzer's driver: a machine with dom0, a witness, and one fuzzing guest after the other.

hypercalls.py --seconds 600 --width both --cpus 2 [--seed S] [--calls N] runs for as long as told, one machine at a time
for each width, and replays with --seed S --rounds 1 --players 1 --alone. Beside each guest runs a second one that lends
and borrows. A guest that ends itself is nothing; a finding is a panic of the hypervisor, a machine that no longer
answers, a damaged or starving witness, a frame audit that counts anew and gets something else, memory that does not come
back. Each finding names the seed. Coverage goes to FILE (--coverage): every
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
DOM0_ENDED = re.compile(r"(?:Hardware Dom0|dom0) (halted|crashed|rebooted|stopped [a-z ]+)|(restart) the machine")
END = re.compile(r"the domain has ended \(([^)]+)\)")
STUCK = re.compile(r"^fuzz: vCPU \d+ is still in (\S+), (?:running|runnable)\s*$", re.M)
WITNESS = re.compile(r"witness: (\d+) ticks, latest (\d+) us, (\d+) damaged")
SLEEPING = {"sched_op.block", "sched_op.poll", "sched_op_compat", "multicall", "vcpu_op.down", "iret", "nothing"}
BEGUN = re.compile("in the grammar|vane> ")
CREATED = re.compile(r"Domain (\d+) \(peer\)")
TOOLS = (("dump-core peer /tmp/core", "rm /tmp/core"), ("pause peer", "unpause peer"), ("vcpu-pin peer all 0", "vcpu-list peer"),
         ("mem-set peer 20", "debug-keys g"), ("debug-keys e", "debug-keys m"), ("sched-credit2 -d peer -w 64",))
NOISE = re.compile(r"[^\n -~]")  # what guests write into the console at random
PEERS = 500  # what the seed of a second guest is ahead of the first's
TICKS_A_SECOND = 100


def processor_seconds(process):
    """What the emulator had of the processors so far: on a busy machine time passes without it."""
    try:
        with open(f"/proc/{process.pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


class Finding(Exception):
    pass


class Machine(run.Prompt):
    """The machine; everything its serial line said since a moment, for what comes after.

    It is silent when nothing came for so many seconds of processor time, or ten times as many of the clock.
    """

    transcript = ""

    def __init__(self, options, threads):
        self.threads = threads
        super().__init__(options, options.cpus)

    def command(self, options, cpus):
        """As for the guest tests, but the hypervisor keeps to itself what guests do wrong."""
        words = [word.replace("guest_loglvl=all", "guest_loglvl=error") for word in super().command(options, cpus)]
        words[words.index("tcg")] = f"tcg,thread={self.threads}"
        return words

    def wait_for(self, mark, silent):
        """Reads until the mark is among what was seen, or silent(clock, processor) says yes to the seconds without a word."""
        since = time.monotonic(), processor_seconds(self.process)
        while not run.find(mark, self.seen):
            if self.selector.select(0.2):
                piece = os.read(self.process.stdout.fileno(), 65536)
                self.seen += NOISE.sub("", piece.decode("ascii", "ignore"))
                since = time.monotonic(), processor_seconds(self.process)
                if not piece:
                    raise Finding("the machine ended itself:\n" + (self.transcript + self.seen)[-3000:])
            elif silent(time.monotonic() - since[0], processor_seconds(self.process) - since[1]):
                break
        end = found.end() if (found := run.find(mark, self.seen)) else len(self.seen)
        text, self.seen = self.seen[:end], self.seen[end:]
        self.transcript = (self.transcript + text)[-200000:]
        if PANIC.search(text) or PANIC.search(self.seen):
            time.sleep(1)
            raise Finding(PANIC.search(text + self.seen).group(0) + "\n" + (text + self.seen)[-3000:])
        return text

    def read_until(self, mark):
        return self.wait_for(mark, lambda clock, used: used > self.timeout * 2 or clock > self.timeout * 10)

    def step(self, line, mark="vane> "):
        text = super().step(line, mark)
        if mark not in text:
            raise Finding(f"no answer to {line!r}:\n{self.transcript[-3000:]}")
        return text


class MachineOfOne(Machine):
    """The fuzzer in dom0's place."""

    ready = "\n"

    def __init__(self, options, threads, kernel, arguments):
        self.initrd = f"{kernel} {arguments}"
        super().__init__(options, threads)

    def command(self, options, cpus):
        words = super().command(options, cpus)
        words[words.index("-append") + 1] += f" dom0_max_vcpus={options.players + 1}"
        return words[:-1] + [self.initrd]


class Campaign:
    """One width: machines, in each of them guests."""

    def __init__(self, options, width):
        self.options, self.width, self.seed = options, width, options.seed
        self.calls = self.rounds = self.audits = self.machines = self.worst_us = 0
        self.codes, self.findings, self.ends = set(), [], collections.Counter()
        self.started = time.monotonic()
        self.end = self.started + options.seconds

    def over(self):
        return time.monotonic() >= self.end or bool(self.options.rounds and self.rounds >= self.options.rounds)

    def free_pages(self):
        found = re.search(r'"free_memory": (\d+)', self.machine.step("info --json"))
        return int(found.group(1)) if found else 0

    def line(self, name, seed, peer):
        """Creates one of the two, each of which knows the other's number: those of the next two domains."""
        options = self.options
        extra = f"seed={seed} calls={options.calls} players={options.players} {options.extra}".strip()
        return (f"/tests/test.cfg kernel='/tests/fuzz{self.width}' name='{name}' vcpus={options.players + 1} memory=24 "
                f"maxmem=32 on_reboot='destroy' extra='{extra} {peer}'")

    def create_peer(self):
        """A second guest that lends its pages to the first and borrows from it; nobody looks at its console meanwhile."""
        if self.options.alone:
            return ""
        text = self.machine.step(f"create {self.line('peer', self.seed + PEERS, f'peer={self.domains + 1}')}")
        found = CREATED.search(text)
        if found is None:
            return ""
        self.domains = int(found.group(1)) + 2
        return f"peer={found.group(1)}"

    def end_peer(self):
        """The tools look into it and push it about before its end: they meet a domain in any state."""
        if not self.options.alone:
            for verb in TOOLS[self.seed % len(TOOLS)]:
                self.machine.step(verb)
            log = self.machine.step("log peer")
            if "peer " in self.machine.step("list"):
                self.machine.step("destroy peer")
            self.keep(log)

    def create(self):
        """Starts a guest and reads what it says until it ends, falls silent, or the time is over."""
        silence = self.options.silence
        line = "create -c " + self.line("fuzz", self.seed, self.create_peer())
        text, quiet = self.machine.run(line, run.echo_of(line)) + self.machine.read_until(BEGUN), False
        if "vane> " in text:  # the end of a create that failed, or a prompt that was drawn again
            text += self.machine.wait_for("in the grammar", lambda clock, used: used > 10 or clock > 240)
            if "in the grammar" not in text:
                raise Finding("a guest does not come up:\n" + text[-2000:])
        while ENDED not in text and not quiet and not self.over():
            piece = self.machine.wait_for("\n", lambda clock, used: used > silence or clock > 4 * silence or self.over())
            quiet = not piece.endswith("\n")
            text += piece
        return text

    def keep(self, text):
        """Adds what a guest said to the totals; returns how many calls it made."""
        calls = ([0] + [int(count) for count in AT.findall(text)])[-1]
        self.calls += calls
        self.codes |= set(NEW.findall(text))
        return calls

    def count_end(self, end):
        self.ends[next(filter(None, end.groups())) if end else "time over" if self.over() else "silence"] += 1

    def round(self):
        """One guest from creation to end."""
        started = time.monotonic()
        text = self.create()
        if ENDED in text:
            text += self.machine.read_until("vane> ")
        else:
            self.machine.process.stdin.write(b"\x1d")
            self.machine.process.stdin.flush()
            text += self.machine.read_until("vane> ")
            if not self.over():
                text += self.machine.step("list") + self.machine.step("debug-keys q") + self.machine.step("debug-keys r")
        if "fuzz " in self.machine.step("list"):
            self.machine.step("destroy fuzz")
        self.end_peer()
        self.rounds += 1
        calls = self.keep(text)
        self.count_end(END.search(text))
        if self.options.verbose:
            print(f"{text}\n--- seed {self.seed}: {calls} calls, {time.monotonic() - started:.1f} s", flush=True)
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
        if "DAMAGED" in log or "unexpected exception" in log:
            raise Finding("witness: " + log[-2500:])
        seen = WITNESS.findall(log)
        if seen:
            self.worst_us = max(self.worst_us, *(int(one[1]) for one in seen))
            self.judge_ticks(int(seen[-1][0]))

    def judge_ticks(self, ticks):
        """The witness is due its ticks in the processor time that the machine had, whatever the clock says."""
        now = processor_seconds(self.machine.process)
        if self.ticked is None:
            self.ticked = now, ticks
        elif now - self.ticked[0] >= 20:
            due = (now - self.ticked[0]) / self.options.cpus * TICKS_A_SECOND
            if ticks - self.ticked[1] < due * self.options.share:
                raise Finding(f"the witness had {ticks - self.ticked[1]} ticks where {due:.0f} were due")
            self.ticked = now, ticks

    def threads(self):
        """Every other machine has one thread for all its CPUs: no races of few instructions, but many times the calls."""
        self.machines += 1
        return self.options.threads or ("single", "multi")[self.machines % 2]

    def boot(self):
        self.machine, self.ticked, self.domains = Machine(self.options, self.threads()), None, 2

    def look_for_lost_memory(self, before):
        """What a domain had may come back a while after its end."""
        for _ in range(120):
            after = self.free_pages()
            if after >= before:
                return
            time.sleep(0.5)
        raise Finding(f"{before - after} MiB of {before} MiB free are lost")

    def campaign(self):
        """One machine from start to end."""
        self.boot()
        last = min(self.end, time.monotonic() + self.options.machine)
        try:
            self.machine.step(f"create /tests/test.cfg kernel='/tests/witness{96 - self.width}' name='witness' vcpus=1 memory=48")
            before, last_audit = self.free_pages(), 0
            while time.monotonic() < last and not self.over():
                self.round()
                if time.monotonic() - last_audit > self.options.audit:
                    self.audit()
                    last_audit = time.monotonic()
                self.seed += 1
            self.audit()
            self.look_for_lost_memory(before)
        finally:
            self.machine.end()

    def run(self):
        while not self.over():
            try:
                self.campaign()
            except (Finding, OSError) as finding:
                self.findings.append(f"seed {self.seed}: {finding}")
                print(f"  fuzz {self.width}-bit: seed {self.seed}: {finding}", flush=True)
                self.seed += 1
        self.seconds = time.monotonic() - self.started


class Dom0Campaign(Campaign):
    """The fuzzer in dom0's place: it may make every call, create domains and end itself, but not stop the hypervisor."""

    def campaign(self):
        options, silence = self.options, self.options.silence
        arguments = f"seed={self.seed} calls={options.calls} players={options.players} {options.extra}".strip()
        kernel = f"{os.path.dirname(options.hypervisor)}/guest{self.width}/fuzz-hypercalls"
        self.machine = MachineOfOne(options, self.threads(), kernel, arguments)
        text, quiet = "", False
        try:
            while not DOM0_ENDED.search(text) and not quiet and not self.over():
                piece = self.machine.wait_for("\n", lambda clock, used: used > silence or clock > 4 * silence or self.over())
                quiet = not piece.endswith("\n")
                text += piece
        finally:
            self.machine.end()
        self.rounds += 1
        self.seed += 1
        self.keep(text)
        self.count_end(DOM0_ENDED.search(text))
        audits = AUDIT.findall(text)
        self.audits += len(audits)
        if any(wrong != "0" for _, wrong in audits):
            raise Finding("frame audit: " + text[-3000:])
        if self.options.verbose:
            print(text)


def summarize(campaigns, coverage):
    for one in campaigns:
        succeeded = {name for name, code in one.codes if int(code) >= 0}
        print(f"  fuzz {one.width}-bit: {one.calls} calls in {one.seconds:.0f} s ({one.calls / one.seconds:.0f} a second), "
              f"{one.rounds} guests ({', '.join(f'{count} {how}' for how, count in one.ends.items())}) on {one.machines} machines, "
              f"{one.audits} audits, {len(one.codes)} pairs of call and code, {len(succeeded)} calls succeeded, "
              f"witness at most {one.worst_us / 1000:.0f} ms late, {len(one.findings)} findings")
    calls, audits = sum(one.calls for one in campaigns), sum(one.audits for one in campaigns)
    pairs, findings = len(set().union(*(one.codes for one in campaigns))), sum(len(one.findings) for one in campaigns)
    seconds = max(one.seconds for one in campaigns)
    print(f"  fuzz: {calls} calls in all, {calls / seconds:.0f} a second, {sum(one.rounds for one in campaigns)} guests replaced, "
          f"{pairs} pairs of call and code, {audits} audits, {findings} findings")
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
    parser.add_argument("--threads", choices=("single", "multi"), help="of the emulator; by turns if not given")
    parser.add_argument("--machine", type=float, default=75, help="seconds after which a machine makes room for the next")
    parser.add_argument("--silence", type=float, default=20, help="seconds of processor time after which a silent guest is destroyed")
    parser.add_argument("--timeout", type=float, default=40, help="seconds of processor time of each CPU that dom0 may take to answer")
    parser.add_argument("--share", type=float, default=0.05, help="of the witness's ticks that must come")
    parser.add_argument("--alone", action="store_true", help="no second guest that lends and borrows: for a replay")
    parser.add_argument("--as-dom0", action="store_true", help="the fuzzer takes dom0's place, a machine for each seed")
    parser.add_argument("--extra", default="", help="more of the fuzzing guest's command line: trace=N, skip=NAME")
    parser.add_argument("--coverage", help="file for the pairs of call and code")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = int(time.time()) % 1000000 * 1000
    print(f"  fuzz: seed {options.seed}", flush=True)
    kind = Dom0Campaign if options.as_dom0 else Campaign
    campaigns = [kind(options, width) for width in ((32, 64) if options.width == "both" else (int(options.width),))]
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
