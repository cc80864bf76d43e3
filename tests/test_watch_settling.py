"""When a change is told of: after quiet, or when it was restless for too long."""

from __future__ import annotations

import pytest

from artifact_janitor.watch.settling import Settling, together

INFINITE = float("inf")


@pytest.fixture
def settling() -> Settling:
    return Settling(settle=0.5, at_most=5.0)


def test_what_was_just_written_waits(settling: Settling) -> None:
    settling.changed("run", now=10.0)
    assert settling.due() == pytest.approx(10.5)
    assert settling.ripe(10.4) == frozenset()
    assert settling.ripe(10.6) == {"run"}
    assert settling.ripe(99.0) == frozenset()
    assert settling.due() == INFINITE


def test_what_was_written_a_while_ago_waits_no_more(settling: Settling) -> None:
    """A look comes half a second after the event; nothing was written since."""
    settling.changed("run", now=10.0, age=0.3)
    settling.changed("moved in", now=10.0, age=1e6)
    assert settling.ripe(10.05) == {"moved in"}
    assert settling.ripe(10.25) == {"run"}


def test_times_in_the_future_wait_no_longer_than_others(settling: Settling) -> None:
    settling.changed("run", now=10.0, age=-1e6)
    assert settling.ripe(10.6) == {"run"}


def test_whatever_is_restless_is_told_of_in_the_end(settling: Settling) -> None:
    now = 10.0
    while now < 14.95:
        settling.changed("run", now)
        settling.restless("run", now + 0.2)
        assert settling.ripe(now) == frozenset()
        now += 0.3
    assert settling.ripe(15.0) == {"run"}


def test_restless_counts_only_where_something_is_to_be_told(settling: Settling) -> None:
    settling.restless("run", now=10.0)
    assert settling.due() == INFINITE


def test_folders_settle_each_for_itself(settling: Settling) -> None:
    settling.changed("live", now=10.0)
    settling.changed("done", now=10.0)
    settling.restless("live", now=10.4)
    assert settling.ripe(10.6) == {"done"}
    assert settling.ripe(11.0) == {"live"}


def test_what_was_told_in_vain_is_told_again(settling: Settling) -> None:
    settling.later(["run"], now=10.0)
    assert settling.ripe(14.9) == frozenset()
    assert settling.due() == 15.0
    assert settling.ripe(15.0) == {"run"}


def test_take_takes_all(settling: Settling) -> None:
    settling.changed("run", now=10.0)
    assert settling.take() == {"run"}
    assert (settling.take(), settling.due()) == (frozenset(), INFINITE)


def test_dues_come_together() -> None:
    assert len({together(10.01 + step / 100) for step in range(9)}) == 1
    assert together(10.01) >= 10.01
