"""Why a unit must stay although its policy lets it go: S4 to S7 on facts.

Each function answers with the protections that it adds, by path of the unit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain

from artifact_janitor.core.model import (
    Artifact,
    Catalogue,
    Evidence,
    ModelFile,
    Pin,
    is_within,
    upward,
)
from artifact_janitor.core.policy import ARCHIVE, RUNS, Policy
from artifact_janitor.core.retention import (
    LocalTime,
    furthest_first,
    governing,
    in_series,
    misdated,
    moment,
    newest_first,
)

Protections = dict[str, tuple[Evidence, ...]]

STAYS_WHEN_THINNED = "thinned"
"""The fact of S6: it keeps a checkpoint in a run that stays, but not the run itself."""

WORD = "word"
"""The fact that a person says that a W&B run is uploaded."""
UNSYNCED = "unsynced"
"""The fact that nothing proves that a W&B run is uploaded in full: among the protections of a
run it keeps it, among its evidence it may be archived, and never trashed."""


def trusting(
    catalogue: Catalogue, policies: Sequence[Policy], now: int, local: LocalTime
) -> Catalogue:
    """S3: the facts, with a person's word in the place of proof where a policy gives it, and
    what a policy lets archive no longer protected by the want of proof.

    What bears no date that can be believed was not meant.
    """
    if not any(policy.uploaded_before or policy.unsynced == ARCHIVE for policy in policies):
        return catalogue
    artifacts = []
    for artifact in catalogue.artifacts:
        policy = governing(artifact, policies)
        day = policy.uploaded_before if policy and not misdated(artifact, now) else None
        if day and local(artifact.time // 10**9).date() < day:
            artifact = _vouched_for(artifact, f"(uploaded_before {day})")
        if policy and policy.unsynced == ARCHIVE and artifact.kind == "wandb-run":
            artifact = _archivable(artifact)
        artifacts.append(artifact)
    return replace(catalogue, artifacts=tuple(artifacts))


def _archivable(artifact: Artifact) -> Artifact:
    unsynced = tuple(each for each in artifact.protections if each.fact == UNSYNCED)
    others = tuple(each for each in artifact.protections if each.fact != UNSYNCED)
    return replace(artifact, protections=others, evidence=(*artifact.evidence, *unsynced))


def not_to_be_lost(catalogue: Catalogue) -> Protections:
    """S3: what may only be archived: W&B runs without proof of upload whose policy allows so
    much, and the units around them. What it is doesn't let either of them go."""
    found: defaultdict[str, list[Evidence]] = defaultdict(list)
    for artifact in catalogue.artifacts:
        for each in artifact.evidence:
            if each.fact == UNSYNCED:
                found[artifact.path].append(each)
                for around in [*catalogue.up_from(artifact)][1:]:
                    found[around].append(_inside(artifact, each))
    return {path: tuple(evidence) for path, evidence in found.items()}


def _vouched_for(artifact: Artifact, by: str) -> Artifact:
    others = tuple(each for each in artifact.protections if each.fact != UNSYNCED)
    if len(others) == len(artifact.protections):
        return artifact
    word = Evidence(WORD, f"your word that it is uploaded {by}")
    return replace(artifact, protections=others, evidence=(*artifact.evidence, word))


def protections(catalogue: Catalogue) -> Protections:
    """All that protects each unit: its own, its role in its run, pins, and what it holds."""
    own: defaultdict[str, list[Evidence]] = defaultdict(list)
    for artifact in catalogue.artifacts:
        if artifact.protections:
            own[artifact.path] += artifact.protections
    for path, evidence in chain(_pinned(catalogue), _roles(catalogue.artifacts)):
        own[path].append(evidence)
    found = _risen(catalogue, own)
    for path, evidence in _descended(catalogue, found):
        found.setdefault(path, []).append(evidence)
    return {path: tuple(evidence) for path, evidence in found.items() if evidence}


