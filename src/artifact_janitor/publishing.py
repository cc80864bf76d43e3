"""Publish a model that a training made, once, with its proof; and take that back.

Copied, read back and verified without a lock, so that nobody waits for it; then, under the lock
and journalled, it takes its place, and what was there goes to the trash. What is not as it
should be is REJECTED, with the reason, and nothing changes.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Literal

from artifact_janitor import clock
from artifact_janitor.apply import copies, trash
from artifact_janitor.apply import publish as files
from artifact_janitor.apply.copies import Staged
from artifact_janitor.core.gate import Goal, Mode, judge
from artifact_janitor.core.model import is_within
from artifact_janitor.core.plainly import plainly
from artifact_janitor.core.plan import PUBLISH
from artifact_janitor.errors import JanitorError, Locked, StepFailed, StepSkipped
from artifact_janitor.journal import Intent, Move, Publication, Step
from artifact_janitor.observe import liveness, recheck, weights
from artifact_janitor.observe.examine import in_trash
from artifact_janitor.observe.opcodes import Flawed
from artifact_janitor.observe.trained import FORMAT, KEYS, Result, read_model, read_result
from artifact_janitor.recovery import BY_UNDO, settle_both, stranded, unpublished
from artifact_janitor.state import STATE
from artifact_janitor.workplace import Workplace

REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that is to be published.

    `key` names what it was made of: one key, one model. `source` is a path in the workspace, or
    a `Path` anywhere. `target` is where the model goes, in the workspace; its sidecar has the
    same name with ``.json``, and holds `told` and what is found out here. `required` and `form`
    say what the file must hold, `python` is an interpreter that may have torch. `by_person` is
    what a person asked for, who may publish what was undone. `spare` bytes must stay free.
    `mark` tells later whether the source was written to since.
    """

    key: str
    source: str | Path
    target: str
    told: Mapping[str, object] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    required: Collection[str] = KEYS
    form: str = FORMAT
    python: Sequence[str] = ()
    by_person: bool = False
    spare: int = 0
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it: "same" says that this very model is there already."""

    outcome: Literal["published", "same", "rejected", "skipped", "failed"]
    why: str = ""
    digest: str = ""
    step: int | None = None


class Rejected(Exception):
    """Why a model may not take its place."""


def tested(out: Path, mode: Mode, goal: Goal) -> tuple[Result | None, str]:
    """What a trainer says of its training, held against the trial; and why it passes.

    Raises Rejected. In the mode "adopt" nothing was trained, and nothing need be said.
    """
    try:
        result = read_result(out / "result.json")
    except Flawed as flaw:
        if mode != "adopt":
            raise Rejected(str(flaw)) from flaw
        result = None
    found = judge(mode, result.metric if result else goal.best, goal)
    if not found.passes:
        raise Rejected(found.why)
    return result, found.why


def sidecar_name(target: str) -> str:
    """``final_model_mlp.pth`` has its sidecar in ``final_model_mlp.json``."""
    return f"{target.removesuffix('.pth')}.json"


def publish(place: Workplace, sweep: str, offer: Offer) -> Published:
    """Bring a model to its place in the course of `sweep`, which must be held open.

    Never raises for what is wrong with the model or its place; that is the outcome.
    """
    if place.journal.publications.is_undone(offer.key) and not offer.by_person:
        return Published(
            "skipped", "its publication was undone, and stays so until janitor retrain"
        )
    try:
        _check_target(place, offer.target)
        folder = copies.staging_for(place.ground, sweep, offer.target)
    except (StepSkipped, StepFailed) as error:
        return Published("skipped", error.message)
    found = _tried(place, sweep, offer, folder)
    # not where Ctrl-C came in between: then the next start finishes what was begun
    copies.discard(place.ground, folder, stranded(place.journal))
    return found


def _tried(place: Workplace, sweep: str, offer: Offer, folder: str) -> Published:
    try:
        return _published(place, sweep, offer, folder)
    except Rejected as error:
        return reject(place, sweep, offer, str(error))
    except (StepSkipped, Locked) as error:
        return Published("skipped", error.message)
    except StepFailed as error:
        return Published("failed", error.in_full)


def _check_target(place: Workplace, target: str) -> None:
    """Models go to the models' folder, and nowhere else (S1)."""
    (models,) = place.settings.folders.models
    inside = target.removeprefix(f"{models}/").split("/")
    named = all(each not in ("", ".", "..", STATE) and "\0" not in each for each in inside)
    if not (is_within(target, models) and named and target.endswith(".pth")) or len(inside) < 2:
        raise StepSkipped(f"{target!r} is no place for a model in {models}")


