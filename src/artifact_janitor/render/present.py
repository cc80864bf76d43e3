"""What is so now: the answers of ``why`` and ``status``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.text import Text

from artifact_janitor.config import Settings
from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.model import Artifact, Catalogue, Stored
from artifact_janitor.core.plan import Step
from artifact_janitor.core.room import Room, rooms
from artifact_janitor.core.slimming import SLIM
from artifact_janitor.handing_over import Standing
from artifact_janitor.journal import Archived, Sweep
from artifact_janitor.journal import Step as Done
from artifact_janitor.looking import Look
from artifact_janitor.render import daemon, jobs
from artifact_janitor.render.facts import of_evidence
from artifact_janitor.render.lines import line, table
from artifact_janitor.render.past import of_sweep, sweep_lines
from artifact_janitor.render.room import of_rooms, standing
from artifact_janitor.render.studies import of_studies, status_rows
from artifact_janitor.render.text import View, age
from artifact_janitor.render.words import Row, first_dozen, moment, plural, shown
from artifact_janitor.studying import Studies
from artifact_janitor.units import format_duration, format_size, format_when


@dataclass(frozen=True, slots=True)
class Why:
    """A question about `place`: the units that it means, and what was done to it before."""

    place: str
    units: Sequence[str]
    seen: Look
    past: Sequence[Done]
    ours: bool
    linked: str = ""
    """Where `place` leads, if it is a link and the units are there."""

    @property
    def archives(self) -> tuple[Stored, ...]:
        return self.seen.survey.catalogue.archives


@dataclass(frozen=True, slots=True)
class _Fate:
    """What becomes of one unit."""

    artifact: Artifact
    word: str
    reasons: tuple[str, ...]
    otherwise: tuple[str, ...] = ()


def _fate(why: Why, path: str) -> _Fate:
    plan, units = why.seen.plan, why.seen.survey.catalogue.by_path
    for step in plan.steps:
        if step.do != "purge" and path in (step.path, *(inner.path for inner in step.inside)):
            held = plan.held_back(step)
            more = (f"held back: {held.message}",) if held else ()
            return _going(step, units.get(path, step.artifact), more)
    kept = next(each for each in plan.kept if each.artifact.path == path)
    return _Fate(units.get(path, kept.artifact), "kept", kept.reasons, kept.otherwise)


def _going(step: Step, artifact: Artifact, more: tuple[str, ...]) -> _Fate:
    is_whole = artifact.path == step.path
    if step.do == SLIM and is_whole:
        slimmed = replace(artifact, frees=step.artifact.frees)
        return _Fate(slimmed, "would be slimmed", (*step.reasons, *more))
    if step.do == COMPRESS:
        return _Fate(step.artifact, "would be compressed", (*step.reasons, *more))
    if step.do == SLIM:
        reasons = (f"{step.path} is slimmed", *step.reasons)
    else:
        reasons = step.reasons if is_whole else (f"leaves with {step.path}",)
    return _Fate(artifact, f"would go ({step.do})", (*reasons, *more))


def of_why(why: Why) -> dict[str, Any]:
    return {
        "path": why.place,
        "units": [_of_fate(_fate(why, path)) for path in why.units],
        "past": [{"step": step.id, "sweep": step.sweep, "state": step.state} for step in why.past],
    }


def _of_fate(fate: _Fate) -> dict[str, Any]:
    artifact = fate.artifact
    return {
        "path": artifact.path,
        "kind": artifact.kind,
        "kept": fate.word == "kept",
        "bytes": artifact.bytes,
        "frees": artifact.frees,
        "files": artifact.files,
        "newest": moment(artifact.time),
        "reasons": [*fate.reasons],
        "otherwise": [*fate.otherwise],
        "evidence": of_evidence((*artifact.protections, *artifact.evidence)),
    }


def why_lines(why: Why, view: View) -> Iterator[Text]:
    if len(why.units) == 1:
        yield from _one(why, _fate(why, why.units[0]))
    elif why.units:
        yield line((f"{shown(why.place)} holds {plural(len(why.units), 'unit')}", "bold"))
        fates = [_fate(why, path) for path in why.units]
        yield from table((_row(each, why.seen.plan.now) for each in fates), view.width)
    elif not why.past:
        where = "no unit is here" if why.ours else "it lies in none of the configured folders"
        yield line(("kept", "bold"), f" · {where}: the janitor never touches it")
    yield from _past(why)


def _one(why: Why, fate: _Fate) -> Iterator[Text]:
    artifact, now = fate.artifact, why.seen.plan.now
    style = "bold" if fate.word == "kept" else "bold yellow"
    archive = next((each for each in why.archives if each.path == artifact.path), None)
    kind = f"archive of the {artifact.kind} {shown(archive.unit)}" if archive else artifact.kind
    facts = [kind, format_size(artifact.bytes), f"{age(artifact, now)} old"]
    facts += [] if archive else [plural(artifact.files, "file")]
    yield line((fate.word, style), " · " + " · ".join(facts))
    if why.linked:
        yield line(f"  {shown(why.place)} is a link to {shown(why.linked)}")
    if artifact.path != (why.linked or why.place) and not archive:
        yield line(f"  as part of {shown(artifact.path)}")
    for reason in fate.reasons:
        yield line(f"  {shown(reason)}")
    if fate.otherwise:
        yield line(("  would go otherwise: " + ", ".join(fate.otherwise), "dim"))
    told = dict.fromkeys((*artifact.protections, *artifact.evidence))
    evidence = [each for each in told if each.why not in fate.reasons or each.hint]
    if evidence:
        yield line(("evidence", "bold"))
    for each in evidence:
        yield line(f"  {each.fact:<11} ", (shown(each.why), "dim"))
        if each.hint:
            yield line(f"  {'':<11} → ", (shown(each.hint), "bold"))


def _row(fate: _Fate, now: int) -> Row:
    artifact = fate.artifact
    size = format_size(artifact.bytes)
    return fate.word, artifact.path, size, age(artifact, now), ", ".join(fate.reasons)


def _past(why: Why) -> Iterator[Text]:
    for step in why.past:
        said = {
            "done": ("is in the trash", f"janitor undo {step.sweep}"),
            "undone": ("was brought back from the trash", ""),
            "purged": ("left the trash for good", f"janitor history {step.sweep}"),
        }
        if step.state in said:
            what, command = said[step.state]
            when = format_when(step.at, why.seen.plan.now)
            yield line(f"{when}: ", shown(step.path), f" {what}  ", (shown(command), "bold"))


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a workspace; sizes in bytes, `now` in nanoseconds."""

    settings: Settings
    now: int
    disk: int
    free: int
    known: Catalogue
    sweeps: Sequence[tuple[Sweep, Sequence[Done]]]
    studies: Studies
    archives: Sequence[Archived] = ()
    """Those in the index."""
    jobs: Sequence[Standing] = ()
    daemon: daemon.Told | None = None
    """What the daemon tells of itself; None where there is none."""
    unread: str = ""
    """The configuration's name, where the daemon goes by another text of it."""

    @property
    def rooms(self) -> tuple[Room, ...]:
        return rooms(self.known, self.settings.safety, self.settings.disk)


