#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Boots guest tests as dom0 and adds up what they report.

run.py --hypervisor build/paravane --cpus 1,2,4 build/guest32/test-events build/guest64/test-events ...

With --dom0 and --ramdisk the tests run as guests of the embedded dom0 instead, created at its prompt.

A kernel prints "FAILED: sentence [...]" for what does not hold and "NAME: N passed, N failed" at the end. One that
does not get there counts as one failure, with the last lines of its console. --compare KERNEL boots one kernel under
both hypervisors and compares the lines before "now:". --verdicts DIRECTORY keeps each check's verdict there, --covered
DIRECTORY the answers of hypercalls that checks expected and got.
"""
import argparse
import os
import re
import selectors
import subprocess
import sys
import time

SUMMARY = re.compile(r"^(\S+): (\d+) passed, (\d+) failed\s*$", re.M)
SUSPENDED = ("test-suspend",)
MESSAGES = r"(?:\(XEN\) [^\n]*\n)*"
AUDIT = re.compile(r"frame audit: \d+ frames, (\d+) wrong, (\d+) held by nobody known")
AUDITS = 10  # what is on its way holds a reference for a moment: it is gone when asked again
ENDED = re.compile(r"dom0 (halted|crashed|rebooted)|Hardware Dom0 (halted|crashed|shutdown)|^now: .*\n", re.M)


def qemu_command(hypervisor, kernel, cpus, memory, arguments, vcpus=None, model="max"):
    """A machine that ends with whoever started it."""
    options = f"console=com1 com1=115200,8n1 dom0_mem={memory}M dom0_max_vcpus={vcpus or cpus} guest_loglvl=all noreboot"
    return ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-accel", "tcg", "-cpu", model, "-m", "512",
            "-smp", str(cpus), "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
            "-kernel", hypervisor, "-append", options, "-initrd", f"{kernel} {arguments}".strip()]


def boot(command, timeout):
    """The console's text until a summary or the end of dom0, or until the time is over.

    A line that is not read soon enough loses what was said: so only what is new is looked at.
    """
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    text, end, over = "", time.monotonic() + timeout, None
    while time.monotonic() < end and not over:
        if not selector.select(max(0, end - time.monotonic())):
            break
        piece = os.read(process.stdout.fileno(), 65536)
        if not piece:
            break
        text += piece.decode("utf-8", "replace").replace("\r", "")
        last = text[text.rfind("\n", 0, max(0, len(text) - len(piece))) + 1:]
        over = SUMMARY.search(last) or ENDED.search(last)
    process.kill()
    process.wait()
    return text


def echo_of(line):
    """What a typed line looks like: the hypervisor's messages may come between any two letters of it."""
    return re.compile(MESSAGES.join(re.escape(letter) for letter in line))


def find(mark, text):
    return re.search(re.escape(mark) if isinstance(mark, str) else mark, text)