def _pinned(catalogue: Catalogue) -> Iterable[tuple[str, Evidence]]:
    """A pin covers all below it; a pinned path inside a unit holds the unit too (S4), and so
    does a pinned link that would go with it."""
    pins = {pin.path: pin for pin in catalogue.pins}
    for artifact in catalogue.artifacts if pins else ():
        for path in upward(artifact.path):
            if pin := pins.get(path):
                yield artifact.path, Evidence("pinned", _noted("pinned", pin), _way_out(pin))
        for link in artifact.links:
            if pin := pins.get(link):
                why = _noted(f"{link} is pinned, which names it", pin)
                yield artifact.path, Evidence("pinned", why, _way_out(pin))
    for pin in catalogue.pins:
        for path in upward(pin.path):
            if path in catalogue.by_path and path != pin.path:
                yield path, Evidence("pinned", _noted(f"holds {pin.path}, which is pinned", pin))


def _noted(what: str, pin: Pin) -> str:
    return f"{what} ({pin.note})" if pin.note else what


def _way_out(pin: Pin) -> str:
    return f"janitor unpin {pin.path}"


def _roles(artifacts: Iterable[Artifact]) -> Iterable[tuple[str, Evidence]]:
    """S6: of a run that is thinned, best, final, last and the newest valid checkpoint stay."""
    runs: defaultdict[str, list[Artifact]] = defaultdict(list)
    for artifact in artifacts:
        if artifact.kind == "checkpoint":
            runs[artifact.within].append(artifact)
    for checkpoints in runs.values():
        first = {each.path: why for each, why in reversed([*_stays(checkpoints)])}
        yield from ((path, Evidence(STAYS_WHEN_THINNED, why)) for path, why in first.items())


def _stays(checkpoints: list[Artifact]) -> Iterable[tuple[Artifact, str]]:
    """Where all look damaged, it may well be that we can't read them (S7)."""
    if all(each.valid is False for each in checkpoints):
        yield from ((each, "no checkpoint of its run is known to be whole") for each in checkpoints)
    for series in in_series(checkpoints):
        yield from _stays_of_series(series)
    for known in ((True,), (True, None)):
        candidates = [each for each in checkpoints if each.valid in known and not each.role]
        for by in (newest_first, furthest_first):
            for each in _newest_together(candidates, by):
                yield each, "of the newest step of its run of which all files are whole"


