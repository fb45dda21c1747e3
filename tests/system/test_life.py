# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The life of a domain by the verbs of vane."""
import re
import time

import pytest

from machine import LEAVE_CONSOLE, booted, config, ramdisk

TICKER = "create /examples/ticker.cfg 'extra=\"period=50\"'"


def ticks(machine, name="ticker"):
    return len(re.findall(r"^tick ", machine.log(name), re.MULTILINE))


def start_ticker(machine):
    machine.command(TICKER)
    machine.wait_log("ticker", "tick 2,")


def assert_given_up(machine, name, reason):
    notice = re.compile(rf"\[{name}: ended \({reason}\) within 10 s of its start \d+ times in a row: not restarted")
    machine.wait("the notice at a prompt", lambda: machine.keys("") is not None and notice.search(machine.text()), 90)


def test_pause_stops_and_unpause_goes_on(host2):
    """A paused guest that still ran, or one that stayed asleep for ever after: its timer fired while it was paused."""
    start_ticker(host2)
    host2.command("pause ticker")
    before, paused = ticks(host2), host2.domains()["ticker"]
    assert paused["state"][2] == "p"
    time.sleep(0.5)
    assert ticks(host2) == before and host2.domains()["ticker"]["cpu_seconds"] == paused["cpu_seconds"]
    host2.command("unpause ticker")
    host2.wait("ticks after unpause", lambda: ticks(host2) > before + 12)
    assert host2.domains()["ticker"]["state"][2] == "-"


def test_pause_counts(host2):
    """Xen counts the pauses of its control domain: two of them need two unpauses, and a third is harmless."""
    start_ticker(host2)
    host2.command("pause ticker; pause ticker; unpause ticker")
    before = ticks(host2)
    time.sleep(0.3)
    assert ticks(host2) == before
    host2.command("unpause ticker; unpause ticker")
    host2.wait("ticks after two unpauses", lambda: ticks(host2) > before + 2)


def test_created_paused_runs_nothing(host2):
    """create -p must leave not one line on the console until unpause."""
    output = host2.command("create -p /examples/ticker.cfg 'extra=\"period=50\"'")
    assert "paused" in output
    time.sleep(0.3)
    assert host2.log("ticker") == ""
    assert host2.domains()["ticker"]["cpu_seconds"] == 0
    host2.command("unpause ticker")
    host2.wait_log("ticker", "tick 2,")


def test_shutdown_is_asked_and_waited_for(host2):
    """control/shutdown reaches the guest, it acknowledges and powers off, -w returns only then."""
    start_ticker(host2)
    assert "has been shut down" in host2.command("shutdown -w ticker")
    host2.wait_gone("ticker")
    assert "tick 2," in host2.log("ticker"), "the log outlives the domain"


def test_shutdown_all(host2):
    """-a asks every domain but dom0."""
    start_ticker(host2)
    host2.command(TICKER + " name=second")
    host2.wait_log("second", "tick 1,")
    output = host2.command("shutdown -a -w")
    assert output.count("has been shut down") == 2, output
    host2.wait("an empty list", lambda: list(host2.domains()) == ["Domain-0"])


def test_shutdown_of_a_deaf_guest_gives_up(host2):
    """GRUB does not listen to control/shutdown: -w must end with a sentence, not hang the prompt."""
    host2.command("create /examples/grub32.cfg")
    output = host2.command("shutdown -w -t 1 grub32")
    assert "has not ended within 1 s; destroy ends it at once" in output
    host2.command("destroy grub32")
    assert "grub32" not in host2.domains()


def test_reboot_is_a_new_domain_of_the_same_name(host2):
    """A rebooted domain comes back under a new id with the same configuration and UUID, starting from nothing."""
    start_ticker(host2)
    old = host2.domains()["ticker"]
    host2.command("reboot ticker")
    host2.wait("a new id", lambda: host2.domains().get("ticker", old)["domid"] > old["domid"])
    assert host2.domains()["ticker"]["uuid"] == old["uuid"]
    host2.wait_log("ticker", "tick 1,")
    assert "every 50 ms" in host2.log("ticker"), "overrides of the command line survive a reboot"


def test_rename_restart_of_a_reboot(host2):
    """The rebooted domain stays under another name, and a new one has its own: neither is there twice or missing."""
    host2.command(TICKER + " name=phoenix on_reboot=rename-restart")
    host2.wait_log("phoenix", "tick 1,")
    old = host2.domains()["phoenix"]["domid"]
    host2.command("reboot phoenix")
    host2.wait("both", lambda: {f"phoenix-{old}", "phoenix"} <= set(host2.domains()))


def test_on_poweroff_preserve(host2):
    """The dead stay for inspection when they are told to, with the reason of their end."""
    host2.command("create /examples/hello32.cfg on_poweroff=preserve")
    host2.wait("state s", lambda: host2.domains()["hello32"]["state"][3] == "s")
    assert host2.domains()["hello32"]["shutdown_reason"] == "poweroff"


def test_on_poweroff_restart_gives_up(host2):
    """A guest that powers off at once is restarted as one that crashes: not for ever."""
    host2.command("create /examples/hello32.cfg name=moth on_poweroff=restart")
    assert_given_up(host2, "moth", "poweroff")
    assert "moth" not in host2.domains()


def test_destroy_then_same_name_again(host2):
    """The name, the store's nodes and the console are free again at once."""
    for _ in range(3):
        start_ticker(host2)
        domid = host2.domains()["ticker"]["domid"]
        assert host2.command("destroy ticker") == ""
        assert "ticker" not in host2.domains()
        assert "No such file" in host2.command(f"xenstore-ls /local/domain/{domid}")


