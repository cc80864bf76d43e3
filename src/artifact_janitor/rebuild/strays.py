"""What lies in the trash, and no row explains: each becomes a step that undo can take back.

The trash mirrors the workspace, so where a thing lies says where it belongs. Folders that the
janitor made on the way are its own, 0700, and hold nothing but the way.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from artifact_janitor.apply.archive import whose
from artifact_janitor.apply.archive.store import ARCHIVE, MANIFEST, SUMS, Store
from artifact_janitor.apply.ground import Ground
from artifact_janitor.core.expiry import EXPIRE
from artifact_janitor.core.model import CACHES, ancestors, is_within
from artifact_janitor.errors import StepSkipped
from artifact_janitor.journal.salvage import Salvaged
from artifact_janitor.journal.values import MoveRow, StepRow
from artifact_janitor.observe import recheck
from artifact_janitor.observe.examine import fingerprint_of
from artifact_janitor.observe.measure import size_of
from artifact_janitor.rebuild.mending import next_step

Kinds = Mapping[str, str]
WHY = "found in the trash when the journal was rebuilt"
_WEIGHTS, _SIDECAR = ".pth", ".json"


@dataclass(slots=True)
class Unit:
    """One that lies at `target`, and belongs at `source`; `beside` it what goes with it."""

    sweep: str
    source: str
    target: str
    names: str = ""
    """What it names, where it is a link."""
    beside: list[tuple[str, str]] = field(default_factory=list)


def trashes(ground: Ground) -> list[str]:
    """All places of the trash, as paths in the workspace."""
    return [f"{state}/trash" for state in ground.states]


def add(found: Salvaged, ground: Ground, kinds: Kinds, now: int) -> list[str]:
    """Add rows for all that no row explains; the paths of what was found."""
    _correct(found, ground)
    known = {os.fsdecode(each.target) for each in found.rows["move"]}
    around = {above for each in known for above in ancestors(each)}
    units = []
    for trash in trashes(ground):
        for sweep in _names(ground, trash):
            here = _units(ground, f"{trash}/{sweep}", "", known, around)
            units += _joined([_unit(ground, sweep, *each) for each in here])
    return [
        each.source
        for each in units
        if _is_ours(ground, kinds, each) and _noted(found, ground, kinds, each, now)
    ]


def _is_ours(ground: Ground, kinds: Kinds, unit: Unit) -> bool:
    """What expired in a store outside the workspace may be another's, as the archives there."""
    folder = ground.workspace / os.path.dirname(unit.source)
    is_of_a_root = any(is_within(unit.source, root) for root in kinds)
    if is_of_a_root or not whose.is_outside(folder, ground.workspace):
        return True
    lies, _, name = unit.target.removesuffix(ARCHIVE).rpartition("/")
    return whose.is_made_here(Store(ground.workspace / lies, own=False), name, ground.workspace)


def _unit(ground: Ground, sweep: str, source: str, target: str) -> Unit:
    """One sweep may have two folders in the trash: the second is called SWEEP.2."""
    names = ""
    with suppress(OSError):
        text = os.readlink(ground.workspace / target)
        names = os.path.normpath(f"{source.rpartition('/')[0]}/{text}")
    return Unit(sweep.partition(".")[0] or sweep, _place(ground, source), target, names)


def _place(ground: Ground, source: str) -> str:
    """Where what lies in the trash belongs: of a root that is named by its absolute path, a store
    on another disk, say, the mirror holds that."""
    absolute = (root for root in ground.roots if root.startswith("/"))
    mirrored = any(is_within(f"/{source}", root) for root in absolute)
    return f"/{source}" if mirrored else source


def _correct(found: Salvaged, ground: Ground) -> None:
    """What is in the trash is there, whatever its row says; a row that says more is right."""
    moves = defaultdict(list)
    for each in found.rows["move"]:
        moves[each.step].append(os.fsdecode(each.target))
    ended = {each.id for each in found.rows["sweep"] if each.ended is not None}
    steps = []
    for step in found.rows["step"]:
        lies = step.took and any(map(ground.has, moves[step.id][:1]))
        if lies and step.state != "done" and step.sweep in ended:
            step = step._replace(state="done", why=WHY)
        steps.append(step)
    found.rows["step"] = steps


def _names(ground: Ground, folder: str) -> list[str]:
    with suppress(StepSkipped, OSError), ground.folder(folder) as fd:
        return sorted(os.listdir(fd))
    return []