def _published(place: Workplace, sweep: str, offer: Offer, folder: str) -> Published:
    model = _staged(place, offer, f"{folder}/{offer.target}")
    if _is_same(place, offer.target, model):
        _remember(place, sweep, offer, model.digest, "same")
        return Published("same", "this very model is published already", model.digest)
    _verify(place, offer, model)
    told = {
        **offer.told,
        "schema": 1,
        "key": offer.key,
        "sha256": model.digest,
        "bytes": model.bytes,
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = json.dumps(plainly(told), indent=2, allow_nan=False).encode() + b"\n"
    sidecar = copies.write(place.ground, text, f"{folder}/{sidecar_name(offer.target)}")
    with place.state.step():
        return _placed(place, sweep, offer, (sidecar, model))


def _staged(place: Workplace, offer: Offer, path: str) -> Staged:
    source = copies.open_source(place.ground, offer.source)
    try:
        return copies.stage(place.ground, source, path, offer.spare)
    finally:
        os.close(source)


def _is_same(place: Workplace, target: str, model: Staged) -> bool:
    """Whether the very bytes are there already, and a sidecar that says so."""
    with suppress(StepSkipped, OSError, ValueError, AttributeError):
        if place.ground.stat(target).st_size == model.bytes:
            told = _read(place, sidecar_name(target), 1 << 20)
            fd = copies.open_source(place.ground, target)
            try:
                same: bool = copies.digest_of(fd) == model.digest
            finally:
                os.close(fd)
            return same and json.loads(told).get("sha256") == model.digest
    return False


def _read(place: Workplace, path: str, most: int) -> bytes:
    fd = copies.open_source(place.ground, path)
    with os.fdopen(fd, "rb") as file:
        return file.read(most)


def _verify(place: Workplace, offer: Offer, model: Staged) -> None:
    """The copy, which nobody writes to any more. Raises Rejected."""
    path = place.settings.workspace / model.path
    try:
        read_model(path, offer.required, offer.form)
    except Flawed as flaw:
        raise Rejected(str(flaw)) from flaw
    if why := weights.objection(str(path), offer.required, offer.python):
        raise Rejected(why)


def _placed(place: Workplace, sweep: str, offer: Offer, fresh: tuple[Staged, Staged]) -> Published:
    """Under the lock."""
    model = fresh[1]
    coming = coming_to(fresh, (sidecar_name(offer.target), offer.target))
    old = _old(place, sweep, offer.target)
    intent = Intent(
        PUBLISH, "model", offer.target, model.bytes, reasons=offer.reasons, moves=coming
    )
    about = Publication(0, None, offer.target, offer.key, model.digest, offer.mark, "passed")
    try:
        step = bring(place, sweep, intent, old, about)
    except NotBrought as error:
        return Published(error.state, error.message, model.digest, error.step)
    place.journal.unpin(offer.target, BY_UNDO)
    return Published("published", "", model.digest, step)


class NotBrought(StepFailed):
    """All is as it was before, and `step` says so in the journal."""

    def __init__(self, error: JanitorError, step: int) -> None:
        super().__init__(error.message, error.hint, error.path)
        self.state: Literal["skipped", "failed"] = (
            "skipped" if isinstance(error, StepSkipped) else "failed"
        )
        self.step = step


def bring(
    place: Workplace, sweep: str, intent: Intent, old: Intent | None, about: Publication
) -> int:
    """Let files that wait take their place, and what is there go to the trash: under the lock,
    and written down before and after. The number of the step; raises NotBrought."""
    ground = place.ground
    written = place.journal.intend_publication(sweep, intent, old, about, clock.read().wall)
    before = _mtime_around(place, intent.path)
    try:
        files.carry_out(ground, files.changes(intent.moves, old.moves if old else ()))
    except (StepSkipped, StepFailed) as error:
        files.unmake(ground, intent.path)
        not_brought = NotBrought(error, written.step)
        settle_both(place, written, not_brought.state, error.message)
        raise not_brought from error
    after = _mtime_around(place, intent.path)
    noted = [replace(each, parent_before=before, parent_after=after) for each in intent.moves]
    settle_both(place, written, "done", "", noted)
    return written.step


def _mtime_around(place: Workplace, target: str) -> int:
    """Of the folder that a model is in, in nanoseconds; 0 where there is none yet."""
    try:
        with place.ground.parent(target) as (folder, _):
            return os.fstat(folder).st_mtime_ns
    except StepSkipped:
        return 0


def coming_to(fresh: Sequence[Staged], names: Sequence[str]) -> tuple[Move, ...]:
    """The renames by which files that wait take their places."""
    both = zip(fresh, names, strict=True)
    return tuple(Move(each.path, name, each.dev, each.ino) for each, name in both)


def _old(place: Workplace, sweep: str, target: str) -> Intent | None:
    """What is at the place of a model goes to the trash; the model first, as its unit.

    Raises StepSkipped where a person pinned it, or somebody writes to it.
    """
    names = (target, sidecar_name(target))
    found = {name: status for name in names if (status := files.occupied(place.ground, name))}
    if not found:
        return None
    for name in found:
        _check_pins(place, name)
        with place.ground.parent(name) as (fd, base):
            if liveness.lease(base, fd) == errno.EAGAIN:
                raise StepSkipped(f"{name} is open for writing")
    size = sum(each.st_blocks * 512 for each in found.values())
    mark = in_trash(recheck.read(place.settings.workspace, next(iter(found))))
    moves = leaving(place, sweep, found)
    reasons = ("another model takes its place",)
    return Intent("trash", "model", next(iter(found)), size, size, mark, reasons, moves=moves)


def leaving(place: Workplace, sweep: str, names: Iterable[str]) -> tuple[Move, ...]:
    """One sweep may take two models from one place, one after the other."""
    tries = chain((sweep,), (f"{sweep}.{number}" for number in count(2)))
    every = (trash.moves_for(place.ground, name, names) for name in tries)
    return next(
        moves for moves in every if not any(place.ground.has(each.target) for each in moves)
    )


def _check_pins(place: Workplace, path: str) -> None:
    """A person's pin keeps the model that is there; one that undo made gives way."""
    for pin in place.journal.pins():
        own = pin.path == path and pin.note.startswith(BY_UNDO)
        if is_within(path, pin.path) and not own:
            raise StepSkipped(
                f"{path} is pinned: janitor unpin {pin.path} lets another take its place"
            )


def reject(place: Workplace, sweep: str, offer: Offer, why: str) -> Published:
    """Write down why a model does not take its place; what is there stays."""
    return Published("rejected", why, step=_remember(place, sweep, offer, "", "rejected", why))


def _remember(
    place: Workplace,
    sweep: str,
    offer: Offer,
    digest: str,
    verdict: Literal["same", "rejected"],
    why: str = "",
) -> int:
    """Write down what was not published, and why, so that nobody tries it again and again."""
    intent = Intent(PUBLISH, "model", offer.target, reasons=offer.reasons)
    about = Publication(0, None, offer.target, offer.key, digest, offer.mark, verdict)
    now = clock.read().wall
    written = place.journal.intend_publication(sweep, intent, None, about, now)
    said = f"{REJECTED}: {why}" if why else "this very model is published already"
    place.journal.settle(written.step, "skipped", said, now)
    return written.step


# ------------------------------------------------------------------ undo


def unpublish(place: Workplace, sweep: str, step: Step) -> None:
    """Take a publication back: what came goes to the trash, and what was there before returns.

    Raises StepFailed where that can't be, and changes nothing.
    """
    journal, ground = place.journal, place.ground
    done = journal.publications.of(step.id)
    ours = journal.moves(step.id)
    if done is None or not ours:
        raise StepFailed("the journal does not know what was published")
    with place.state.step():
        if not files.stand(ground, ours):
            hint = "undo first what was published later: janitor history"
            raise StepFailed(f"another {step.kind} is at {step.path} by now", hint)
        back = _back(place, done)
        names = [move.target for move in reversed(ours)]
        going = leaving(place, sweep, names)
        undo = Intent("undo", step.kind, step.path, step.bytes, about=step.id, moves=back)
        size = sum(ground.stat(name).st_blocks * 512 for name in names)
        mark = in_trash(recheck.read(place.settings.workspace, names[0]))
        reasons = (f"undone: {step.do}",)
        gone = Intent("trash", step.kind, names[0], size, size, mark, reasons, moves=going)
        about = Publication(0, None, step.path, "", "", "", "passed")
        written = journal.intend_publication(sweep, undo, gone, about, clock.read().wall)
        untouched = _mtime_around(place, step.path) == ours[0].parent_after
        try:
            files.carry_out(ground, files.changes(back, going))
        except (StepSkipped, StepFailed) as error:
            settle_both(place, written, "failed", error.message)
            raise
        unpublished(place, written, clock.read().wall)
        if back and untouched:
            with ground.parent(step.path) as (folder, _):
                trash.set_mtime(folder, ours[0].parent_before)


def _back(place: Workplace, done: Publication) -> tuple[Move, ...]:
    """What returns: the sidecar first, as always."""
    if done.replaced is None:
        return ()
    before = "what was there before"
    if place.journal.step(done.replaced).state == "purged":
        raise StepFailed(f"{before} was purged: it left the trash for good")
    moves = place.journal.moves(done.replaced)
    if not all(place.ground.has(move.target) for move in moves):
        raise StepFailed(f"{before} is not in the trash any more")
    return tuple(Move(move.target, move.source, move.dev, move.ino) for move in reversed(moves))
