# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Boot: the prompt by every road, and a sentence instead of silence when it cannot be."""
import pytest

from machine import BUILD, Machine, booted


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
    with booted(append="console=com1 dom0_mem=96M frobnicate=7") as machine:
        assert "frobnicate" in machine.text()


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
