# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Boot: the prompt by every road, and a sentence instead of silence when it cannot be."""
import re
import subprocess

import pexpect
import pytest

from machine import BUILD, DOM0_MEM, Machine, booted, built

RESTARTS = ("-action", "reboot=reset")  # where other tests end with a machine that wants to restart


def test_iso_reaches_the_prompt():
    """GRUB2 and Multiboot2: another header, another information structure, modules elsewhere than by -kernel."""
    with Machine(iso=f"{BUILD}/paravane.iso", cpus=2, memory="1024M") as machine:
        machine.prompt(timeout=120)
        assert "Domain-0" in machine.command("list")


def test_kernel_reaches_the_prompt(host):
    """Multiboot1 by -kernel, on 1, 2 and 4 CPUs."""
    assert "Domain-0" in host.command("list")


def test_no_module_is_said():
    """Without dom0's kernel there is nothing to start: the message must say how to give one."""
    with Machine(initrd="", append="console=com1") as machine:
        machine.expect("no module: give dom0's kernel as the first module")


def test_unknown_option_is_a_warning():
    """A mistyped option must neither be silent nor stop the machine."""
    with booted(append=f"console=com1 {DOM0_MEM} frobnicate=7") as machine:
        assert "not understood and ignored: frobnicate=7" in machine.text()


def test_too_little_memory_is_said():
    """dom0_mem= beyond the machine's memory names both numbers."""
    with Machine(memory="128M", append="console=com1 dom0_mem=4096M") as machine:
        machine.expect("dom0_mem= asks for 4194304 KiB and only [0-9]+ KiB are free")


@pytest.mark.parametrize("width", ["32", "64"])
def test_any_elf_is_dom0(width):
    """-initrd takes any PV ELF of either width as dom0, with its arguments."""
    with Machine(append="console=com1", initrd=f"{BUILD}/guest{width}/hello one two") as machine:
        machine.expect("one two", timeout=60)


def test_not_an_elf_is_said(tmp_path):
    """A file that is no kernel must be refused by name of what is wrong, not jumped into."""
    bad = tmp_path / "bad"
    bad.write_bytes(b"this is no kernel" * 100)
    with Machine(append="console=com1", initrd=str(bad)) as machine:
        machine.expect("dom0's kernel .* cannot be loaded")


def test_truncated_kernel_is_said(tmp_path):
    """dom0's kernel cut off in the middle of a segment: the reason, not a jump into zeros."""
    for width in ("32", "64"):
        cut = tmp_path / f"cut{width}"
        cut.write_bytes(built(f"guest{width}/hello")[:20000])
        with Machine(initrd=str(cut)) as machine:
            machine.expect("dom0's kernel .*cannot be loaded[^\n]*\n")


def test_kernel_for_another_processor_is_said(tmp_path):
    """An ARM kernel by mistake."""
    image = bytearray(built("guest64/hello"))
    image[18:20] = (183).to_bytes(2, "little")
    other = tmp_path / "arm"
    other.write_bytes(image)
    with Machine(initrd=str(other)) as machine:
        machine.expect("dom0's kernel .*cannot be loaded[^\n]*\n")


def test_machine_that_is_too_small():
    """Not enough memory for dom0's image and tables: numbers, no triple fault."""
    with Machine(memory="48M", append="console=com1") as machine:
        machine.expect("dom0 needs at least [0-9]+ KiB.*raise dom0_mem= or the machine's memory", timeout=20)


def test_bad_values_are_warnings():
    """Options that exist with values that cannot be."""
    append = f"console=com1 {DOM0_MEM} maxcpus=zero loglvl=loud com1=nonsense,8n1 =5 = " + "x" * 300
    with booted(append=append) as machine:
        assert "not understood and ignored" in machine.text()
        assert "Domain-0" in machine.command("list")


def test_maxcpus_and_dom0_max_vcpus():
    """Limits from the command line are kept, by the hypervisor and for dom0."""
    with booted(cpus=4, append=f"console=com1 {DOM0_MEM} maxcpus=2 dom0_max_vcpus=1") as machine:
        assert machine.json("info")["nr_cpus"] == 2
        assert len(machine.json("vcpu-list 0")) == 1


@pytest.mark.parametrize("cpus", [1, 2, 4, 8])
def test_all_cpus_are_used(cpus):
    """Every CPU the machine has is started and offered: one guest pinned to each runs there."""
    with booted(cpus=cpus, memory="1024M") as machine:
        assert machine.json("info")["nr_cpus"] == cpus
        for cpu in range(cpus):
            machine.command(f"create /examples/ticker.cfg name=t{cpu} 'cpus=\"{cpu}\"' 'extra=\"period=50\"'")
        for cpu in range(cpus):
            machine.wait_log(f"t{cpu}", "tick 2,")
            assert machine.json(f"vcpu-list t{cpu}")[0]["cpu"] == cpu


