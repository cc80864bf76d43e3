"""Counts what was tried, and prints it in the end: points, faults, trials, and what was lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest

Count = Callable[[str, int, Sequence[str]], None]
"""What was tried, how often, and all that was wrong."""


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Count:
    """Write down what a sweep tried, and be red where anything was wrong."""

    def counted(what: str, tried: int, wrong: Sequence[str]) -> None:
        record_property("tried", (what, tried, len(wrong)))
        assert [*wrong] == []

    return counted


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a kind of trial; reports of other processes come with their properties."""
    reports = [
        *terminalreporter.getreports("passed"),
        *terminalreporter.getreports("failed"),
    ]
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for report in reports:
        for name, value in report.user_properties:
            if name == "tried":
                what, tried, wrong = value
                sums[what] = [sums[what][0] + tried, sums[what][1] + wrong]
    if sums:
        terminalreporter.section("what was tried")
    for what, (tried, wrong) in sorted(sums.items()):
        terminalreporter.line(f"{what:<48}{tried:>8,}{wrong:>6,} wrong")
