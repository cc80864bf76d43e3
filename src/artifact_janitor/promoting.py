"""Choose a model as a milestone: ``best_models/NAME.pt``, and ``NAME_meta.json`` that says why.

The copy is made, read back and verified without a lock; then both files take their place as
those of a publication do: under the lock, journalled before and after. Nothing is overwritten.
Whether Git keeps the model stands in ``NAME_meta.json``, which is all that `demote` changes.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from artifact_janitor import clock
from artifact_janitor.apply import copies
from artifact_janitor.apply import publish as files
from artifact_janitor.apply.copies import Staged
from artifact_janitor.choosing import (
    NotPromoted,
    Promoted,
    Wish,
    choose,
    doubts,
    is_milestone,
    opened,
    stamp,
    sweeping,
    text_of,
    verified,
)
from artifact_janitor.core import milestone
from artifact_janitor.core.milestone import CHOSEN, META, PROMOTE, SUFFIX, meta_of
from artifact_janitor.core.model import ModelFile
from artifact_janitor.core.plainly import plainly
from artifact_janitor.errors import JanitorError, StepFailed, StepSkipped, UsageError
from artifact_janitor.journal import Intent, Move, Publication, Step
from artifact_janitor.observe import git
from artifact_janitor.observe.opcodes import Flawed
from artifact_janitor.observe.origins import Origin
from artifact_janitor.publishing import bring, coming_to, unpublish
from artifact_janitor.workplace import Workplace

_BY_HAND = "copy it to the folder by hand: what lies there is a milestone, too"


# ------------------------------------------------------------------ promote


def promote(place: Workplace, wish: Wish) -> Promoted:
    """Raises NotPromoted or another JanitorError; then all is as it was before."""
    (folder,) = place.settings.folders.best_models
    if is_milestone(wish.source, folder):
        return choose(place, wish, wish.source)
    _check_name(place, wish, folder)
    fd = opened(place, wish.source)
    try:
        if same := _same(place, fd, wish.there):
            return choose(place, wish, same)
        target = f"{folder}/{_free_name(place, wish, folder)}{SUFFIX}"
        with sweeping(place, PROMOTE, target) as sweep:
            return _promoted(place, sweep, wish, fd, target)
    finally:
        os.close(fd)


def _same(place: Workplace, fd: int, there: Sequence[ModelFile]) -> str:
    """The milestone that holds these very bytes, or ""."""
    (folder,) = place.settings.folders.best_models
    known = (each for each in there if is_milestone(each.path, folder))
    alike = [each for each in known if each.bytes == os.fstat(fd).st_size]
    digest = copies.digest_of(fd) if alike else ""
    return next((each.path for each in alike if _digest(place, each.path) == digest), "")


def _digest(place: Workplace, path: str) -> str:
    """SHA-256 of a file of ours; "" where it can't be read."""
    try:
        fd = copies.open_source(place.ground, path)
    except StepSkipped:
        return ""
    try:
        return copies.digest_of(fd)
    finally:
        os.close(fd)


def _check_name(place: Workplace, wish: Wish, folder: str) -> None:
    """Raises UsageError for a name that can't be one, with one that can."""
    if wish.name and (why := milestone.objection(wish.name.removesuffix(SUFFIX))):
        other = milestone.free(milestone.fit(wish.name), _taken(place, folder))
        raise UsageError(f"{wish.name!r} is no name for a milestone: {why}", f"--name {other}")


def _free_name(place: Workplace, wish: Wish, folder: str) -> str:
    """The name of a milestone that nobody has; raises NotPromoted where it is taken."""
    given = wish.name.removesuffix(SUFFIX)
    name = given or milestone.name_for(wish.source, wish.origin.unit)
    taken = _taken(place, folder)
    if name in taken:
        what = f"there is a milestone {name} already, and none is ever overwritten"
        hint = f"--name {milestone.free(name, taken)}"
        raise NotPromoted(what, hint, f"{folder}/{name}{SUFFIX}")
    return name


def _taken(place: Workplace, folder: str) -> set[str]:
    """The names of all that lies there, in whatever format."""
    try:
        names = os.listdir(place.settings.workspace / folder)
    except OSError:
        return set()
    stems = {name.rpartition(".")[0] or name for name in names}
    return stems | {name.removesuffix(META) for name in names}