def _newest_together(
    checkpoints: list[Artifact], by: Callable[[Iterable[Artifact]], list[Artifact]]
) -> Iterable[Artifact]:
    """Of each folder the newest moment of which as many files are there as of any: the newest
    files of several series don't belong together where one of them is missing or damaged."""
    folders: defaultdict[str, defaultdict[int, dict[str, Artifact]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for each in reversed(newest_first(checkpoints)):
        folder, step = moment(each)
        if step is not None:
            folders[folder][step][each.series] = each
    for moments in folders.values():
        most = max(len(files) for files in moments.values())
        full = [files for files in moments.values() if len(files) == most > 1]
        for first in by(each for files in full for each in files.values())[:1]:
            yield from moments[moment(first)[1] or 0].values()


def _stays_of_series(checkpoints: list[Artifact]) -> Iterable[tuple[Artifact, str]]:
    for each in checkpoints:
        if each.role in ("best", "final"):
            yield each, f"the {each.role} checkpoint of its run"
        elif each.role == "last" and each.valid is not False:
            yield each, "the checkpoint to resume from"
    for known, why in (((True,), "newest valid"), ((True, None), "newest")):
        candidates = [each for each in checkpoints if each.valid in known]
        for order in (newest_first, furthest_first):
            for each in order(candidates)[:1]:
                yield each, f"the {why} checkpoint of its run"


def _risen(
    catalogue: Catalogue, own: defaultdict[str, list[Evidence]]
) -> dict[str, list[Evidence]]:
    """S4: what is protected inside protects the units around it; never the other way."""
    risen = {path: list(dict.fromkeys(found)) for path, found in own.items()}
    for artifact in catalogue.artifacts:
        mine = own.get(artifact.path, ())
        rising = [each for each in mine if each.fact != STAYS_WHEN_THINNED]
        for around in [*catalogue.up_from(artifact)][1:] if rising else ():
            above = [each for each in rising if not is_within(each.source or ".", around)]
            one_each = {each.fact: each for each in reversed(above)}.values()
            risen.setdefault(around, []).extend(_inside(artifact, each) for each in one_each)
    return risen


def _inside(child: Artifact, evidence: Evidence) -> Evidence:
    return Evidence(evidence.fact, f"holds {child.path}: {evidence.why}", evidence.hint)


def _descended(
    catalogue: Catalogue, found: dict[str, list[Evidence]]
) -> list[tuple[str, Evidence]]:
    """Life is the one protection that descends, onto the parts of what lives.

    A program that trains may still load any checkpoint of its run, and a sweep is one
    atomic unit: while any job of it runs, none of its parts goes.
    """
    return [
        (part.path, Evidence("live", f"part of {whole.path}: {evidence.why}", source=whole.path))
        for whole in catalogue.artifacts
        for evidence in found.get(whole.path, ())
        if evidence.fact == "live"
        for part in _parts(catalogue, whole)
    ]


def _parts(catalogue: Catalogue, whole: Artifact) -> Iterable[Artifact]:
    if whole.kind == "hydra-sweep":
        return catalogue.below(whole.path)
    inside = catalogue.children.get(whole.path, ())
    return (each for each in inside if each.kind == "checkpoint")


class Copies:
    """How many copies of each model are left, while units are taken one after the other."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        everywhere = chain(catalogue.published, *(each.models for each in catalogue.artifacts))
        self._left = Counter(file.digest for file in everywhere)
        self._gone: set[str] = set()

    def take(self, artifact: Artifact) -> tuple[Evidence, ...]:
        """Take a unit with all that is in it; where a last copy is among that, take
        nothing, and answer why."""
        inside = _with_all_inside(self._catalogue, artifact)
        units = [each for each in inside if each.path not in self._gone]
        files = [file for unit in units for file in unit.models]
        leaving = Counter(file.digest for file in files)
        for file in files:
            if _is_last(file, self._left, leaving):
                return (_only_copy(artifact, file),)
        self._left -= leaving
        self._gone |= {unit.path for unit in units}
        return ()


def only_copies(copies: Copies, going: Iterable[Artifact]) -> Protections:
    """S6: of the units that would go, those that take the last copy of a model with them: a
    run is archived then, whatever else it is stays.

    Oldest first: of several runs with the same model the newest keeps it.
    """
    in_order = sorted(going, key=lambda each: (each.time, each.path))
    return {each.path: why for each in in_order if (why := copies.take(each))}


def _with_all_inside(catalogue: Catalogue, artifact: Artifact) -> Iterable[Artifact]:
    yield artifact
    yield from catalogue.below(artifact.path)


def _is_last(file: ModelFile, copies: Counter[str | None], leaving: Counter[str | None]) -> bool:
    """Whether no copy would be left; of what nobody looked at (None) nothing is known yet."""
    if file.digest is None:
        return False
    return file.digest == "" or copies[file.digest] <= leaving[file.digest]


def _only_copy(artifact: Artifact, file: ModelFile) -> Evidence:
    name = file.path[len(artifact.path) + 1 :]
    why = f"holds the only copy of its model {name}" if name else "the only copy of this model"
    what = "it" if artifact.kind == "model" else "the run"
    return Evidence("only-copy", why, f"copy {file.path} to best_models/ to let {what} go")


def may_be_archived(artifact: Artifact) -> bool:
    """Whether an archive may hold what must not be lost with this unit: a run is what it was,
    wherever it lies; a published model is not published there."""
    return artifact.kind in RUNS
