# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""A domain moves to another machine while the link is cut, or a machine loses its power, at each message of the hand-over
in turn. Guards against the domain running twice, or nowhere, or a host that keeps what it no longer needs.

FAULTS=all adds what is left out for the sake of time.
"""
import os
import re

import pytest

from pair import Pair

# Who says it: of the two sides of a hand-over. What follows a cut there: the domain is where it was, or has moved.
CUTS = [("offer", "sender", "stays"), ("accepted", "receiver", "stays"), ("data", "sender", "stays"),
        ("sent", "sender", "stays"), ("complete", "receiver", "stays"), ("commit", "sender", "stays"),
        ("running", "receiver", "moves"), ("done", "sender", "moves")]
# Who loses its power at which message, and who has the domain then.
LOSSES = [("commit", "sender", "sender", "moves"), ("commit", "sender", "receiver", "stays"),
          ("running", "receiver", "receiver", "stays")]
if os.environ.get("FAULTS") == "all":
    CUTS += [("hello", "sender", "stays"), ("hello", "receiver", "stays")]
    LOSSES += [("complete", "receiver", "sender", "moves"), ("complete", "receiver", "receiver", "stays"),
               ("running", "receiver", "sender", "moves"), ("data", "sender", "receiver", "stays"),
               ("done", "sender", "sender", "moves"), ("offer", "sender", "receiver", "stays")]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    pair = Pair(tmp_path_factory.mktemp("pair"))
    yield pair
    pair.close()


class Watch:
    """The one ticker, wherever it is, and the ticks it made so far."""

    def __init__(self, pair):
        self.pair = pair
        self.home = 0
        pair.hosts[0].command("create /examples/ticker.cfg 'extra=\"period=100\"'")
        self.last = self.newest()

    def host(self, moved=False):
        return self.pair.hosts[self.home if not moved else 1 - self.home]

    def ticks(self, host=None):
        return [int(number) for number in re.findall(r"^tick (\d+)", (host or self.host()).log("ticker"), re.M)]

    def newest(self):
        return self.host().wait("a tick", lambda: self.ticks()[-1:])[0]

    def settles(self, home):
        """It is there alone, goes on with the next tick, and neither host remembers anything."""
        there, away = self.pair.hosts[home], self.pair.hosts[1 - home]
        before = self.home
        try:
            there.wait("the ticker at its host", lambda: self.runs(there))
        except AssertionError:
            print(there.text()[-3000:], away.text()[-3000:], self.pair.proxy.seen[-20:], sep="\n----\n")
            raise
        away.wait("its end at the other", lambda: set(away.domains()) == {"Domain-0"})
        self.home = home
        ticks = there.wait("new ticks", lambda: [t for t in self.ticks() if t > self.last][1:] and self.ticks())
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), f"ticks lost or repeated: {ticks}"
        if before != home and (left := self.ticks(away)):  # a host that was switched off does not know
            assert ticks[0] == left[-1] + 1, f"the last tick there was {left[-1]}, the first here {ticks[0]}"
        self.last = ticks[-1]
        for host in self.pair.hosts:
            host.wait("nothing in doubt", lambda: "Nothing is in doubt" in host.command("migrate-settle"))

    @staticmethod
    def runs(host):
        state = host.domains().get("ticker")
        return state is not None and "p" not in state["state"] and "s" not in state["state"]


@pytest.fixture(scope="module")
def ticker(pair):
    return Watch(pair)


def test_there_and_back(pair, ticker):
    """The plain case, in both directions."""
    free = [host.free_mib() for host in pair.hosts]
    for home in (1, 0):
        assert "migrated ticker to link0" in ticker.host().command("migrate ticker link0")
        ticker.settles(home)
    assert [host.free_mib() for host in pair.hosts] == free


def test_paused_at_the_target(pair, ticker):
    """A domain that runs at the other host though it was to wait there."""
    assert "it is paused now" in ticker.host().command("migrate -p ticker link0")
    there = ticker.host(moved=True)
    assert "p" in there.domains()["ticker"]["state"]
    there.command("unpause ticker")
    ticker.settles(1 - ticker.home)


def test_no_room(pair, ticker):
    """A target without memory says so before the domain stops for anything, and when it is only asked."""
    ticker.host(moved=True).command("create /examples/balloon.cfg memory=300 maxmem=300 name='\"fat\"'")
    answer = ticker.host().command("create /examples/ticker.cfg memory=256 name='\"big\"'; migrate -n big link0; "
                                   "migrate big link0; destroy big")
    ticker.host(moved=True).destroy_all()
    assert re.search(r"big would not get there: link0: the other host says: .*memory", answer), answer
    assert "big runs on here and was not migrated" in answer
    assert re.search(r"the other host says: .*memory", answer), answer
    ticker.settles(ticker.home)


def test_asked(pair, ticker):
    """A question that leaves something behind: a copy, a record, a notice that something has not arrived."""
    there = ticker.host(moved=True)
    before = there.text().count("did not arrive")
    pair.proxy.seen = []
    assert "ticker (16 MiB, 1 vCPUs) could go to link0" in ticker.host().command("migrate -n ticker link0")
    assert [message for _, message in pair.proxy.seen] == ["hello", "hello", "offer", "accepted"]
    ticker.settles(ticker.home)
    assert "migrated ticker to link0" in ticker.host().command("migrate ticker link0")
    ticker.settles(1 - ticker.home)
    assert there.text().count("did not arrive") == before


def test_patience_ends(pair, ticker):
    """A user who has to wait for a host that says nothing: Ctrl-C ends that, and the domain goes on at once."""
    here = ticker.host()
    pair.proxy.set_trap(1 - ticker.home, "complete", lambda: None)
    here.send("migrate ticker link0\r")
    assert pair.proxy.sprung.wait(60), pair.proxy.seen
    here.send("\x03")
    here.expect("runs on here and was not migrated: cancelled")
    here.prompt()
    ticker.settles(ticker.home)


@pytest.mark.parametrize("message,says,then", CUTS)
def test_link_cut(pair, ticker, message, says, then):
    """The link is cut at one message and comes back: the domain runs once, where the protocol says, and nothing is left."""
    free = [host.free_mib() for host in pair.hosts]
    side = ticker.home if says == "sender" else 1 - ticker.home
    pair.proxy.set_trap(side, message, pair.proxy.cut)
    home = ticker.home if then == "stays" else 1 - ticker.home
    answer = ticker.host().command("migrate ticker link0")
    assert pair.proxy.sprung.wait(10), answer  # "done" is on its way when the command has ended
    pair.proxy.restore()
    for host in pair.hosts:
        pair.wait_link(host)
    ticker.settles(home)
    if then == "stays":
        assert [host.free_mib() for host in pair.hosts] == free


def test_users_word(pair, ticker):
    """While nobody knows, no command starts either copy behind the hand-over's back; migrate-settle does."""
    here, there = ticker.host(), ticker.host(moved=True)
    pair.proxy.set_trap(ticker.home, "commit", pair.proxy.cut)
    answer = here.command("migrate ticker link0")
    assert "it is settled when the two hosts talk again" in answer
    for command in ("resume ticker", "rename ticker other"):
        assert "in doubt: suspended here" in here.command(command)
    assert "migrate-settle ticker discard" in here.command("destroy ticker")
    there.wait("the cut there", lambda: "in doubt: whole and paused here" in there.command("migrate-settle"))
    for command in ("unpause ticker--incoming", "rename ticker--incoming other"):
        assert "in doubt" in there.command(command)
    assert "in doubt" in here.command("list -l ticker")
    assert "keep or discard" in here.command("migrate-settle ticker maybe")
    assert "two of it" in here.command("migrate-settle ticker keep")
    pair.proxy.restore()
    for host in pair.hosts:
        pair.wait_link(host)
    ticker.settles(ticker.home)


@pytest.mark.parametrize("message,says,loser,then", LOSSES)
def test_power_lost(pair, ticker, message, says, loser, then):
    """A host loses its memory at one message: what it had is lost, but no copy runs beside another."""
    sender = ticker.home
    lost = sender if loser == "sender" else 1 - sender
    pair.proxy.set_trap(sender if says == "sender" else 1 - sender, message, lambda: pair.kill(lost))
    pair.hosts[sender].send("migrate ticker link0\r")
    assert pair.proxy.sprung.wait(30), pair.proxy.seen
    if lost != sender:
        pair.hosts[sender].prompt()
    pair.restart(lost)
    ticker.settles(sender if then == "stays" else 1 - sender)