def _promoted(place: Workplace, sweep: str, wish: Wish, fd: int, target: str) -> Promoted:
    folder = copies.staging_for(place.ground, sweep, target)
    try:
        model = copies.stage(place.ground, fd, f"{folder}/{target}")
        proof = verified(place.settings.workspace / model.path, wish.python)
        told, notes = _told(place, wish, target, model)
        told["verified"] = proof
        notes = (*notes, *doubts(proof))
        meta = copies.write(place.ground, text_of(told), f"{folder}/{meta_of(target)}")
        coming = coming_to((meta, model), (meta_of(target), target))
        reasons = (f"a copy of {wish.source}", *filter(None, (wish.note,)))
        intent = Intent(PROMOTE, "milestone", target, model.bytes, reasons=reasons, moves=coming)
        about = Publication(0, None, target, "", model.digest, meta.digest, "passed")
        with place.state.step():
            bring(place, sweep, intent, None, about)
    except (StepSkipped, StepFailed, Flawed) as error:
        raise _failed(place, sweep, wish.source, target, error) from error
    return Promoted("promoted", target, told, sweep, notes)


def _failed(
    place: Workplace, sweep: str, source: str, target: str, error: Exception
) -> NotPromoted:
    """With what was tried in the journal, if it is not there yet."""
    hint = error.hint if isinstance(error, JanitorError) else _BY_HAND
    why = f"{source} is not promoted: {error}"
    if not place.journal.steps(sweep):
        intent, now = Intent(PROMOTE, "milestone", target), clock.read().wall
        (step,) = place.journal.intend(sweep, [intent], now)
        place.journal.settle(step, "skipped", str(error), now)
    return NotPromoted(why, hint, source)


def _told(
    place: Workplace, wish: Wish, target: str, model: Staged
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What ``NAME_meta.json`` says. Paths stand in it as they are: they protect what they
    name (S5)."""
    is_strange = wish.origin.sha256 not in ("", model.digest)
    origin = Origin(wish.origin.unit) if is_strange else wish.origin
    told = {
        "format": milestone.FORMAT,
        "name": target.rpartition("/")[2].removesuffix(SUFFIX),
        CHOSEN: True,
        "sha256": model.digest,
        "bytes": model.bytes,
        "promoted_at": stamp(),
        "note": plainly(wish.note),
        "source": wish.source,
        **dict.fromkeys(("run", "study", "trial", "metric", "config")),
        **_plain(origin.told),
        **origin.names,
    }
    told["git_commit"] = told.get("git_commit", "")
    told["git_head"] = git.head(place.settings.workspace)
    return told, (_STRANGER,) if is_strange else ()


_STRANGER = "its sidecar tells of another model, and is not believed"


def _plain(told: Mapping[str, object]) -> dict[str, Any]:
    return {key: plainly(value) for key, value in told.items()}


# ------------------------------------------------------------------ undo


def take_back(place: Workplace, sweep: str, step: Step) -> None:
    """What a promotion or a demotion made goes to the trash, and what was there returns.

    Raises StepFailed where it is not as it was made any more, or Git tracks the model.
    """
    made = place.journal.publications.of(step.id)
    moves = place.journal.moves(step.id)
    wanted = {meta_of(step.path): made.mark, step.path: made.digest} if made else {}
    for move in moves:
        _must_be_ours(place, move, wanted.get(move.target, ""))
    if any(move.target == step.path for move in moves):
        _must_be_untracked(place, [move.target for move in moves])
    unpublish(place, sweep, step)


def _must_be_ours(place: Workplace, move: Move, digest: str) -> None:
    hint = "undo first what was done to it later: janitor history; or remove it by hand"
    if not place.ground.has(move.target):
        raise StepFailed(f"{move.target} is gone", "there is nothing to take back")
    is_ours = files.stand(place.ground, [move])
    if not is_ours or _digest(place, move.target) != digest:
        raise StepFailed(f"{move.target} was changed since", hint)


def _must_be_untracked(place: Workplace, paths: Collection[str]) -> None:
    try:
        tracked = {*git.tracked(place.settings.workspace)}
    except git.GitUnknown as error:
        raise StepFailed(f"nobody can tell what Git tracks here: {error}", "mend Git") from error
    if ours := [path for path in paths if path in tracked]:
        hint = "it stays; git rm --cached it first, if it is not to be in Git"
        raise StepFailed(f"Git tracks {ours[0]}", hint)
