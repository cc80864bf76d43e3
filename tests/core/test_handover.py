"""Which model is trained next, which is published, and what is only said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.core.handover import Handover, Said, handover
from artifact_janitor.core.jobs import (
    ATTEMPTS,
    Job,
    JobState,
    Publication,
    Training,
    Wanted,
    token_of,
)
from artifact_janitor.core.trainer import Retrain
from artifact_janitor.units import DAY, HOUR, MINUTE

NOW = 1_800_000_000 * 10**9
ROW = Retrain(command=("train", "{request}", "{out}"), max_age=7 * DAY)
WANTED = Wanted(
    "hpo_studies/eurusd.db",
    "eurusd_lstm",
    "lstm",
    "models/hpo_derived/eurusd/final_model_lstm.pth",
    "key",
    143,
    0.713,
    is_finished=True,
    why="200 of 200 trials are finished",
    since=NOW - HOUR,
    first_seen=NOW - DAY,
    row=ROW,
)


def job(state: JobState = "submitted", live: str = "", **how: object) -> Job:
    """The first attempt at what is wanted."""
    found = Job(
        id=1,
        key="key",
        attempt=1,
        token=token_of("key", 1),
        path=WANTED.path,
        study=WANTED.study,
        model_type="lstm",
        target=WANTED.target,
        mode="refit",
        trial=143,
        value=0.713,
        by_person=False,
        state=state,
        submitted=NOW - HOUR,
        live=live,
    )
    return replace(found, **how)  # type: ignore[arg-type]


def failures(count: int, **how: object) -> list[Job]:
    return [job("failed", why="exit 1", id=n, attempt=n, **how) for n in range(1, count + 1)]


def decide(*jobs: Job, wanted: Wanted = WANTED, published: Sequence[str] = ()) -> Handover:
    return handover([wanted], jobs, {*published}, NOW)


def trained(found: Handover) -> list[Training]:
    return [step.handover for step in found.steps if isinstance(step.handover, Training)]


def published(found: Handover) -> list[Job]:
    return [step.handover.job for step in found.steps if isinstance(step.handover, Publication)]


def said(found: Handover) -> Said:
    assert found.steps == ()
    (only,) = found.said
    return only


def test_a_finished_study_is_trained() -> None:
    found = decide()
    (step,) = found.steps
    assert (step.do, step.path, step.artifact.kind) == ("retrain", WANTED.path, "study")
    assert step.reasons == (
        "200 of 200 trials are finished",
        "trial 143 is best, with 0.713: refit",
    )
    assert step.leaving == ()
    assert trained(found) == [Training(WANTED, "refit", 1)]


@pytest.mark.parametrize(
    "jobs",
    [
        [job("intended")],
        [job("submitted", "RUNNING")],
        [job("submitted", "UNKNOWN")],
        [job("published")],
        [job("rejected")],
        [job("undone")],
        [job("cancelled")],
        failures(ATTEMPTS),
        [job("failed", next_try=NOW + 1)],
        [job("later", next_try=NOW + 1)],
    ],
    ids=lambda jobs: jobs[-1].state + jobs[-1].live,
)
def test_a_key_that_is_not_trained_again(jobs: list[Job]) -> None:
    assert trained(decide(*jobs)) == []


@pytest.mark.parametrize(
    "jobs",
    [
        [job("superseded")],
        [job("failed", next_try=NOW)],
        [job("lost", next_try=NOW)],
        [job("later", next_try=NOW)],
        [*failures(ATTEMPTS), job("later", id=9, attempt=9, by_person=True, next_try=NOW)],
    ],
    ids=lambda jobs: jobs[-1].state,
)
def test_a_key_that_is_trained_again(jobs: list[Job]) -> None:
    (found,) = trained(decide(*jobs))
    assert found.attempt == jobs[-1].attempt + 1


@pytest.mark.parametrize("state", ["rejected", "undone", "cancelled", "published", "failed"])
def test_a_person_may_ask_for_anything_again(state: JobState) -> None:
    """Also for what is old, in its place, or not even finished."""
    asked = replace(WANTED, by_person=True, is_finished=False, since=0)
    (found,) = trained(decide(*failures(3), job(state, id=4, attempt=4), wanted=asked))
    assert found.attempt == 5
    assert trained(decide(wanted=asked, published=["key"])) != []
    assert trained(decide(job("submitted", "RUNNING"), wanted=asked)) == []


def test_what_is_in_its_place_or_not_finished_is_nothing_to_speak_of() -> None:
    for found in (
        decide(published=["key"]),
        decide(wanted=replace(WANTED, is_finished=False)),
    ):
        assert (found.steps, found.said) == ((), ())


def test_what_becomes_of_a_job_that_is_over() -> None:
    for live, state, rest in (
        ("FAILED", "failed", MINUTE),
        ("LOST", "lost", MINUTE),
        ("GONE", "lost", MINUTE),
        ("LATER", "later", 5 * MINUTE),
        ("CANCELLED", "cancelled", 0),
    ):
        found = decide(job(live=live, live_why="because"))
        (settled,) = found.settled
        assert (settled.state, settled.why) == (state, "because")
        assert settled.next_try == (NOW + rest if rest else 0)
        assert trained(found) == []


def test_it_waits_longer_each_time() -> None:
    before = failures(2)
    (settled,) = decide(*before, job(live="FAILED", id=3)).settled
    assert settled.next_try == NOW + 10 * MINUTE
    asked = [job("later", id=n) for n in range(1, 6)]
    (settled,) = decide(*asked, job(live="LATER", id=6)).settled
    assert settled.next_try == NOW + HOUR


def test_a_trainer_that_asks_for_it_is_never_given_up() -> None:
    asked = [job("later", id=n, attempt=n, next_try=NOW) for n in range(1, 9)]
    assert trained(decide(*asked)) != []
    assert trained(decide(*failures(2), *asked)) != []


def test_three_failures_ask_a_person() -> None:
    text = said(decide(*failures(3)))
    assert text.is_question
    assert "failed 3 times, the last time: exit 1" in text.text
    assert text.hint == "janitor retrain eurusd/lstm"


def test_a_job_that_is_done_is_published_with_both_numbers() -> None:
    found = decide(job(live="SUCCEEDED", metric=0.6789))
    (step,) = found.steps
    assert (step.do, step.path, step.artifact.kind) == ("publish", WANTED.target, "model")
    assert step.reasons == ("trained anew reached 0.6789; trial 143 had 0.713",)
    assert published(found) == [job(live="SUCCEEDED", metric=0.6789)]
    assert found.settled == ()


@pytest.mark.parametrize("live", ["", "PENDING", "RUNNING", "UNKNOWN", "FAILED", "LATER", "LOST"])
def test_a_job_that_is_not_done_is_not_published(live: str) -> None:
    assert published(decide(job(live=live))) == []
    assert published(decide(job("rejected", "SUCCEEDED"))) == []


def test_nobody_wants_a_job_whose_study_has_a_better_trial() -> None:
    """Whether it runs or is done; a study that is not finished yet takes it back as well."""
    better = replace(WANTED, key="better", trial=150, value=0.72)
    for live in ("RUNNING", "SUCCEEDED", "PENDING"):
        for finished in (True, False):
            found = decide(job(live=live), wanted=replace(better, is_finished=finished))
            (settled,) = found.settled
            assert settled.state == "superseded"
            assert settled.why == "trial 150 (0.72) came before trial 143 (0.713)"
            assert published(found) == []
            waits = live == "RUNNING" or not finished
            assert [each.wanted.key for each in trained(found)] == ([] if waits else ["better"])


def test_a_study_that_is_gone_takes_nothing_back() -> None:
    found = handover([], [job(live="SUCCEEDED")], set(), NOW)
    assert len(published(found)) == 1


def test_first_start_on_an_old_project() -> None:
    """What counts is how old it was when it was first seen, not how old it is now."""
    old = replace(WANTED, first_seen=NOW - 90 * DAY, since=NOW - 98 * DAY)
    text = said(decide(wanted=old))
    assert "finished 8 days before the janitor first saw it (max_age 7 days)" in text.text
    assert not text.is_question
    young = replace(old, since=NOW - 97 * DAY)
    assert trained(decide(wanted=young)) != []
    assert trained(decide(job("published", key="before"), wanted=old)) != []


def test_so_many_at_once() -> None:
    others = [replace(WANTED, key=f"key {n}", study=f"s{n}", since=NOW - n) for n in range(4)]
    running = job(key="elsewhere", path="x", live="RUNNING")
    two = [replace(each, row=replace(ROW, parallel=2)) for each in others]
    found = handover(two, [running], set(), NOW)
    assert [each.wanted.key for each in trained(found)] == ["key 3"]
    assert {each.text for each in found.said} == {"waits: 2 trainings are running (parallel = 2)"}
    ended = job("superseded", key="elsewhere", path="x", live="RUNNING")
    assert trained(handover(others, [ended], set(), NOW)) == []


def test_what_is_adopted_takes_no_place() -> None:
    adopts = replace(WANTED, adopts="/w/model.pth")
    running = job(key="elsewhere", path="x", live="RUNNING")
    assert [each.mode for each in trained(decide(running, wanted=adopts))] == ["adopt"]


@pytest.mark.parametrize(
    ("mode", "adopts", "has_seed", "found"),
    [
        ("auto", "/w/m.pth", True, "adopt"),
        ("auto", "", True, "replay"),
        ("auto", "", False, "refit"),
        ("adopt", "/w/m.pth", False, "adopt"),
        ("adopt", "", True, "names no model file (janitor:model)"),
        ("replay", "/w/m.pth", True, "replay"),
        ("replay", "/w/m.pth", False, "recorded no seed (janitor:seed or seed)"),
        ("refit", "/w/m.pth", True, "refit"),
    ],
)
def test_modes(mode: str, adopts: str, has_seed: bool, found: str) -> None:
    row = replace(ROW, mode=mode)
    decided = decide(wanted=replace(WANTED, row=row, adopts=adopts, has_seed=has_seed))
    if " " in found:
        assert said(decided).is_question
        assert found in said(decided).text
    else:
        assert [each.mode for each in trained(decided)] == [found]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (replace(WANTED, question="what kind of model is it?"), "what kind of model is it?"),
        (replace(WANTED, row=None, by_person=True), "no [[retrain]] in config.toml governs it"),
        (replace(WANTED, row=Retrain(studies="eur*")), 'studies = "eur*" names neither command'),
    ],
)
def test_questions(wanted: Wanted, text: str) -> None:
    answer = said(decide(wanted=wanted))
    assert answer.is_question
    assert text in answer.text


def test_a_study_that_nothing_governs_is_not_spoken_of() -> None:
    found = decide(wanted=replace(WANTED, row=None, question="which?"))
    assert (found.steps, found.said) == ((), ())


def test_a_model_that_is_adopted_needs_no_trainer() -> None:
    assert trained(decide(wanted=replace(WANTED, row=Retrain(), adopts="/w/m.pth"))) != []


def test_a_job_that_never_began_is_begun_again() -> None:
    """Also where it takes the only place itself."""
    (found,) = trained(decide(job(live="PENDING", attempt=2)))
    assert (found.attempt, found.job) == (2, job(live="PENDING", attempt=2))


def test_two_studies_with_one_key_are_one_model() -> None:
    copy = replace(WANTED, path="hpo_studies/backup.db")
    wide = [replace(each, row=replace(ROW, parallel=9)) for each in (WANTED, copy)]
    assert len(trained(handover(wide, [], set(), NOW))) == 1


STATES: tuple[JobState, ...] = get_args(JobState)
JOBS = st.lists(
    st.tuples(
        st.sampled_from(STATES),
        st.sampled_from(["", "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "LATER", "LOST", "GONE"]),
        st.sampled_from(["key", "other"]),
        st.booleans(),
        st.sampled_from([0, NOW + 1]),
    ),
    max_size=8,
)


@given(JOBS, st.booleans(), st.booleans())
def test_whatever_happened_before(
    rows: list[tuple[JobState, str, str, bool, int]], finished: bool, in_place: bool
) -> None:
    """Never two at one key; never a fourth try, nor one that a person must ask for; and what is
    decided twice is decided alike."""
    jobs = [
        job(state, live, id=n, attempt=n, key=key, by_person=by_person, next_try=then)
        for n, (state, live, key, by_person, then) in enumerate(rows, 1)
    ]
    wanted = replace(WANTED, is_finished=finished)
    place = {"key"} if in_place else set()
    found = handover([wanted], jobs, place, NOW)
    assert found == handover([wanted], jobs, place, NOW)
    mine = [each for each in found.jobs if each.key == "key"]
    fresh = [each for each in trained(found) if each.job is None]
    if fresh:
        assert finished
        assert not in_place
        assert not mine or not mine[-1].is_active
        assert not mine or mine[-1].state in ("failed", "lost", "later", "superseded")
        assert fresh[0].attempt > max((each.attempt for each in mine), default=0)
    for each in published(found):
        assert (each.live, each.state, each.key) == ("SUCCEEDED", "submitted", "key") or (
            each.state == "intended"
        )
    turned = [each.job.id for each in found.settled]
    assert len(turned) == len({*turned})
    assert all(each.job.is_active for each in found.settled)
