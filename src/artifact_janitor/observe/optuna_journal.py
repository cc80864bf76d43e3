"""Optuna's journal file: one operation a line, replayed as Optuna does, and compactly.

Of a trial that is over only its state is kept; of one that runs the lines about it, unparsed,
because all but the best are never asked for. The file is read on from where the last look
ended, as long as it is the same file and did not shrink. It is never locked: a last line
that is not whole yet is left for later.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from io import BufferedReader
from math import isnan
from pathlib import Path

from artifact_janitor.core.study import OVER, Identity, Study, Trial
from artifact_janitor.observe import optuna_values as values
from artifact_janitor.observe.optuna_sql import NoStudies
from artifact_janitor.regular import open_regular
from artifact_janitor.units import DAY, SECOND

(
    CREATE_STUDY,
    DELETE_STUDY,
    STUDY_USER_ATTR,
    STUDY_SYSTEM_ATTR,
    CREATE_TRIAL,
    PARAM,
    STATE,
    INTERMEDIATE,
    USER_ATTR,
    SYSTEM_ATTR,
    DISCARD,
) = range(11)
STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
"""By Optuna's numbers."""

_ABOUT = re.compile(
    rb'\{"op_code": ?(\d{1,3}), ?"worker_id": ?"[^"\\]*", ?"trial_id": ?(\d{1,18})\b'
)
LONGEST_LINE = 16 << 20
"""Bytes; what is longer is no operation of Optuna's."""

Record = dict[str, object]


@dataclass(slots=True)
class _Trial:
    """One that is not over; ``lines`` are what was said about it."""

    study: int
    number: int
    state: str
    started: float | None
    lines: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class _Study:
    name: str
    directions: tuple[str, ...]
    counts: dict[str, int] = field(default_factory=dict)
    trials: int = 0
    last_trial: int = -1
    attrs: dict[str, object] = field(default_factory=dict)
    system: dict[str, object] = field(default_factory=dict)
    bests: list[Trial | None] = field(default_factory=list)
    longest: float = 0.0

    def moves(self, before: str | None, after: str) -> None:
        if before is not None:
            self.counts[before] -= 1
            if not self.counts[before]:
                del self.counts[before]
        self.counts[after] = self.counts.get(after, 0) + 1


