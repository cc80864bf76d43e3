"""Every model once, whatever copies there are of it, and where it comes from:
study → trial → run → model → milestone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from artifact_janitor.core.jobs import Job
from artifact_janitor.core.milestone import is_chosen
from artifact_janitor.core.model import Kind
from artifact_janitor.core.policy import RUNS

Inode = tuple[int, int]
State = Literal["verified", "changed", "whole", "damaged", "unknown"]
"""Read in full and as its sidecar says, or not; else whether it looks whole from outside."""
Fate = Literal["", "there", "archived", "trash", "gone"]
"""What became of the run that a model comes from; "" where nobody knows of one."""
Stage = Literal["milestone", "published", "run"]
"""How far a model came."""
_STAGES: dict[Kind, Stage] = {"milestone": "milestone", "model": "published"}
_RANK: tuple[Stage, ...] = ("milestone", "published", "run")


@dataclass(frozen=True, slots=True)
class File:
    """A model file. ``time`` is its mtime in nanoseconds; ``whole`` as `modelfile.is_whole` says;
    ``digest`` is "" as long as nobody had to read it; ``told`` what its sidecar says."""

    path: str
    unit: str
    kind: Kind
    inode: Inode
    bytes: int
    time: int
    whole: bool | None
    digest: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stage(self) -> Stage:
        return _STAGES.get(self.kind, "run")

    @property
    def said(self) -> str:
        """The digest that its sidecar has, or ""."""
        said = self.told.get("sha256")
        return said if isinstance(said, str) else ""

    @property
    def state(self) -> State:
        if self.digest and self.said:
            return "verified" if self.said == self.digest else "changed"
        return {True: "whole", False: "damaged", None: "unknown"}[self.whole]  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Around:
    """What else is known: paths of runs and of what became of others, trainings by target, and
    digests of models in archives, by archive."""

    runs: Collection[str] = ()
    archived: Mapping[str, str] = field(default_factory=dict)
    trashed: Collection[str] = ()
    configured: Collection[str] = ()
    jobs: Mapping[str, Job] = field(default_factory=dict)
    stored: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """One content. ``files`` are all that hold it, the one that came furthest first."""

    files: tuple[File, ...]
    model_type: str = ""
    study: str = ""
    trial: int | None = None
    run: str = ""
    fate: Fate = ""
    is_configured: bool = False
    """Whether the journal still knows the configuration of its run."""
    metric: str = ""
    value: float | None = None
    note: str = ""
    archives: tuple[str, ...] = ()
    """The archives that hold it too."""

    @property
    def first(self) -> File:
        return self.files[0]

    @property
    def is_chosen(self) -> bool:
        return any(each.stage == "milestone" and is_chosen(each.told) for each in self.files)

    @property
    def copies(self) -> int:
        """How many there are; hard links are one."""
        return len({each.inode for each in self.files}) + len(self.archives)


def models(files: Iterable[File], around: Around) -> list[Model]:
    """Milestones first, chosen ones above others, then what was published; the newest first."""
    alike: defaultdict[str | Inode, list[File]] = defaultdict(list)
    for each in files:
        alike[each.digest or each.inode].append(each)
    found = [_model(sorted(group, key=_furthest), around) for group in alike.values()]
    return sorted(found, key=lambda each: (not each.is_chosen, *_furthest(each.first)))


def _furthest(each: File) -> tuple[int, int, str]:
    return _RANK.index(each.stage), -each.time, each.path


def _model(files: Sequence[File], around: Around) -> Model:
    every = [*_tellers(files)]
    job = next((around.jobs[each.path] for each in files if each.path in around.jobs), None)
    run = _run(files, every)
    name, value = _metric(every)
    trial = next((each["trial"] for each in every if isinstance(each.get("trial"), int)), None)
    return Model(
        tuple(files),
        _said(every, "model_type") or (job.model_type if job else ""),
        _said(every, "study") or (job.study if job else ""),
        job.trial if job and trial is None else trial,
        run,
        _fate(run, around),
        run in around.configured,
        name,
        value,
        _said(every, "note"),
        _archived(files, around),
    )


def _archived(files: Iterable[File], around: Around) -> tuple[str, ...]:
    """By the digest; of what nobody had to read, by that in its sidecar."""
    digests = {each.digest or each.said for each in files}
    return tuple(name for name, digest in around.stored.items() if digest in digests)


def _tellers(files: Iterable[File]) -> Iterator[Mapping[str, Any]]:
    """What is told of the very bytes, and not of what was there before."""
    return (each.told for each in files if each.state != "changed")


def _said(every: Iterable[Mapping[str, Any]], key: str) -> str:
    return next((said for each in every if isinstance(said := each.get(key), str) and said), "")


def _run(files: Iterable[File], every: Iterable[Mapping[str, Any]]) -> str:
    """The run that holds a copy, else the one that is told of: people write its path alone."""
    inside = next((each.unit for each in files if each.kind in RUNS), "")
    told = (each.get("run") for each in every)
    paths = (each.get("path") if isinstance(each, Mapping) else each for each in told)
    return inside or next((each for each in paths if isinstance(each, str)), "")


def _fate(run: str, around: Around) -> Fate:
    if not run or run in around.runs:
        return "there" if run else ""
    if run in around.archived:
        return "archived"
    return "trash" if run in around.trashed else "gone"


def _metric(every: Iterable[Mapping[str, Any]]) -> tuple[str, float | None]:
    for each in every:
        said = each.get("metric")
        if isinstance(said, Mapping) and isinstance(said.get("value"), int | float):
            name = said.get("name")
            return name if isinstance(name, str) else "", float(said["value"])
    return "", None