class Prompt:
    """The embedded dom0 on a serial line."""

    ready = "vane> "

    def __init__(self, options, cpus):
        self.timeout, self.seen = options.timeout, ""
        self.process = subprocess.Popen(self.command(options, cpus), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.read_until(self.ready)

    def command(self, options, cpus):
        command = qemu_command(options.hypervisor, options.dom0, cpus, 128, "")
        command[-1] = f"{options.dom0} ,{options.ramdisk}"
        return command

    def read_until(self, mark):
        """What came up to the mark, or all of it when the time is over; what came behind is kept."""
        end = time.monotonic() + self.timeout
        while not find(mark, self.seen) and self.selector.select(max(0, end - time.monotonic())):
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                break
            self.seen += piece.decode("utf-8", "replace").replace("\r", "")
        found = find(mark, self.seen)
        size = found.end() if found else len(self.seen)
        text, self.seen = self.seen[:size], self.seen[size:]
        return text

    def run(self, line, mark="vane> "):
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()
        return self.read_until(mark)

    def step(self, line, mark="vane> "):
        """As run, but a prompt that was drawn again, because dom0 had something to tell, is not taken for the answer."""
        return self.run(line, echo_of(line)) + self.read_until(mark)

    def audit(self):
        """The lines in which the frame audit complains of references or types that are not so."""
        for _ in range(AUDITS):
            text = self.step("debug-keys f")
            found = AUDIT.search(text)
            if found is None:
                return ["the hypervisor does not answer: " + repr(text[-400:])]
            if found.groups() == ("0", "0"):
                return []
            time.sleep(0.2)
        return [line for line in text.splitlines() if "frame" in line]

    def end(self):
        self.process.kill()
        self.process.wait()


def wait_for(prompt, command, condition):
    """Repeats the command until what it prints is as wanted, or the time is over."""
    end = time.monotonic() + prompt.timeout
    while True:
        text = prompt.step(command)
        if condition(text) or time.monotonic() > end:
            return text
        time.sleep(0.2)


def suspend_and_resume(prompt, create, name):
    """The toolstack's part of the test: called off, restored as another domain, called off again."""
    text, verbs = "", ((f"suspend {name}", f"resume {name}"), (f"save {name} /tmp/saved", "restore /tmp/saved", "rm /tmp/saved"))
    prompt.step(f"create {create} memory=16 maxmem=20")
    for number in (1, 2, 3):
        ready = wait_for(prompt, f"log {name}", lambda log: f"ready for suspension {number}\n" in log or SUMMARY.search(log))
        text += ready if number == 2 else ""
        for verb in verbs[number == 2]:
            prompt.step(verb)
    text += wait_for(prompt, f"log {name}", SUMMARY.search)
    wait_for(prompt, "list", lambda domains: name not in domains)
    return text


def run_as_guests(options, cpus):
    """Every kernel as a domain of its own with as many vCPUs as the machine has CPUs."""
    prompt, results = Prompt(options, cpus), []
    for kernel in options.kernels:
        width, name = kernel.split("/")[-2:]
        create = f"/tests/test.cfg kernel='/tests/{width}-{name}' name='{name}' vcpus={cpus} {options.settings}"
        if words(options):
            create += f" extra='{words(options)}'"
        if name in SUSPENDED:
            text = suspend_and_resume(prompt, f"{create} vcpus={cpus + 1}", name)
        else:
            text = prompt.run(f"create -c {create}", "the domain has ended")
            prompt.read_until("vane> ")
        keep_lines(options, kernel, cpus, text)
        results.append(report(f"{kernel} as a guest with {cpus} vCPU{'s' if cpus != 1 else ''}", text))
    prompt.end()
    return results


def words(options):
    """What a kernel is told to do besides its checks."""
    asked = {"sharing": options.vcpus, "verdicts": options.verdicts, "covers": options.covered, "traced": options.traced}
    return " ".join(word for word, wanted in asked.items() if wanted)


def keep_lines(options, kernel, cpus, text):
    """What other scripts read, in files named for the kernel and its width; what is covered may differ by CPUs."""
    width, name = kernel.split("/")[-2:]
    for directory, marks, path in ((options.verdicts, ("verdict ",), f"{width}-{name}.txt"),
                                   (options.covered, ("covered ", "refused "), f"{width}-{name}-{cpus}.txt")):
        if directory:
            os.makedirs(directory, exist_ok=True)
            with open(f"{directory}/{path}", "w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in text.splitlines() if line.startswith(marks) or SUMMARY.match(line))


def report(name, text):
    """Prints one line for the run and returns (passed, failed)."""
    summary = SUMMARY.search(text)
    for line in text.splitlines():
        if line.startswith("FAILED:"):
            print(f"    {name}: {line}")
    if summary:
        passed, failed = int(summary.group(2)), int(summary.group(3))
        print(f"  {name}: {passed} passed, {failed} failed", flush=True)
        return passed, failed
    print(f"  {name}: did not finish; the last it said:", flush=True)
    for line in text.splitlines()[-12:]:
        print("      " + line)
    return 0, 1


def lines_before_clock(text):
    return [line for line in text.split("now:")[0].splitlines() if line.startswith("hello:")]


def compare(options, kernel):
    """The same kernel under both hypervisors must say the same."""
    runs = [boot(qemu_command(h, kernel, 1, 128, "one two=2"), options.timeout) for h in (options.hypervisor, options.compare)]
    ours, theirs = (lines_before_clock(run) for run in runs)
    same = bool(ours) and ours == theirs
    print(f"  {kernel}: says {'the same' if same else 'something else'} under {options.compare}", flush=True)
    if not same:
        print("      ours:   " + repr(ours))
        print("      theirs: " + repr(theirs))
    return (1, 0) if same else (0, 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hypervisor", required=True)
    parser.add_argument("--compare", help="another hypervisor: boot each kernel under both and compare")
    parser.add_argument("--dom0", help="run the tests as guests of this dom0")
    parser.add_argument("--ramdisk", help="its RAM disk, with the kernels in /tests")
    parser.add_argument("--settings", default="", help="added to the configuration of each such guest")
    parser.add_argument("--cpus", default="1")
    parser.add_argument("--vcpus", type=int, help="dom0's vCPUs; as many as CPUs if not given")
    parser.add_argument("--memory", type=int, default=192)
    parser.add_argument("--model", default="max", help="QEMU's name of the processor")
    parser.add_argument("--traced", action="store_true", help="the kernels switch tracing on first")
    parser.add_argument("--verdicts", help="a directory for the verdicts of each kernel")
    parser.add_argument("--covered", help="a directory for what the checks of each kernel covered")
    parser.add_argument("--icount", action="store_true", help="count instructions: one is a nanosecond; the kernel is told")
    parser.add_argument("--timeout", type=float, default=240)
    parser.add_argument("kernels", nargs="+")
    options = parser.parse_args()
    total_passed = total_failed = 0
    if options.dom0:
        for cpus in options.cpus.split(","):
            results = run_as_guests(options, int(cpus))
            total_passed += sum(passed for passed, _ in results)
            total_failed += sum(failed for _, failed in results)
        options.kernels = []
    for kernel in options.kernels:
        if options.compare:
            results = [compare(options, kernel)]
        else:
            results = []
            for cpus in options.cpus.split(","):
                command = qemu_command(options.hypervisor, kernel, int(cpus), options.memory, words(options),
                                       options.vcpus, options.model)
                if options.icount:
                    command[-1] += " icount"
                    command += ["-icount", "shift=0,sleep=off", "-rtc", "clock=vm"]
                place = f"on {cpus} CPU{'s' if cpus != '1' else ''}"
                if options.vcpus:
                    place += f" with {options.vcpus} vCPUs"
                if options.traced:
                    place += ", traced"
                text = boot(command, options.timeout)
                keep_lines(options, kernel, cpus, text)
                results.append(report(f"{kernel} {place}", text))
        total_passed += sum(passed for passed, _ in results)
        total_failed += sum(failed for _, failed in results)
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


if __name__ == "__main__":
    sys.exit(main())
