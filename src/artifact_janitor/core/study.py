"""What is known of an Optuna study, and what follows from it: is it finished, and which
trial is its best? Optuna itself has no such state.

Facts come from `observe.optuna_sql` or `observe.optuna_journal`, what earlier looks saw from
our own journal. Optuna's times are never asked how long ago something was: they are local in
one version and UTC in another. Only a heartbeat is UTC in all of them, and a trial's length,
the difference of two, may make us wait longer. Times and durations are nanoseconds.

The whole interface for those who act on a study: ``judge(study, earlier, rules, asked)`` gives
a `Standing`; with ``standing.state == FINISHED`` its ``best`` is the trial to train again, and
``key(…)`` names the model that comes of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, NamedTuple

from artifact_janitor.units import HOUR, MINUTE, SECOND, format_duration

State = Literal["unreadable", "empty", "active", "settling", "incomplete", "finished"]
UNREADABLE: State = "unreadable"
EMPTY: State = "empty"
ACTIVE: State = "active"
SETTLING: State = "settling"
INCOMPLETE: State = "incomplete"
FINISHED: State = "finished"

MARKER = "janitor:finished"
"""User attribute of a study: how many trials were finished when its author said it was."""
TARGET = "janitor:target"
"""User attribute of a study: how many trials shall be finished."""
MODEL_TYPE = "model_type"
"""User attribute of a study: what kind of model its trials trained."""
OVER = ("COMPLETE", "PRUNED", "FAIL")
"""The states of a trial that is finished, as Optuna names them."""

MOMENT = SECOND
"""How long nothing may happen before a target that is met finishes a study."""
BEAT = 2 * MINUTE
"""How old a heartbeat may be at least; Optuna's own default is twice its interval."""
HELD_BEAT = HOUR
"""The same where somebody has the file open: an interval may be long."""
PATIENCE = 3
"""A trial that nobody holds counts as running for so many times the quiet time, and for so
many times the longest of the trials before it, from the last write on."""


class Identity(NamedTuple):
    """Which study this is, whatever is copied over its file or deleted and made anew."""

    device: int
    inode: int
    study_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A complete and feasible trial. `params` are its own set only, a tuple being a list;
    ``values`` has one for each objective, and may hold infinities."""

    number: int
    trial_id: int
    values: tuple[float, ...]
    params: Mapping[str, object]
    user_attrs: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A study at one moment. `path` is that of its file, relative to the workspace."""

    path: str
    identity: Identity
    directions: tuple[str, ...]
    """ "minimize" or "maximize", one for each objective."""
    counts: Mapping[str, int]
    """Trials by Optuna's name of their state."""
    last_trial: int
    """The largest trial id, -1 without any."""
    attrs: Mapping[str, object]
    """User attributes."""
    written: int
    """mtime of the newest of the file, its ``-wal`` and its ``-journal``."""
    bests: tuple[Trial | None, ...] = ()
    """The best feasible trial by each objective: the lowest number among equals."""
    metrics: tuple[str, ...] = ()
    """Names of the objectives, where the study has them."""
    heartbeat: int | None = None
    """The newest of the running trials'."""
    silent: int = 0
    """Running trials without a heartbeat."""
    longest: int = 0
    """The longest of the last trials that ended."""
    holder: str = ""
    """Which process has the file open for writing; "" where none does."""
    results: str = ""
    """The ``optimization_results.yaml`` that Hydra's sweeper wrote when it was done."""
    results_at: int = 0
    """mtime of that."""
    is_journal: bool = False

    @property
    def name(self) -> str:
        return self.identity.name

    @property
    def over(self) -> int:
        """Trials that are finished."""
        return sum(self.counts.get(state, 0) for state in OVER)

    @property
    def target(self) -> int | None:
        return _count(self.attrs.get(TARGET))

    @property
    def asks_for_holder(self) -> bool:
        """Whether it matters who has its file open. A journal is opened anew for each line."""
        unmet = self.target is not None and self.over < self.target
        running = self.counts.get("RUNNING", 0) + self.counts.get("WAITING", 0)
        return not self.is_journal and (unmet or running > 0)

    @property
    def fingerprint(self) -> str:
        """Another one whenever a trial came or ended, or an attribute changed."""
        facts = [sorted(self.counts.items()), self.last_trial, self.attrs]
        return sha256(_canonical(facts)).hexdigest()


