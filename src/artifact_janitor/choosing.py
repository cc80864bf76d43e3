"""Milestones that are there already: chosen, so that Git keeps them, or chosen no more.

Nothing but ``NAME_meta.json`` changes: it is written anew, and the one before goes to the trash.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal

from artifact_janitor import clock
from artifact_janitor.apply import copies
from artifact_janitor.apply import publish as files
from artifact_janitor.core import milestone
from artifact_janitor.core.milestone import CHOSEN, DEMOTE, PROMOTE, SUFFIX, meta_of
from artifact_janitor.core.model import ModelFile, is_within
from artifact_janitor.core.plainly import plainly
from artifact_janitor.errors import JanitorError, StepFailed, StepSkipped, UsageError
from artifact_janitor.journal import Intent, Publication
from artifact_janitor.observe import liveness, recheck, weights
from artifact_janitor.observe.examine import in_trash
from artifact_janitor.observe.opcodes import Flawed
from artifact_janitor.observe.origins import Origin
from artifact_janitor.observe.trained import read_model
from artifact_janitor.publishing import bring, coming_to, leaving
from artifact_janitor.recovery import stranded
from artifact_janitor.workplace import Workplace

_META_LIMIT: Final = 1 << 20
"""Bytes of a ``NAME_meta.json``: who reads it for Git's rules reads no more."""
WITH_TORCH: Final = "weights_only"
"""The proof that torch itself loaded it, in a process of its own."""
_UNASKED = "torch could not be asked whether it loads: it is in no Python that is known here"


class NotPromoted(JanitorError):
    """The model can't become a milestone, or not under this name."""

    code = "promote"


@dataclass(frozen=True, slots=True)
class Wish:
    """A model in the workspace that a person chose; `name` is "" where they gave none.

    `there` are the milestones, `python` an interpreter that may have torch.
    """

    source: str
    name: str = ""
    note: str = ""
    origin: Origin = field(default_factory=Origin)
    there: Sequence[ModelFile] = ()
    python: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Promoted:
    """What came of it: "same" where it was so before. `told` is the ``NAME_meta.json``."""

    outcome: Literal["promoted", "chosen", "demoted", "same"]
    path: str
    told: Mapping[str, Any]
    sweep: str = ""
    notes: tuple[str, ...] = ()


def is_milestone(path: str, folder: str) -> bool:
    """Whether a path is that of a milestone, which lies in the `folder` itself."""
    above, _, name = path.rpartition("/")
    return above == folder and name.endswith(SUFFIX) and name != SUFFIX


def opened(place: Workplace, source: str) -> int:
    """A descriptor on a model that nobody writes to."""
    path = place.settings.workspace / source
    ours = any(is_within(source, root) for root in place.ground.roots)
    try:
        fd = copies.open_source(place.ground, source if ours else path)
    except StepSkipped as error:
        raise NotPromoted(error.message, "check its permissions", source) from error
    if liveness.lease(os.fspath(path)) == errno.EAGAIN:
        os.close(fd)
        hint = "promote it when it is whole"
        raise NotPromoted(f"{source} is open for writing", hint, source)
    return fd


@contextmanager
def sweeping(place: Workplace, command: str, target: str) -> Iterator[str]:
    """A sweep of its own in the history, with the folder in which copies for it wait."""
    now = clock.read().wall
    mark = blake2b(f"{command} {target} {now}".encode("utf-8", "surrogateescape"), digest_size=2)
    sweep = place.journal.begin(mark.hexdigest(), command, now, by_person=True)
    (root,) = place.settings.folders.best_models
    failed: JanitorError | None = None
    with place.state.sweep(sweep):
        made = _made(place, root)
        try:
            yield sweep
        except JanitorError as error:
            failed = error
        # not where Ctrl-C came in between: then the next start finishes what was begun
        folder = copies.staging_for(place.ground, sweep, target)
        copies.discard(place.ground, folder, stranded(place.journal))
        with suppress(OSError):
            if made:
                os.rmdir(place.settings.workspace / root)  # unless something came into it
        place.finish(sweep)
    if failed is not None:
        raise failed


def _made(place: Workplace, root: str) -> bool:
    """The folder of milestones, for the workspace's owner, where there was none."""
    path = place.settings.workspace / root
    if path.exists():
        return False
    with suppress(OSError):  # whoever writes into it says why
        path.mkdir(parents=True)
        place.state.own(path)
    return True


def verified(path: Path, python: Sequence[str]) -> list[str]:
    """What was looked at, of a copy that nobody writes to any more. Raises Flawed."""
    read_model(path, (), "")
    why = weights.objection(os.fspath(path), (), python)
    if why:
        raise Flawed(why)
    return ["checksums", "opcodes", *([WITH_TORCH] if why == "" else [])]


