# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Two guests that share a page and an event channel, ended at any moment and in either order.

While one has the other's page mapped, its end must wait for nobody, take nothing with it and leave nothing behind.
"""
import re

import pytest


def start_ring(host, amount):
    host.command("create /examples/ring.cfg")
    host.wait_log("ring", "waits for a partner")
    host.command(f"create /examples/ring-peer.cfg extra='\"bytes={amount}\"'")


def settled_pages(host):
    """Free pages, once what is freed in the background is free."""
    seen = [host.json("info")["free_pages"]]

    def stable():
        seen.append(host.json("info")["free_pages"])
        return len(seen) > 3 and len(set(seen[-3:])) == 1
    host.wait("free memory to settle", stable)
    return seen[-1]


def mappings_of_others(host):
    """By domid, from the report of debug key g."""
    report = host.debug_key("g")
    return {int(domid): int(count) for domid, count in
            re.findall(r"d(\d+) grant table: .* (\d+) mappings of others", report)}


def ports_in_use(host):
    return {int(domid): int(count) for domid, count in
            re.findall(r"d(\d+) event channels: [^,]*, (\d+) in use", host.debug_key("e"))}


def end(host, *names):
    for name in names:
        host.command(f"destroy {name}")
    for name in names:
        host.wait_gone(name)


@pytest.mark.parametrize("first", ["ring", "ring-peer"])
def test_either_end_dies_while_the_page_is_shared(host, first):
    """A guest that dies with its page mapped elsewhere keeps it till the other is gone: then nothing of either is left."""
    second = "ring-peer" if first == "ring" else "ring"
    start_ring(host, 4000000000)
    end(host, first, second)  # what is made once stays: counts from here on
    pages, maps, ports = settled_pages(host), mappings_of_others(host), ports_in_use(host)
    assert set(maps) == {0} and set(ports) == {0}
    for _ in range(5):
        start_ring(host, 4000000000)
        ring = host.domains()["ring"]["domid"]
        host.wait("the page to be mapped", lambda: mappings_of_others(host).get(ring) == 1)
        end(host, first, second)
    assert mappings_of_others(host) == maps
    assert ports_in_use(host) == ports
    assert settled_pages(host) >= pages


def test_the_granter_stays_known_until_its_page_is_unmapped(host2):
    """Its memory is freed but for the page that another still has mapped."""
    start_ring(host2, 4000000000)
    domains = host2.domains()
    ring = domains["ring"]["domid"]
    host2.wait("the page to be mapped", lambda: mappings_of_others(host2).get(ring) == 1)
    pages = host2.json("info")["free_pages"]
    host2.command("pause ring; destroy ring-peer")
    host2.wait("its memory to be free", lambda: host2.json("info")["free_pages"] > pages + 3500)
    assert mappings_of_others(host2)[ring] == 1
    host2.command("destroy ring")
    host2.wait("both to be gone", lambda: set(ports_in_use(host2)) == {0})
    assert "panic" not in host2.text()
