"""When a study is finished: every state, from facts and what earlier looks saw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.core.study import (
    ACTIVE,
    BEAT,
    EMPTY,
    FINISHED,
    HELD_BEAT,
    INCOMPLETE,
    MARKER,
    PATIENCE,
    SETTLING,
    TARGET,
    Asked,
    Earlier,
    Identity,
    Rules,
    Standing,
    Study,
    Trial,
    judge,
    key,
)
from artifact_janitor.units import DAY, HOUR, MINUTE, SECOND

NOW = 1_800_000_000 * SECOND
BEST = Trial(3, 4, (0.5,), {"x": 1.0})
RULES = Rules()


def study(quiet: int = HOUR, **facts: Any) -> Study:
    """One that nobody wrote to for so long."""
    given = {
        "path": "hpo_studies/eurusd.db",
        "identity": Identity(1, 2, 3, "eurusd_mlp"),
        "directions": ("maximize",),
        "counts": {"COMPLETE": 10},
        "last_trial": 10,
        "attrs": {},
        "written": NOW - quiet,
        "bests": (BEST,),
    }
    return Study(**{**given, **facts})


def state(
    one: Study,
    earlier: Earlier | None = None,
    rules: Rules = RULES,
    *,
    sound: bool = True,
    now: int = NOW,
) -> tuple[str, str]:
    standing = judge(one, earlier, rules, Asked(now, sound))
    assert standing.why
    assert (standing.by != "") == (standing.state == FINISHED) == standing.earlier.finished
    return standing.state, standing.by


def running(**facts: Any) -> dict[str, Any]:
    return {"counts": {"COMPLETE": 10, "RUNNING": 1}, "silent": 1, **facts}


def attrs(**said: object) -> dict[str, Any]:
    names = {"marker": MARKER, "target": TARGET}
    return {"attrs": {names[name]: value for name, value in said.items()}}


HELD = {"holder": "pid 5 (python) has it open"}
NOBODY: dict[str, Any] = {"counts": {"FAIL": 3}, "bests": ()}
BEATING = running(silent=0, heartbeat=NOW - BEAT)

TABLE: list[tuple[str, Study, tuple[str, str]]] = [
    ("nothing is complete", study(**NOBODY), (EMPTY, "")),
    ("nothing is feasible", study(bests=(None,)), (EMPTY, "")),
    ("marked, but not feasible", study(bests=(None,), **attrs(marker=10)), (EMPTY, "")),
    ("quiet", study(MINUTE), (FINISHED, "quiet")),
    ("not quiet for long enough", study(MINUTE - 1), (SETTLING, "")),
    ("dated in the future", study(-DAY), (SETTLING, "")),
    ("marked", study(0, **attrs(marker=10)), (FINISHED, "marker")),
    ("marked, and went on", study(0, **attrs(marker=9)), (SETTLING, "")),
    ("marked for more than there is", study(0, **attrs(marker=11)), (SETTLING, "")),
    ("marked with a word", study(0, **attrs(marker="10")), (SETTLING, "")),
    ("marked with a switch", study(
        0, counts={"COMPLETE": 1}, **attrs(marker=True)
    ), (SETTLING, "")),
    ("the target is met for a second", study(SECOND, **attrs(target=10)), (FINISHED, "target")),
    ("the target is just met", study(SECOND - 1, **attrs(target=10)), (SETTLING, "")),
    ("the target is passed", study(SECOND, **attrs(target=9)), (FINISHED, "target")),
    ("the target is missed", study(**attrs(target=11)), (INCOMPLETE, "")),
    ("the target is missed, not quiet", study(0, **attrs(target=11)), (SETTLING, "")),
    ("the target is missed, but held", study(**attrs(target=11), **HELD), (SETTLING, "")),
    ("held, as a notebook does", study(**HELD), (FINISHED, "quiet")),
    ("pruned and failed ones count", study(
        SECOND, counts={"COMPLETE": 3, "PRUNED": 4, "FAIL": 3}, **attrs(target=10)
    ), (FINISHED, "target")),
    ("a trial runs, and is held", study(DAY, **running(**HELD)), (ACTIVE, "")),
    ("it is marked, but a trial runs", study(
        0, **running(**HELD, **attrs(marker=10))
    ), (ACTIVE, "")),
    ("a trial runs, and beats", study(**BEATING), (ACTIVE, "")),
    ("a trial stopped beating", study(**{**BEATING, "heartbeat": NOW - BEAT - 1}), (
        FINISHED, "quiet",
    )),
    ("it beats seldom, and is held", study(
        **{**BEATING, "heartbeat": NOW - HELD_BEAT, **HELD}
    ), (ACTIVE, "")),
    ("it stopped, though somebody holds the file", study(
        **{**BEATING, "heartbeat": NOW - HELD_BEAT - 1, **HELD}
    ), (FINISHED, "quiet")),
    ("a heartbeat from the future", study(0, **{**BEATING, "heartbeat": NOW + DAY}), (ACTIVE, "")),
    ("a heartbeat from the future, long ago", study(**{**BEATING, "heartbeat": NOW + DAY}), (
        FINISHED, "quiet",
    )),
    ("a killed trial", study(PATIENCE * MINUTE, **running()), (FINISHED, "quiet")),
    ("maybe a killed trial", study(PATIENCE * MINUTE - 1, **running()), (ACTIVE, "")),
    ("trials take an hour", study(PATIENCE * HOUR - 1, **running(longest=HOUR)), (ACTIVE, "")),
    ("a trial waits, held", study(counts={"COMPLETE": 1, "WAITING": 1}, **HELD), (ACTIVE, "")),
    ("a trial waits for nobody", study(counts={"COMPLETE": 1, "WAITING": 1}), (FINISHED, "quiet")),
    ("the sweeper is done", study(0, results="r.yaml", results_at=NOW), (FINISHED, "results")),
    ("the sweeper was done before", study(
        0, results="r.yaml", results_at=NOW - MINUTE - 1
    ), (SETTLING, "")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "one", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_the_state(what: str, one: Study, expected: tuple[str, str]) -> None:
    assert state(one) == expected


def test_idleness_alone_finishes_nothing_where_a_person_says_so() -> None:
    rules = Rules(idle_completes=False)
    assert state(study(DAY), rules=rules) == (INCOMPLETE, "")
    assert state(study(0, **attrs(marker=10)), rules=rules) == (FINISHED, "marker")
    assert state(study(0), rules=rules) == (SETTLING, "")


def test_a_clock_that_jumped_proves_no_quiet_time() -> None:
    assert state(study(DAY), sound=False) == (SETTLING, "")
    assert state(study(DAY, **running()), sound=False) == (ACTIVE, "")
    assert state(study(DAY, **attrs(target=10)), sound=False) == (SETTLING, "")
    assert state(study(DAY, **attrs(target=11)), sound=False) == (SETTLING, "")
    assert state(study(DAY, **attrs(marker=10)), sound=False) == (FINISHED, "marker")


# ---------------------------------------------------------------- earlier looks


def seen(one: Study, at: int, earlier: Earlier | None = None, **how: Any) -> Standing:
    return judge(one, earlier, Rules(**how), Asked(at))


def test_another_study_in_the_file_makes_it_no_younger() -> None:
    first = seen(study(HOUR), NOW)
    later = seen(replace(study(), written=NOW + HOUR), NOW + HOUR, first.earlier)
    assert later.since == first.since == NOW - HOUR
    assert later.state == FINISHED


def test_what_changed_is_as_old_as_its_file_where_that_can_be() -> None:
    """A janitor that comes by once a night finds what ended in the evening."""
    before = seen(study(**attrs(target=11)), NOW).earlier
    more = study(counts={"COMPLETE": 11}, written=NOW + HOUR, **attrs(target=11))
    night = seen(more, NOW + DAY, before)
    assert (night.state, night.by, night.since) == (FINISHED, "target", NOW + HOUR)
    backdated = replace(more, written=NOW - DAY)
    assert seen(backdated, NOW + DAY, before).since == NOW + DAY
    ahead = replace(more, written=NOW + 2 * DAY)
    assert seen(ahead, NOW + DAY, before).since == NOW + DAY


def test_a_file_dated_in_the_future_is_quiet_since_it_was_first_seen() -> None:
    ahead = study(-DAY)
    first = seen(ahead, NOW)
    assert seen(ahead, NOW + MINUTE, first.earlier).state == FINISHED
    assert seen(ahead, NOW - HOUR, first.earlier).since == NOW - HOUR  # the clock was set back


def test_one_that_goes_on_after_its_end_is_active_again() -> None:
    first = seen(study(), NOW)
    assert first.earlier.finished
    more = study(0, counts={"COMPLETE": 11}, last_trial=11, written=NOW + SECOND)
    again = seen(more, NOW + SECOND, first.earlier)
    assert (again.state, again.by) == (ACTIVE, "")
    assert seen(more, NOW + MINUTE, again.earlier).state == SETTLING
    assert seen(more, NOW + SECOND + MINUTE, again.earlier).state == FINISHED
    assert again.earlier.first_seen == NOW
    marked = replace(more, attrs={MARKER: 11})
    assert seen(marked, NOW + SECOND, first.earlier).by == "marker"


@pytest.mark.parametrize(
    "change",
    [{"counts": {"COMPLETE": 9, "FAIL": 1}}, {"last_trial": 11}, {"attrs": {"note": "new"}}],
)
def test_the_fingerprint_tells_what_happened(change: dict[str, Any]) -> None:
    assert study(**change).fingerprint != study().fingerprint
    assert study(0, **HELD, heartbeat=1).fingerprint == study().fingerprint


COUNTS = st.dictionaries(
    st.sampled_from(["RUNNING", "WAITING", "COMPLETE", "PRUNED", "FAIL"]), st.integers(1, 5)
)
STUDIES = st.builds(
    study,
    quiet=st.sampled_from([0, SECOND, MINUTE, HOUR, -DAY]),
    counts=COUNTS,
    attrs=st.fixed_dictionaries(
        {}, optional={MARKER: st.integers(0, 9), TARGET: st.integers(0, 9)}
    ),
    bests=st.sampled_from([(BEST,), (None,), ()]),
    holder=st.sampled_from(["", "pid 1"]),
    silent=st.integers(0, 2),
    heartbeat=st.sampled_from([None, NOW, NOW - DAY]),
)


@given(STUDIES, st.sampled_from([True, False]))
def test_nothing_is_ever_finished_without_a_reason(one: Study, idle: bool) -> None:
    standing = judge(one, None, Rules(idle_completes=idle), Asked(NOW))
    if standing.state != FINISHED:
        return
    assert standing.best is not None
    live = one.counts.get("RUNNING") and one.heartbeat == NOW
    assert not live
    assert not (one.silent and one.holder)
    if standing.by == "marker":
        assert one.attrs[MARKER] == one.over
    elif standing.by == "target":
        assert one.over >= one.attrs[TARGET]  # type: ignore[operator]
    else:
        assert idle
        assert one.over >= one.attrs.get(TARGET, 0)  # type: ignore[operator]
        assert one.written <= NOW - MINUTE


# ---------------------------------------------------------------- the best, and its key

TWO = {"directions": ("maximize", "minimize"), "metrics": ("f1", "ms")}


@pytest.mark.parametrize(("objective", "place"), [(1, 0), (2, 1), ("f1", 0), ("ms", 1)])
def test_a_person_says_which_objective_decides(objective: int | str, place: int) -> None:
    bests = (Trial(1, 1, (0.9, 5.0), {}), Trial(2, 2, (0.1, 1.0), {}))
    found = seen(study(bests=bests, **TWO), NOW, objective=objective)
    assert (found.best, found.objective, found.question) == (bests[place], place, "")
    assert found.value == bests[place].values[place]


@pytest.mark.parametrize("objective", [None, 3, "loss"])
def test_with_several_objectives_a_person_is_asked(objective: int | str | None) -> None:
    found = seen(study(bests=(BEST, BEST), **TWO), NOW, objective=objective)
    assert found.state == FINISHED
    assert found.best is None
    assert found.question.startswith("it has 2 objectives (f1, ms)")


def test_what_is_odd_is_noted() -> None:
    found = seen(study(**running(), **attrs(marker=7, target="all")), NOW)
    assert len(found.notes) == 3
    assert seen(study(attrs={MARKER: None}), NOW).notes == ()  # taken back by whoever made it


def test_the_key_names_one_model() -> None:
    first = key("s", "mlp", BEST, 0.5, "trainer")
    assert first == key("s", "mlp", replace(BEST, trial_id=99, user_attrs={"a": 1}), 0.5, "trainer")
    others = [
        key("t", "mlp", BEST, 0.5, "trainer"),
        key("s", "tcn", BEST, 0.5, "trainer"),
        key("s", "mlp", replace(BEST, number=2), 0.5, "trainer"),
        key("s", "mlp", BEST, 0.5000000000000001, "trainer"),
        key("s", "mlp", BEST, float("inf"), "trainer"),
        key("s", "mlp", replace(BEST, params={"x": 1}), 0.5, "trainer"),
        key("s", "mlp", replace(BEST, params={"x": float("nan")}), 0.5, "trainer"),
        key("s", "mlp", BEST, 0.5, "another"),
    ]
    assert len({first, *others}) == len(others) + 1
    assert len(first) == 64


def test_the_order_of_parameters_is_no_difference() -> None:
    one, other = ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1})
    keys = {key("s", "m", replace(BEST, params=each), 1.0, "t") for each in (one, other)}
    assert len(keys) == 1
