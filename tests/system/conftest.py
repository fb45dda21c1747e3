# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""One line at the end that the runner adds up, an end to every test, the serial transcript of one that failed."""
import os
import signal

import pytest

from machine import booted

TEST_SECONDS = int(os.environ.get("TEST_SECONDS", "240"))


@pytest.fixture(scope="module", params=[1, 2, 4], ids=["1cpu", "2cpus", "4cpus"])
def host(request):
    with booted(cpus=request.param, memory="1024M") as machine:
        yield machine


@pytest.fixture(scope="module")
def shared_host():
    with booted(cpus=2, memory="1024M") as machine:
        yield machine


@pytest.fixture
def host2(shared_host):
    """The module's machine with 2 CPUs; the guests of a test end with it."""
    yield shared_host
    shared_host.destroy_all()


def out_of_time(signum, frame):
    raise TimeoutError(f"the test took more than {TEST_SECONDS} s")


@pytest.fixture(autouse=True)
def limited_time():
    old = signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


def pytest_terminal_summary(terminalreporter):
    stats = terminalreporter.stats
    failed = len(stats.get("failed", [])) + len(stats.get("error", []))
    terminalreporter.write_line("")
    terminalreporter.write_line(f"{len(stats.get('passed', []))} passed, {failed} failed")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for fixture in item.funcargs.values():
            if hasattr(fixture, "transcript"):
                report.sections.append(("serial line", fixture.text()[-6000:]))
