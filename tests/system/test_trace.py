# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""vane trace: what it shows is what happened, pictures are pictures, and nothing of it stays."""
import re
import shutil
import struct
import subprocess
import xml.etree.ElementTree as xml

import pytest

from machine import booted

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def machine():
    """Two guests, one of each width, that wake twenty times a second, and dom0, on two CPUs."""
    with booted(cpus=2, memory="1024M") as running:
        running.command("create /examples/ticker.cfg name=narrow 'extra=\"period=50\"'")
        running.command("create /examples/ticker.cfg name=wide kernel=/boot/ticker64 'extra=\"period=50\"'")
        yield running


def numbers(machine):
    return {name: domain["domid"] for name, domain in machine.domains().items()}


def test_both_guests_are_in_it(machine):
    """Guards against guests whose calls are not seen, or are seen as another's: each ticker sets its timer and blocks."""
    value = machine.json("trace -t 500")
    assert value["lost"] == value["broken"] == 0
    domids = numbers(machine)
    for name in ("narrow", "wide"):
        calls = {record["call"] for record in value["records"]
                 if record["event"] == "hypercall" and record.get("domid") == domids[name]}
        assert {"vcpu_op.set_singleshot_timer", "sched_op.block"} <= calls, (name, calls)
        assert any(record["event"] == "switch" and record["domid"] == domids[name] for record in value["records"])
    assert {domain["name"]: domain["domid"] for domain in value["domains"]} == domids
    assert value["ns"] >= 495 * 10**6  # the time stamps are made times by a rate that is rounded


def test_time_goes_forward(machine):
    """Guards against records of several CPUs out of order, and returns without a way in."""
    value = machine.json("trace -t 300")
    times = [record["ns"] for record in value["records"]]
    assert times == sorted(times)
    assert {record["cpu"] for record in value["records"]} <= {0, 1}
    entries = [record for record in value["records"] if record["event"] in ("hypercall", "trap", "page-fault")]
    assert entries and sum(record["event"] == "return" for record in value["records"]) >= len(entries) * 0.8


def test_filters(machine):
    """Guards against filters that let something else through."""
    domid = numbers(machine)["wide"]
    lines = machine.command("trace -t 1000 -d wide -e hypercall,switch").splitlines()
    records = [line for line in lines if " cpu" in line]
    assert records
    for line in records:
        assert re.match(r" *\d+\.\d{6} cpu[01] \S+ +(hypercall|switch) ", line), line
        assert f"d{domid}v0" in line, line
    assert re.match(r"\d+ records in \d+\.\d+ ms", lines[-1])


def test_summary_adds_up(machine):
    """Guards against time that is lost or counted twice: two CPUs' time is all there is."""
    rows = machine.json("trace -s -t 500")
    total = sum(row["ns"] for row in rows)
    assert 0.9 * 1000e6 < total < 1.6 * 1000e6
    assert {"narrow", "wide", "Domain-0"} <= {row["name"] for row in rows}
    assert any(row["what"] == "sched_op.block" for row in rows)


def picture(machine, path):
    return xml.fromstring(machine.json(f"cat {path}")["text"])


def test_flame(machine):
    """Guards against a file that is no SVG, and one that leaves a guest out."""
    answer = machine.json("trace --flame -t 500 -o /tmp/flame.svg")
    assert answer["file"] == "/tmp/flame.svg" and answer["records"] > 10
    root = picture(machine, "/tmp/flame.svg")
    titles = [title.text for title in root.iter(SVG + "title")]
    assert any(title.startswith("all CPUs: ") for title in titles)
    assert {"narrow", "wide"} <= {title.split(":")[0] for title in titles}
    folded = machine.command("trace --flame=folded -t 500").splitlines()
    assert any(re.match(r"wide;v0;hypervisor;\S+ \d+$", line) for line in folded), folded