@pytest.mark.parametrize("cpus", [1, 2])
def test_64_bit_dom0(cpus):
    """The same sources as a 64-bit dom0 (DOM0=64): same prompt, guests of both widths, its own memory intact."""
    with booted(cpus=cpus, initrd=f"{BUILD}/guest64/dom0,{BUILD}/dom0.rd") as machine:
        assert "embedded dom0 (64-bit)" in machine.text()
        assert machine.json("info")["machine"] == "x86_64"
        for width in ("32", "64"):
            machine.command(f"create /examples/hello{width}.cfg")
            machine.wait_log(f"hello{width}", "powering off")
        machine.command("create /examples/balloon.cfg")
        machine.wait_log("balloon", "following memory/target")
        machine.command("mem-set balloon 24")
        machine.wait("the balloon", lambda: machine.domains()["balloon"]["memory_kib"] == 24 * 1024)
        machine.destroy_all()


def test_more_memory_than_4_gib():
    """Frames above 4 GiB: given to guests of both widths, page tables of 32-bit ones below."""
    with booted(cpus=2, memory="5G") as machine:
        assert machine.json("info")["total_memory"] > 5000
        machine.command("create /examples/balloon.cfg memory=2600 maxmem=2700")
        machine.wait_log("balloon", "following memory/target", timeout=120)
        assert "the memory is usable" in machine.log("balloon")
        for width in ("32", "64"):
            machine.command(f"create /examples/hello{width}.cfg memory=1000", timeout=120)
            machine.wait_log(f"hello{width}", "powering off", timeout=60)


def test_input_switch_and_debug_keys():
    """Ctrl-A three times: keys go to the hypervisor, and back to dom0 the same way."""
    with booted() as machine:
        machine.send("\x01\x01\x01")
        machine.expect("Serial input to Paravane")
        for key in "qmegh":
            machine.send(key)
            machine.expect(f"'{key}' pressed")
        machine.send("\x01\x01\x01")
        machine.expect("Serial input to DOM0")
        assert "Domain-0" in machine.command("list")


def test_backtrace_names_our_functions(host):
    """Names of functions are packed in the image: each address must get the name that the linker knows it by."""
    symbols = subprocess.run(["nm", f"{BUILD}/paravane.elf64"], check=True, capture_output=True, text=True).stdout
    addresses = {name: int(address, 16) for address, _, name in map(str.split, symbols.splitlines())}
    calls = re.findall(r"\[0x([0-9a-f]{16})\] (\w+)\+(0x[0-9a-f]+)", host.debug_key("d"))
    assert {"debug_key", "do_sysctl"} <= {name for _, name, _ in calls}
    for address, name, offset in calls:
        assert int(address, 16) == addresses[name] + int(offset, 16), name


def test_poweroff_ends_the_machine():
    """The last command of a session: QEMU ends by itself. A triple fault would only restart it."""
    with booted(extra=RESTARTS) as machine:
        machine.send("poweroff\r")
        machine.expect("The machine goes off")
        machine.child.expect(pexpect.EOF, timeout=60)


def test_reboot_restarts_the_machine():
    """poweroff -r resets the machine, which boots again: all memory is as new, no domain is left of the old ones."""
    with booted(extra=RESTARTS) as machine:
        machine.command("create /examples/ticker.cfg")
        machine.send("poweroff -r\r")
        machine.expect("The machine restarts")
        machine.expect("help lists the commands", timeout=90)
        machine.prompt()
        assert list(machine.domains()) == ["Domain-0"]
        assert "Panic" not in machine.text()


@pytest.mark.parametrize("cpu, lacks", [
    ("qemu32", "this CPU has no 64-bit mode"), ("max,-nx", "no-execute"), ("max,-apic", "no local APIC"),
    ("max,-syscall", "no SYSCALL")])
def test_cpu_without_a_needed_feature(cpu, lacks):
    """The feature is named; the machine neither hangs silently nor resets in a loop."""
    with Machine(cpu=cpu) as machine:
        machine.expect(lacks, timeout=20)


@pytest.mark.parametrize("cpu", ["qemu64", "max,-xsave,-fsgsbase,-smep,-smap", "max,-cx16,-pge,-clflush,-x2apic"])
def test_cpu_without_luxuries(cpu):
    """Features that only make things faster may be missing: guests of both widths run."""
    with booted(cpu=cpu) as machine:
        for width in ("32", "64"):
            machine.command(f"create /examples/hello{width}.cfg")
            machine.wait_log(f"hello{width}", "powering off")