@dataclass(frozen=True, slots=True)
class Broken:
    """A file or folder that tells nothing: `kind` is one word for programs, `why` the sentence."""

    path: str
    kind: str
    why: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the last look at a study saw."""

    fingerprint: str
    since: int
    """Nothing happened to the study since then, as far as that look knew."""
    looked: int
    first_seen: int
    """When the janitor first saw this study."""
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What a person decided for a study: a row of ``[[retrain]]``, or the defaults."""

    quiet: int = MINUTE
    idle_completes: bool = True
    objective: int | str | None = None
    """The one that decides in a study with several: its number from 1 on, or its name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """When we ask, and whether the clock can be believed since the last look."""

    now: int
    is_clock_sound: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """How a study stands. `why` says what speaks for it; `question` what a person must decide.

    ``since``: nothing happened to the study since then. ``by`` is "marker", "target",
    "results" or "quiet" where it is finished. ``earlier`` is for our journal to remember.
    """

    study: Study
    state: State
    why: str
    since: int
    earlier: Earlier
    by: str = ""
    best: Trial | None = None
    objective: int = 0
    """Which of the values counts."""
    question: str = ""
    notes: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        return self.best.values[self.objective] if self.best else None


def judge(study: Study, earlier: Earlier | None, rules: Rules, asked: Asked) -> Standing:
    """The state of a study, from what is seen now and what was seen before."""
    since = _since(study, earlier, asked.now)
    quiet = max(asked.now - since, 0) if asked.is_clock_sound else 0
    state, by, why = _state(study, earlier, rules, _Still(since, quiet), asked)
    objective, question = _objective(study, rules)
    best = study.bests[objective] if objective is not None and study.bests else None
    first = earlier.first_seen if earlier else asked.now
    seen = Earlier(study.fingerprint, since, asked.now, first, state == FINISHED)
    notes = tuple(_notes(study, state))
    return Standing(study, state, why, since, seen, by, best, objective or 0, question, notes)


def _since(study: Study, earlier: Earlier | None, now: int) -> int:
    """Since when nothing happened to the study itself. Another study in the same file makes
    the file younger, so what an earlier look saw counts where nothing changed since."""
    if earlier and earlier.fingerprint == study.fingerprint:
        return min(earlier.since, now)
    looked = earlier.looked if earlier else 0
    return study.written if looked <= study.written <= now else now


class _Still(NamedTuple):
    """Nothing happened since then, and how long that is as far as the clock can be believed."""

    since: int
    quiet: int


Verdict = tuple[State, str, str]
"""The state, what finished it, and why."""


def _state(
    study: Study, earlier: Earlier | None, rules: Rules, still: _Still, asked: Asked
) -> Verdict:
    life = _life(study, rules, still.quiet, asked)
    if not any(study.bests):
        return EMPTY, "", "; ".join(filter(None, (_nothing(study), life)))
    if life:
        return ACTIVE, "", life
    if by := _said(study, still):
        return FINISHED, *by
    changed = earlier is not None and earlier.fingerprint != study.fingerprint
    if earlier and earlier.finished and changed and still.quiet < rules.quiet:
        return ACTIVE, "", "it was finished, and goes on"
    return _idle(study, rules, still.quiet)


def _nothing(study: Study) -> str:
    if study.counts.get("COMPLETE"):
        return "no complete trial meets the constraints"
    return "no trial is complete yet"


def _life(study: Study, rules: Rules, quiet: int, asked: Asked) -> str:
    """What shows that somebody is at work, or ""."""
    running, waiting = (study.counts.get(state, 0) for state in ("RUNNING", "WAITING"))
    if running and study.heartbeat is not None:
        age = asked.now - study.heartbeat
        # a heartbeat from the future tells nothing of its age: then it is as old as the study
        grace = max(HELD_BEAT if study.holder else BEAT, rules.quiet)
        if (age if age >= 0 else quiet) <= grace:
            return f"{_trials(running)} running; the last heartbeat was {_ago(age)} ago"
    if study.silent:
        if study.holder:
            return f"{_trials(study.silent)} running; {study.holder}"
        rest = min(quiet, max(asked.now - study.written, 0))
        patience = PATIENCE * max(rules.quiet, study.longest)
        if rest < patience:
            whose = "nobody holds the file" if not study.is_journal else "nobody can be asked"
            told = f"{_trials(study.silent)} marked RUNNING; {whose}"
            return f"{told}, but it was written to {_ago(rest)} ago (at most {_ago(patience)})"
    if waiting and study.holder:
        return f"{_trials(waiting)} waiting; {study.holder}"
    return ""


def _said(study: Study, still: _Still) -> tuple[str, str] | None:
    """What its author, or its sweeper, said: by what it is finished, and why."""
    marked, target = _count(study.attrs.get(MARKER)), study.target
    if marked is not None and marked == study.over:
        return "marker", f"its {MARKER} says so, at {_trials(marked, verb=False)}"
    if target is not None and study.over >= target and still.quiet >= MOMENT:
        return "target", f"{study.over} of {target} trials are finished"
    if study.results and still.since <= study.results_at + MINUTE:
        return "results", f"Hydra's sweeper wrote {study.results}"
    return None


def _idle(study: Study, rules: Rules, quiet: int) -> Verdict:
    """Nothing is said and nobody is at work: the quiet time decides, if it may."""
    target, still = study.target, f"quiet for {_ago(quiet)}"
    unmet = target is not None and study.over < target
    short = f"{study.over} of {target} trials are finished"
    if quiet < rules.quiet:
        return SETTLING, "", f"{still}; it takes {_ago(rules.quiet)}"
    if unmet and study.holder:
        return SETTLING, "", f"{short}; {still}, and {study.holder}"
    if unmet:
        return INCOMPLETE, "", f"{short}; {still}, and nobody holds the file"
    if not rules.idle_completes:
        what = f"neither {MARKER} nor {TARGET} says that it is finished"
        return INCOMPLETE, "", f"{still}; {what}, and idle_completes is off"
    return FINISHED, "quiet", f"{still}; nobody is at work on it"


def _notes(study: Study, state: State) -> list[str]:
    """What a person may want to know beside the state."""
    notes, running = [], study.counts.get("RUNNING", 0)
    if running and state != ACTIVE:
        notes.append(f"{_trials(running)} marked RUNNING, left behind by a killed optimizer")
    marked = _count(study.attrs.get(MARKER))
    if marked is not None and marked != study.over:
        notes.append(f"{MARKER} says {marked}, but {study.over} trials are finished: it is void")
    for name in (MARKER, TARGET):
        if study.attrs.get(name) is not None and _count(study.attrs[name]) is None:
            notes.append(f"{name} is no number of trials: it is not counted")
    return notes


def _objective(study: Study, rules: Rules) -> tuple[int | None, str]:
    """Which value decides, from 0 on, or what a person is asked."""
    count = len(study.directions)
    if count <= 1:
        return 0, ""
    names = study.metrics or tuple(str(number + 1) for number in range(count))
    asked = rules.objective
    if isinstance(asked, int) and 1 <= asked <= count:
        return asked - 1, ""
    if isinstance(asked, str) and names.count(asked) == 1:
        return names.index(asked), ""
    some = ", ".join(names)
    problem = "which of them decides?" if asked is None else f"none of them is {asked!r}"
    return None, f"it has {count} objectives ({some}): {problem} Set objective in [[retrain]]"


def _count(value: object) -> int | None:
    """A number of trials as an attribute gives it."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_number and isinstance(value, int) else None


def _trials(count: int, *, verb: bool = True) -> str:
    text = "1 trial" if count == 1 else f"{count} trials"
    return text + ((" is" if count == 1 else " are") if verb else "")


def _ago(length: int) -> str:
    return format_duration(max(length, 0))


# ---------------------------------------------------------------- the key


def key(study: str, model_type: str, best: Trial, value: float, trainer: str) -> str:
    """One key, one model: another one as soon as anything of it differs. `trainer` is the
    fingerprint of what trains it."""
    facts = [study, model_type, best.number, repr(value), best.params, trainer]
    return sha256(_canonical(facts)).hexdigest()


def _canonical(facts: object) -> bytes:
    """The same bytes for the same facts; infinities as JSON has none."""
    return json.dumps(facts, sort_keys=True, ensure_ascii=True, default=dict).encode()