def test_timeline(machine):
    """Guards against a picture without a row for each CPU."""
    machine.command("trace --timeline -t 500 -o /tmp/line.svg")
    root = picture(machine, "/tmp/line.svg")
    texts = [text.text for text in root.iter(SVG + "text")]
    assert {"cpu 0", "cpu 1"} <= set(texts) and "500 ms" in texts
    assert any(text.startswith("narrow ") for text in texts)
    assert len(list(root.iter(SVG + "rect"))) > 10


def windows(data):
    """(cpu, records) of xentrace's file: a record is its event, its TSC and its words."""
    at = 0
    while at < len(data):
        head, cpu, size = struct.unpack_from("<III", data, at)
        assert head == 0x2001F003, "a window begins with the record of its CPU"
        at, end, records = at + 12, at + 12 + size, []
        while at < end:
            head, tsc = struct.unpack_from("<IQ", data, at)
            assert head >> 31, "every record has its time"
            words = struct.unpack_from(f"<{head >> 28 & 7}I", data, at + 12)
            records.append((head & 0xFFFFFFF, tsc, words))
            at += 12 + 4 * len(words)
        assert at == end, "a window ends with a record"
        yield cpu, records


def test_xentrace_file(machine, tmp_path):
    """Guards against a file that Xen's own tools cannot read: windows that do not end where they say, time that jumps."""
    answer = machine.json("trace --xentrace -t 300 -o /tmp/trace")
    data = machine.json("cat /tmp/trace")["text"].encode("latin-1")
    last, count = {}, 0
    for cpu, records in windows(data):
        for _, tsc, _ in records:
            assert tsc >= last.get(cpu, 0)
            last[cpu] = tsc
        count += len(records)
    assert count == answer["records"] and set(last) == {0, 1}
    if shutil.which("xenalyze"):
        (tmp_path / "trace").write_bytes(data)
        said = subprocess.run(["xenalyze", "-s", tmp_path / "trace"], capture_output=True, text=True, check=True).stdout
        assert re.search(r"sched_op +\[29\]: +[1-9]", said) and "|-- Domain 0 --|" in said


def test_errors_name_the_cause(machine):
    """Guards against options that are silently taken for something else."""
    for line, words in (("trace -t 0", "1 to 600000"), ("trace -e nonsense", 'no event "nonsense"'),
                        ("trace -d nobody", "nobody"), ("trace --flame --timeline", "one view"),
                        ("trace -s -e trap", "-e"), ("trace -b 1", "4 to 1024"), ("trace -o /nowhere/x", "/nowhere/x")):
        assert words in machine.json(line)["error"], line
    assert "-o" in machine.json("trace --flame")["error"]
    assert "-o" in machine.json("trace --xentrace")["error"]


def test_nothing_stays(machine):
    """Guards against rings that stay allocated, or mapped, when tracing is over."""
    free = machine.json("info")["free_pages"]
    for line in ("trace -t 50", "trace -t 50 -b 1024 -e lost", "trace -t 20 -d nobody", "trace -t 20 -o /nowhere/x"):
        machine.command(line)
    machine.wait("the pages", lambda: machine.json("info")["free_pages"] >= free)


def test_small_rings_say_what_is_missing(machine):
    """Guards against records that vanish silently: those that found no room are counted, and the way out is named.

    Two guests that wake each other for every few bytes fill the smallest rings many times between two looks of dom0.
    """
    machine.command("create /examples/ring.cfg name=talker")
    machine.command("create /examples/ring-peer.cfg name=listener 'extra=\"bytes=2000000000\"'")
    machine.wait("the first bytes", lambda: "mapped page reference" in machine.command("log talker"))
    for milliseconds in (400, 2000, 10000):  # a busy machine does little in the first
        text = machine.command(f"trace -s -b 4 -t {milliseconds}")
        if "were lost" in text:
            break
    machine.command("destroy talker")
    machine.command("destroy listener")
    assert re.search(r"note: \d+ more were lost: the rings were full; -b 16 makes larger ones", text), text[-500:]