def _units(
    ground: Ground, top: str, path: str, known: set[str], around: set[str]
) -> Iterator[tuple[str, str]]:
    """The outermost things below a sweep's folder that are more than the way to others: where
    each belongs, and where it lies."""
    for name in _names(ground, f"{top}/{path}" if path else top):
        source = f"{path}/{name}" if path else name
        target = f"{top}/{source}"
        if target in known:
            continue
        if target in around or _is_way(ground, source, target):
            yield from _units(ground, top, source, known, around)
        else:
            yield source, target


def _is_way(ground: Ground, source: str, target: str) -> bool:
    """Whether a folder was made by a janitor, to hold what is in it: it is the owner's alone, and
    where it comes from is still there, without what is in this one, or holds folders only."""
    with suppress(StepSkipped, OSError):
        mode = ground.stat(target).st_mode
        if not stat.S_ISDIR(mode) or stat.S_IMODE(mode) != 0o700:
            return False
        inside = _names(ground, target)
        modes = {name: ground.stat(f"{target}/{name}").st_mode for name in inside}
        files = [name for name, each in modes.items() if not stat.S_ISDIR(each)]
        is_there = _is_there(ground, source)
        if is_there:
            return not any(_is_there(ground, f"{source}/{name}") for name in files)
        return bool(inside) and not files
    return False


def _is_there(ground: Ground, source: str) -> bool:
    return os.path.lexists(ground.workspace / _place(ground, source))


def _joined(units: list[Unit]) -> list[Unit]:
    """Links go with the unit that they name, a sidecar with its model, and the three files of an
    archive with one another."""
    by_source = {each.source: each for each in units}
    gone = set()
    for unit in units:
        if host := _host(unit, by_source):
            host.beside.append((unit.source, unit.target))
            gone.add(unit.source)
    return [each for each in units if each.source not in gone]


def _host(unit: Unit, units: Mapping[str, Unit]) -> Unit | None:
    for end, other in ((_SIDECAR, _WEIGHTS), (MANIFEST, ARCHIVE), (SUMS, ARCHIVE)):
        if unit.source.endswith(end):
            return units.get(unit.source.removesuffix(end) + other)
    above = (unit.names, *ancestors(unit.names)) if unit.names else ()
    return next((units[each] for each in above if each in units), None)


def _noted(found: Salvaged, ground: Ground, kinds: Kinds, unit: Unit, now: int) -> bool:
    """Write a step for it. False where nobody may take it back: it belongs in no folder of ours."""
    try:
        moves = [_move(ground, *each) for each in ((unit.source, unit.target), *unit.beside)]
        ground.root_of(unit.source)
        content = recheck.read(ground.workspace, unit.target)
    except (StepSkipped, OSError, ValueError):
        return False
    number, size = next_step(found), size_of(content)
    moved = {each.step for each in found.rows["move"]}
    for at, step in enumerate(found.rows["step"]):
        mine = (step.sweep, os.fsdecode(step.path)) == (unit.sweep, unit.source)
        if step.took and mine and step.id not in moved:  # only its renames were lost
            found.rows["step"][at] = step._replace(state="done")
            found.rows["move"] += [each._replace(step=step.id) for each in moves]
            return True
    is_archive = unit.source.endswith(ARCHIVE) and bool(unit.beside)
    found.rows["step"].append(
        StepRow(
            number,
            unit.sweep,
            EXPIRE if is_archive else "trash",
            _kind(kinds, unit.source),
            os.fsencode(unit.source),
            size.bytes,
            size.frees,
            fingerprint_of(content),
            f'["{WHY}"]',
            None,
            "done",
            "",
            now,
        )
    )
    found.rows["move"] += [each._replace(step=number) for each in moves]
    return True


def _move(ground: Ground, source: str, target: str) -> MoveRow:
    status = ground.stat(target)
    return MoveRow(0, os.fsencode(source), os.fsencode(target), status.st_dev, status.st_ino)


def _kind(kinds: Kinds, path: str) -> str:
    """By where it comes from; the MLflow run alone is known by more, as MLflow's record goes with
    it."""
    if path.rpartition("/")[2] in CACHES:
        return "cache"
    root = max((each for each in kinds if is_within(path, each)), key=len, default="")
    kind = kinds.get(root, "unknown")
    is_run = re.fullmatch(r"[0-9a-f]{32}", path.rpartition("/")[2])
    return "unknown" if kind == "mlflow-run" and not is_run else kind
