# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""A Linux guest's shell, typed at through its console as a person would.

The kernel's messages share the console with the shell and may come between any two characters: who types commands and
reads their answers calls quiet() first.
"""
import contextlib

from machine import LEAVE_CONSOLE

SHELL = r"\w+:/[^ ]*# "


@contextlib.contextmanager
def console(machine, domain="linux", timeout=60):
    """At the guest's console; back at the prompt whatever happens."""
    machine.send(f"console {domain}\r")
    machine.expect("Ctrl-] leaves it", timeout)
    try:
        yield
    finally:
        machine.send(LEAVE_CONSOLE)
        machine.prompt(timeout)


def quiet(machine, domain="linux"):
    """From here on the kernel's messages, but for those of its end, go to its log only (dmesg)."""
    with console(machine, domain):
        machine.send("echo 1 >/proc/sys/kernel/printk\r")


def ask(machine, command, domain="linux", timeout=60):
    """Types a command at the guest's shell; what it answered."""
    with console(machine, domain, timeout):
        machine.send(f"echo be''gin; {command}; echo an''swered\r")
        machine.expect("begin[\r\n]", timeout)
        return machine.expect("answered", timeout).strip()