def doubts(proof: Collection[str]) -> Iterator[str]:
    if WITH_TORCH not in proof:
        yield _UNASKED


def stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def text_of(told: object) -> bytes:
    """Raises ValueError for what is no JSON: infinities, say."""
    return json.dumps(told, indent=2, allow_nan=False).encode("ascii") + b"\n"


# ------------------------------------------------------------------ choose, and no more


def choose(place: Workplace, wish: Wish, path: str) -> Promoted:
    """A milestone that lies there already; what a person wrote of it stays."""
    before = _read(place, path)
    if milestone.is_chosen(before):
        return Promoted("same", path, before)
    fd = opened(place, path)
    try:
        proof, digest = _in_place(place, path, wish), copies.digest_of(fd)
        size = os.fstat(fd).st_size
    finally:
        os.close(fd)
    stem = path.rpartition("/")[2].removesuffix(SUFFIX)
    fresh = {"format": milestone.FORMAT, "name": stem, "note": ""} | before
    fresh |= {CHOSEN: True, "sha256": digest, "bytes": size, "promoted_at": stamp()}
    fresh |= {"verified": proof, **({"note": plainly(wish.note)} if wish.note else {})}
    return replace(_rewritten(place, PROMOTE, path, before, fresh), notes=(*doubts(proof),))


def _in_place(place: Workplace, path: str, wish: Wish) -> list[str]:
    try:
        return verified(place.settings.workspace / path, wish.python)
    except Flawed as flaw:
        raise NotPromoted(f"{path} is not promoted: {flaw}", "", path) from flaw


def demote(place: Workplace, path: str) -> Promoted:
    """Let Git ignore a milestone again; the file stays, and what it names stays protected."""
    before = _read(place, path)
    if not milestone.is_chosen(before):
        return Promoted("same", path, before)
    fresh = before | {CHOSEN: False, "demoted_at": stamp()}
    return _rewritten(place, DEMOTE, path, before, fresh)


def _read(place: Workplace, path: str) -> dict[str, Any]:
    """What is told of a milestone, in full: it is written anew. Raises NotPromoted."""
    if not place.ground.has(path):
        hint = "janitor models lists them"
        raise UsageError(f"there is no milestone {path}", hint, path)
    name = meta_of(path)
    if not place.ground.has(name):
        return {}
    try:
        with os.fdopen(copies.open_source(place.ground, name), "rb") as file:
            text = file.read(_META_LIMIT + 1)
        found = json.loads(text) if len(text) <= _META_LIMIT else None
        text_of(found)  # Python reads NaN and 1e999, and no other program does
    except (StepSkipped, ValueError, RecursionError) as error:
        raise NotPromoted(f"{name} can't be read: {error}", "mend it", name) from error
    if not isinstance(found, dict):
        raise NotPromoted(f"{name} holds no JSON object", "mend it, or move it away", name)
    return found


def _rewritten(
    place: Workplace, do: str, path: str, before: Mapping[str, Any], told: dict[str, Any]
) -> Promoted:
    """Its ``NAME_meta.json`` anew; the one before goes to the trash, from where undo takes it."""
    name, ground = meta_of(path), place.ground
    with sweeping(place, do, name) as sweep:
        try:
            folder = copies.staging_for(ground, sweep, name)
            meta = copies.write(ground, text_of(told), f"{folder}/{name}")
            with place.state.step():
                if _read(place, path) != before:
                    raise StepSkipped(f"{name} was changed meanwhile")
                old = _old(place, sweep, name)
                moves = coming_to((meta,), (name,))
                intent = Intent(do, "milestone", path, meta.bytes, moves=moves)
                about = Publication(0, None, path, "", "", meta.digest, "passed")
                bring(place, sweep, intent, old, about)
        except (StepSkipped, StepFailed) as error:
            raise NotPromoted(error.message, error.hint, name) from error
    outcome: Literal["chosen", "demoted"] = "chosen" if do == PROMOTE else "demoted"
    return Promoted(outcome, path, told, sweep)


def _old(place: Workplace, sweep: str, name: str) -> Intent | None:
    """Raises StepSkipped where it is no regular file."""
    status = files.occupied(place.ground, name)
    if status is None:
        return None
    size = status.st_blocks * 512
    mark = in_trash(recheck.read(place.settings.workspace, name))
    reasons, moves = ("written anew",), leaving(place, sweep, [name])
    return Intent("trash", "milestone", name, size, size, mark, reasons, moves=moves)