class Replay:
    """What a journal says up to ``offset``; `read_on` takes in what came since."""

    def __init__(self) -> None:
        self.offset = 0
        self._file: tuple[int, int] | None = None
        self._end = b""
        """The last line that was taken in: it must still be there."""
        self._written = 0
        self._studies: dict[int, _Study] = {}
        self._next_study = 0
        self._next_trial = 0
        self._open: dict[int, _Trial] = {}

    def read_on(self, path: Path) -> None:
        """Raises OSError, and NoStudies where a line makes no sense."""
        with os.fdopen(open_regular(path), "rb") as file:
            status = os.fstat(file.fileno())
            if not self._is_same(file, status):
                self.__init__()  # type: ignore[misc]
            self._file, self._written = (status.st_dev, status.st_ino), status.st_mtime_ns
            file.seek(self.offset)
            while (line := file.readline(LONGEST_LINE)).endswith(b"\n"):
                self._take(line)
                self.offset, self._end = self.offset + len(line), line
            if len(line) == LONGEST_LINE:
                raise _damaged(self.offset)

    def _is_same(self, file: BufferedReader, status: os.stat_result) -> bool:
        """Whether what was read before still stands at its place."""
        if self._file != (status.st_dev, status.st_ino) or status.st_size < self.offset:
            return False
        file.seek(self.offset - len(self._end))
        return file.read(len(self._end)) == self._end

    def studies(self, path: str) -> list[Study]:
        return [self._told(number, each, path) for number, each in self._studies.items()]

    def _told(self, number: int, study: _Study, path: str) -> Study:
        device, inode = self._file or (0, 0)
        return Study(
            path=path,
            identity=Identity(device, inode, number, study.name),
            directions=study.directions,
            counts={**study.counts},
            last_trial=study.last_trial,
            attrs={**study.attrs},
            written=self._written,
            bests=tuple(study.bests),
            metrics=values.names(study.system.get("study:metric_names")),
            silent=study.counts.get("RUNNING", 0),
            longest=int(min(study.longest, 7 * DAY / SECOND) * SECOND),
            is_journal=True,
        )

    # ------------------------------------------------------------ one line

    def _take(self, line: bytes) -> None:
        """Most lines are about a trial, and are only put aside."""
        about = _ABOUT.match(line)
        if about and int(about[1]) in (PARAM, INTERMEDIATE, USER_ATTR, SYSTEM_ATTR):
            trial = self._open.get(int(about[2]))
            if trial and int(about[1]) != INTERMEDIATE:
                trial.lines.append(line)
            return
        try:
            self._apply(_record(line))
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise _damaged(self.offset) from error

    def _apply(self, record: Record) -> None:
        match record["op_code"]:
            case 0:
                self._create_study(record)
            case 1:
                self._studies.pop(_whole(record, "study_id"), None)
            case 2 | 3 as operation:
                if study := self._studies.get(_whole(record, "study_id")):
                    is_user = operation == STUDY_USER_ATTR
                    given = record["user_attr" if is_user else "system_attr"]
                    (study.attrs if is_user else study.system).update(_table(given))
            case 4:
                self._create_trial(record)
            case 6:
                self._set_state(record)
            case 5 | 7 | 8 | 9 | 10:
                pass  # put aside before, or about no trial that is open
            case _:
                raise ValueError("an unknown operation")

    def _create_study(self, record: Record) -> None:
        name = record["study_name"]
        if not isinstance(name, str):
            raise TypeError("a name")
        if name in {each.name for each in self._studies.values()}:
            return
        listed = record["directions"]
        found = values.directions(listed if isinstance(listed, list) else ())
        study = _Study(name, found, bests=[None] * len(found))
        self._studies[self._next_study] = study
        self._next_study += 1

    def _create_trial(self, record: Record) -> None:
        """``add_trial`` and ``enqueue_trial`` give all of a trial at once."""
        study_id = _whole(record, "study_id")
        study = self._studies.get(study_id)
        if study is None:
            return
        state = STATES[_whole(record, "state") if "state" in record else 0]
        started = _moment(record.get("datetime_start"))
        trial = _Trial(study_id, study.trials, state, started, [json.dumps(record).encode()])
        trial_id, self._next_trial = self._next_trial, self._next_trial + 1
        study.trials, study.last_trial = study.trials + 1, trial_id
        study.moves(None, state)
        if state not in OVER:
            self._open[trial_id] = trial
        elif state == "COMPLETE":
            listed = record.get("values")
            found = listed if listed is not None else [record.get("value")]
            self._complete(study, trial_id, trial, found)

    def _set_state(self, record: Record) -> None:
        trial_id = _whole(record, "trial_id")
        trial, state = self._open.get(trial_id), STATES[_whole(record, "state")]
        if trial is None or (state == trial.state == "RUNNING"):
            return
        study = self._studies.get(trial.study)
        if study is None:
            del self._open[trial_id]
            return
        study.moves(trial.state, state)
        trial.state = state
        if state == "RUNNING":
            trial.started = _moment(record.get("datetime_start"))
        if state in OVER:
            del self._open[trial_id]
            ended = _moment(record.get("datetime_complete"))
            if ended is not None and trial.started is not None:
                study.longest = max(study.longest, ended - trial.started)
        if state == "COMPLETE":
            self._complete(study, trial_id, trial, record["values"])

    def _complete(self, study: _Study, trial_id: int, trial: _Trial, listed: object) -> None:
        """Keep it where it is the best by any objective."""
        if not isinstance(listed, list):
            raise TypeError("values")
        found = tuple(float(each) for each in listed)
        better = [
            place
            for place, direction in enumerate(study.directions)
            if _is_better(found[place], trial.number, study.bests[place], place, direction)
        ]
        if not better:
            return
        whole = _Whole.of(trial.lines)
        if values.is_feasible(whole.system):
            best = Trial(trial.number, trial_id, found, whole.params, whole.user)
            for place in better:
                study.bests[place] = best


def _is_better(value: float, number: int, best: Trial | None, place: int, direction: str) -> bool:
    """Trials end in any order: among equals the lowest number is the best."""
    if isnan(value):
        return False
    if best is None:
        return True
    before = best.values[place]
    if value == before:
        return number < best.number
    return (value > before) == (direction == "maximize")


@dataclass
class _Whole:
    """A trial's lines, read."""

    params: dict[str, object] = field(default_factory=dict)
    user: dict[str, object] = field(default_factory=dict)
    system: dict[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: list[bytes]) -> _Whole:
        whole = cls()
        for line in lines:
            whole._add(_record(line))
        return whole

    def _add(self, record: Record) -> None:
        match record["op_code"]:
            case 4:
                shapes = _table(record.get("distributions", {}))
                for name, value in _table(record.get("params", {})).items():
                    self.params[name] = _param(value, shapes[name])
                self.user.update(_table(record.get("user_attrs", {})))
                self.system.update(_table(record.get("system_attrs", {})))
            case 5:
                name = str(record["param_name"])
                value = record["param_value_internal"]
                self.params[name] = _param(value, record["distribution"])
            case 8:
                self.user.update(_table(record["user_attr"]))
            case 9:
                self.system.update(_table(record["system_attr"]))


def _param(value: object, distribution: object) -> object:
    if not isinstance(value, int | float) or not isinstance(distribution, str):
        raise TypeError("a parameter")
    return values.param(value, values.parsed(distribution))


def _record(line: bytes) -> Record:
    return _table(values.parsed(line.decode("utf-8", "surrogateescape")))


def _table(given: object) -> dict[str, object]:
    if not isinstance(given, dict):
        raise TypeError("a table")
    return given


def _whole(record: Record, key: str) -> int:
    value = record[key]
    if not isinstance(value, int) or value < 0:
        raise TypeError(key)
    return value


def _moment(said: object) -> float | None:
    """Only to be subtracted from another one of the same trial."""
    if not isinstance(said, str):
        return None
    try:
        return datetime.fromisoformat(said).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _damaged(offset: int) -> NoStudies:
    return NoStudies("damaged", f"the line at byte {offset} is no operation of Optuna's")