def test_destroy_of_a_paused_domain(host2):
    """A vCPU that is not scheduled must be taken apart as one that is."""
    start_ticker(host2)
    host2.command("pause ticker; destroy ticker")
    assert "ticker" not in host2.domains()


def test_destroy_under_an_attached_console(shared_host):
    """The guest ends while its console is open: the user is told and gets the prompt, nothing hangs."""
    shared_host.command("create -p /examples/hello64.cfg")
    shared_host.send("unpause hello64; console hello64\r")
    shared_host.expect(r"powering off|no console|there is no domain")
    shared_host.prompt()
    assert "hello64" not in shared_host.domains()


def test_rename_domid_domname(host2):
    """The name is one thing in the list, in the store and for every verb after a rename."""
    start_ticker(host2)
    domid = host2.command("domid ticker").strip()
    assert host2.command(f"domname {domid}") == "ticker\n"
    assert f'the name "ticker" is taken by domain {domid}' in host2.command(TICKER)
    assert host2.command("rename ticker clock") == ""
    assert host2.command("domid clock").strip() == domid
    assert host2.command(f"xenstore-read /local/domain/{domid}/name") == "clock\n"
    assert "there is no domain" in host2.command("domid ticker")
    assert "is taken by domain" in host2.command("rename clock Domain-0")
    assert "tick " in host2.log("clock")
    host2.command("destroy clock")


@pytest.fixture(scope="module")
def crashers(tmp_path_factory):
    """A machine with a configuration per on_crash action, of a guest that crashes at once."""
    files = {f"{action}.cfg": config(f"c-{action}", "/boot/rogue32", on_crash=action)
             for action in ("preserve", "destroy", "restart", "rename-restart")}
    initrd = ramdisk(tmp_path_factory.mktemp("rd") / "rd", files)
    with booted(cpus=2, initrd=initrd) as machine:
        yield machine


def test_on_crash_preserve(crashers):
    """A preserved domain stays for inspection: s and c in its state, its memory kept, its console closed cleanly."""
    crashers.command("create /guests/preserve.cfg")
    crashers.wait("state c", lambda: crashers.domains()["c-preserve"]["state"][3:5] == "sc")
    domain = crashers.domains()["c-preserve"]
    assert domain["shutdown_reason"] == "crash" and domain["memory_kib"] == 16384
    assert "last word" in crashers.log("c-preserve")
    assert "crashed" in crashers.dmesg(), "the hypervisor says why"
    assert "has ended already (crash)" in crashers.command("shutdown c-preserve")
    crashers.command("destroy c-preserve")
    assert "c-preserve" not in crashers.domains()


def test_on_crash_destroy(crashers):
    """The domain goes by itself, and a notice at the prompt says so."""
    crashers.command("create /guests/destroy.cfg")
    crashers.wait_gone("c-destroy")
    assert re.search(r"\[c-destroy: domain \d+ ended \(crash\) and was destroyed", crashers.text())


def test_on_crash_restart_gives_up(crashers):
    """A guest that crashes at once is restarted, but not for ever: the machine would do nothing else."""
    free = crashers.free_mib()
    crashers.command("create /guests/restart.cfg")
    assert_given_up(crashers, "c-restart", "crash")
    assert "c-restart" not in crashers.domains()
    assert crashers.free_mib() == free


def test_on_crash_rename_restart(crashers):
    """Each crashed domain stays under another name; at the end of the restarts all can be destroyed."""
    free = crashers.free_mib()
    crashers.command("create /guests/rename-restart.cfg")
    assert_given_up(crashers, "c-rename-restart", "crash")
    kept = [name for name in crashers.domains() if name.startswith("c-rename-restart-")]
    assert len(kept) >= 3
    crashers.destroy_all()
    assert crashers.free_mib() == free


def test_log_of_the_dead(host2):
    """What a domain printed stays readable after its death, by name and by id; its console does not pretend to live."""
    host2.command("create /examples/hello32.cfg")
    host2.wait_gone("hello32")
    assert "powering off" in host2.log("hello32")
    row = [line for line in host2.command("log").splitlines() if line.startswith("hello32")][-1]
    assert row.endswith("(dead)")
    assert "powering off" in host2.command(f"log {row.split()[1]}")
    assert '"hello32" is dead; log hello32 shows what it printed' in host2.command("console hello32")


def test_console_escape_in_the_middle_of_output(host2):
    """Leaving a console that never stops printing, and typing at the prompt at once."""
    host2.command("create /examples/ticker.cfg 'extra=\"period=1\"'")
    for _ in range(3):
        host2.send("console ticker\r")
        host2.expect("tick ")
        host2.send(LEAVE_CONSOLE)
        host2.expect("left; it runs on")
        host2.prompt()
        assert "ticker" in host2.domains()


def test_uptime_and_top(host2):
    """uptime counts from a domain's own start; top shows who uses the CPU."""
    start_ticker(host2)
    assert re.search(r"^ticker +\d+  0:00:0\d$", host2.command("uptime"), re.MULTILINE)
    assert host2.json("uptime ticker")[0]["uptime_seconds"] < 10
    host2.command("create /examples/grub64.cfg")
    top = {row["name"]: row for row in host2.json("top")}
    assert top["grub64"]["cpu_permille"] > 300, "GRUB polls its console: it never sleeps"
    assert top["ticker"]["cpu_permille"] < 300


def test_dmesg_is_kept_and_cleared(host2):
    """The hypervisor's own lines stay readable; -c empties the buffer, and showing it must not fill it again."""
    host2.command("debug-keys h")
    assert "this list" in host2.dmesg()
    assert "this list" in host2.command("dmesg -c", keep=True)
    assert "this list" not in host2.dmesg()