def of_status(status: Status, notes: Sequence[str]) -> dict[str, Any]:
    trash, keep = status.known.trash, status.settings.safety.trash_keep
    first = min((each.at for each in trash), default=None)
    return {
        "workspace": str(status.settings.workspace),
        "daemon": daemon.of_daemon(status.daemon, status.unread),
        "disk": {"bytes": status.disk, "free": status.free},
        "trash": {
            "units": len(trash),
            "bytes": sum(each.bytes for each in trash),
            "frees": sum(each.frees for each in trash),
            "purged_from": None if first is None else moment(first + keep),
        },
        "archive": {
            "archives": len(status.archives),
            "bytes": sum(each.bytes for each in status.archives),
            "checked_from": moment(min(each.checked for each in status.archives))
            if status.archives
            else None,
        },
        "pins": [{"path": pin.path, "note": pin.note} for pin in status.known.pins],
        "sweeps": [of_sweep(sweep, steps) for sweep, steps in status.sweeps],
        "refused": [each.message for each in status.known.refusals],
        "policies": len(status.settings.policies),
        "notes": [*notes],
        "keep_free": of_rooms(status.rooms).get("disk", []),
        **of_studies(status.studies),
        "jobs": [jobs.of_standing(each) for each in status.jobs],
    }


def status_lines(status: Status, notes: Sequence[str]) -> Iterator[Text]:
    settings = status.settings
    yield line(
        (shown(settings.workspace.name), "bold"),
        f" · {plural(len(settings.policies), 'policy')}",
        f" · {daemon.head(status.daemon, status.now)}",
    )
    disk = f"{format_size(status.disk)}, {format_size(status.free)} free"
    archive = f" · archive {_archive(status)}" if status.archives else ""
    yield _labelled("disk", f"{disk} · trash {_trash(status)}{archive}")
    for each in standing(status.rooms, status.now):
        yield Text.assemble(("attention  ", "yellow"), each)
    yield from status_rows(status.studies)
    yield from map(Text, jobs.status_rows(status.jobs))
    if status.known.pins:
        places = ", ".join(shown(pin.path) for pin in status.known.pins[:3])
        more = f" … and {len(status.known.pins) - 3} more" if len(status.known.pins) > 3 else ""
        yield _labelled("pinned", places + more)
    rows = [of_sweep(sweep, steps) for sweep, steps in status.sweeps]
    for number, row in enumerate(sweep_lines(rows, status.now, View(0))):
        if number < len(rows):
            yield Text.assemble(f"{'' if number else 'sweeps':<10} ", row)
    if not rows:
        yield _labelled("sweeps", "none yet")
    for label, text in daemon.rows(status.daemon, status.now):
        yield _labelled(label, text)
    told = daemon.attention(status.daemon, status.unread)
    refused = (refusal.message for refusal in status.known.refusals)
    for each in first_dozen(dict.fromkeys((*refused, *notes, *told))):
        yield Text.assemble(("attention  ", "yellow"), shown(each))
    yield line("Next: ", ("janitor plan", "bold"))


def _labelled(label: str, what: str) -> Text:
    return line(f"{label:<10} {what}")


def _archive(status: Status) -> str:
    """Each was read in full when it was made, and since then by ``janitor verify``."""
    size = format_size(sum(each.bytes for each in status.archives))
    oldest = min(each.checked for each in status.archives)
    ago = format_duration(max(status.now - oldest, 0))
    read = f"all read within {ago}" if oldest else "not all read yet: janitor verify"
    return f"{size} ({plural(len(status.archives), 'archive')}, {read})"


def _trash(status: Status) -> str:
    trash = status.known.trash
    if not trash:
        return "empty"
    first = min(each.at for each in trash) + status.settings.safety.trash_keep
    size = format_size(sum(each.frees for each in trash))
    held = sum(each.held is not None for each in trash)
    stay = f"; {held} can't be: janitor plan" if held else ""
    return f"{size} (purged from {format_when(first, status.now)}{stay})"
