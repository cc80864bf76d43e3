"""What is due, and when: hints by scope, for threads that wait for them."""

from __future__ import annotations

import threading

from artifact_janitor.daemon.hints import Hint, Hints, Scope

ALL: tuple[Scope, ...] = ("mend", "retention", "handover")


def taken(hints: Hints, *scopes: Scope) -> list[str]:
    """All that is due at this moment."""
    found = []
    while (hint := hints.take(scopes or ALL, 0)) is not None:
        found.append(hint.scope)
    return found


def test_equal_hints_are_one_and_the_first_scope_goes_first() -> None:
    hints = Hints()
    for why in ("one", "two"):
        hints.give("handover", why)
    hints.give("mend", "start")
    assert hints.take(ALL, 0) == Hint("mend", "start")
    assert hints.take(ALL, 0) == Hint("handover", "one")
    assert taken(hints) == []


def test_each_thread_takes_what_it_sweeps() -> None:
    hints = Hints()
    hints.give("retention", "schedule")
    assert taken(hints, "handover") == []
    assert taken(hints, "mend", "retention") == ["retention"]


def test_what_is_due_later_waits_and_the_sooner_one_counts() -> None:
    hints = Hints()
    hints.give("handover", "it is time", after=3600)
    assert taken(hints) == []
    hints.give("handover", "a file changed")
    hints.give("handover", "it is time", after=3600)
    assert taken(hints) == ["handover"]
    assert taken(hints) == []
    hints.give("handover", "it is time", after=0.01)
    assert hints.take(ALL, 60) == Hint("handover", "it is time")


def test_what_failed_is_tried_again_later_whatever_comes_meanwhile() -> None:
    hints = Hints()
    hint = Hint("retention", "schedule")
    for _ in range(3):
        hints.failed(hint)
    hints.give("retention", "the disk is filling up")
    hints.give("handover", "a file changed")
    assert taken(hints) == ["handover"]
    assert not hints.is_due(["retention"])
    hints.relax()
    assert hints.is_due(["retention"])
    assert taken(hints) == ["retention"]
    hints.failed(hint)
    hints.worked("retention")
    hints.failed(hint)
    assert hints.take(ALL, 60) == hint  # after a second, as at the first time


def test_whoever_waits_is_woken_by_a_hint_and_by_the_end() -> None:
    hints = Hints()
    found: list[Hint | None] = []
    for wake in (lambda: hints.give("mend", "now"), hints.end):
        thread = threading.Thread(target=lambda: found.append(hints.take(ALL, 3600)))
        thread.start()
        wake()
        thread.join(60)
        assert not thread.is_alive()
    assert found == [Hint("mend", "now"), None]


def test_nothing_is_due_in_a_workspace_that_is_gone() -> None:
    hints = Hints()
    hints.give("handover", "a file changed")
    hints.clear()
    assert taken(hints) == []
