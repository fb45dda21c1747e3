# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""One line at the end that the runner adds up, and the serial transcript of a test that failed."""
import pytest

from machine import booted


@pytest.fixture(scope="module", params=[1, 2, 4], ids=["1cpu", "2cpus", "4cpus"])
def host(request):
    with booted(cpus=request.param, memory="1024M") as machine:
        yield machine


@pytest.fixture(scope="module")
def host2():
    with booted(cpus=2, memory="1024M") as machine:
        yield machine


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
