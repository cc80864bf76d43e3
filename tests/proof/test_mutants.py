"""The table of what is broken on purpose fits the code and the tests; `make mutants` tries it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.proof.mutants.breaks import BREAKS
from tests.proof.mutants.breaks.table import Break, missing
from tests.proof.mutants.copied import REPOSITORY, copied
from tests.proof.mutants.run import Breaks, trial

LEAST = {**{f"S{number}": 4 for number in range(1, 15)}, "order": 12}


def test_every_break_is_one_and_compiles() -> None:
    stale = []
    for every in BREAKS.values():
        for each in every:
            try:
                each.broken((REPOSITORY / each.path).read_text())
            except ValueError as error:
                stale.append(f"{each.name}: {error}")
    assert stale == []


def test_every_rule_is_broken_often_enough() -> None:
    assert {rule: len(BREAKS[rule]) >= least for rule, least in LEAST.items()} == dict.fromkeys(
        BREAKS, True
    )
    names = Counter(each.name for every in BREAKS.values() for each in every)
    assert [name for name, times in names.items() if times > 1] == []


def test_every_named_test_is_there() -> None:
    named = {test for every in BREAKS.values() for each in every for test in each.tests}
    assert [test for test in sorted(named) if missing(test, REPOSITORY)] == []


@pytest.mark.proof
def test_a_break_is_caught_and_what_changes_nothing_survives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a copy of its own, whatever ``PYTHONPATH`` says: our source stays as it is."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "src"))
    tests = ("core/test_gate.py",)
    breaks: Breaks = {
        "S8": (
            Break("nothing changes", "core/gate.py", "EQUAL = 1e-6", "EQUAL = 0.000001", tests),
            Break("all is equal", "core/gate.py", "EQUAL = 1e-6", "EQUAL = 1e6", tests),
        )
    }
    with copied() as copy:
        tried = [*trial([copy], breaks)]
    assert [each.caught for each in tried] == [False, True]
    assert tried[1].by.startswith("core/test_gate.py::")
