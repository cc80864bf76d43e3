"""Choose a model as a milestone: ``best_models/NAME.pt``, and ``NAME_meta.json`` that says why.

The copy is made, read back and verified without a lock; then both files take their place as
those of a publication do: under the lock, journalled before and after. Nothing is overwritten.
Whether Git keeps the model stands in ``NAME_meta.json``, which is all that `demote` changes.
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
from artifact_janitor.apply import publish as files
from artifact_janitor.apply.publish import Staged
from artifact_janitor.core import milestone
from artifact_janitor.core.milestone import CHOSEN, DEMOTE, META, PROMOTE, SUFFIX, meta_of
from artifact_janitor.core.model import ModelFile, is_within
from artifact_janitor.core.plainly import plainly
from artifact_janitor.errors import JanitorError, StepFailed, StepSkipped, UsageError
from artifact_janitor.journal import Intent, Move, Publication, Step
from artifact_janitor.observe import git, liveness, recheck, weights
from artifact_janitor.observe.examine import fingerprint_of
from artifact_janitor.observe.opcodes import Flawed
from artifact_janitor.observe.origins import Origin
from artifact_janitor.observe.trained import read_model
from artifact_janitor.publishing import bring, coming_to, leaving, unpublish
from artifact_janitor.recovery import stranded
from artifact_janitor.workplace import Workplace

_META_LIMIT: Final = 4 << 20
"""Bytes of a ``NAME_meta.json``."""
WITH_TORCH: Final = "weights_only"
"""The proof that torch itself loaded it, in a process of its own."""
_BY_HAND = "copy it to the folder by hand: what lies there is a milestone, too"


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


# ------------------------------------------------------------------ promote


def promote(place: Workplace, wish: Wish) -> Promoted:
    """Raises NotPromoted or another JanitorError; then all is as it was before."""
    (folder,) = place.settings.folders.best_models
    if is_milestone(wish.source, folder):
        return _choose(place, wish, wish.source)
    _check_name(place, wish, folder)
    fd = _opened(place, wish.source)
    try:
        if same := _same(place, fd, wish.there):
            return _choose(place, wish, same)
        target = f"{folder}/{_free_name(place, wish, folder)}{SUFFIX}"
        with _sweep(place, PROMOTE, target) as sweep:
            return _promoted(place, sweep, wish, fd, target)
    finally:
        os.close(fd)


def is_milestone(path: str, folder: str) -> bool:
    """Whether a path is that of a milestone, which lies in the `folder` itself."""
    above, _, name = path.rpartition("/")
    return above == folder and name.endswith(SUFFIX) and name != SUFFIX


def _opened(place: Workplace, source: str) -> int:
    """A descriptor on a model that nobody writes to."""
    path = place.settings.workspace / source
    ours = any(is_within(source, root) for root in place.ground.roots)
    try:
        fd = files.open_source(place.ground, source if ours else path)
    except StepSkipped as error:
        raise NotPromoted(error.message, "check its permissions", source) from error
    if liveness.lease(os.fspath(path)) == errno.EAGAIN:
        os.close(fd)
        hint = "promote it when it is whole"
        raise NotPromoted(f"{source} is open for writing", hint, source)
    return fd


def _same(place: Workplace, fd: int, there: Sequence[ModelFile]) -> str:
    """The milestone that holds these very bytes, or ""."""
    (folder,) = place.settings.folders.best_models
    known = (each for each in there if is_milestone(each.path, folder))
    alike = [each for each in known if each.bytes == os.fstat(fd).st_size]
    digest = files.digest_of(fd) if alike else ""
    return next((each.path for each in alike if _digest(place, each.path) == digest), "")


def _digest(place: Workplace, path: str) -> str:
    """SHA-256 of a file of ours; "" where it can't be read."""
    try:
        fd = files.open_source(place.ground, path)
    except StepSkipped:
        return ""
    try:
        return files.digest_of(fd)
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


@contextmanager
def _sweep(place: Workplace, command: str, target: str) -> Iterator[str]:
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
        folder = files.staging_for(place.ground, sweep, target)
        files.discard(place.ground, folder, stranded(place.journal))
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


def _promoted(place: Workplace, sweep: str, wish: Wish, fd: int, target: str) -> Promoted:
    folder = files.staging_for(place.ground, sweep, target)
    try:
        model = files.stage(place.ground, fd, f"{folder}/{target}")
        proof = _verified(place.settings.workspace / model.path, wish.python)
        told, notes = _told(place, wish, target, model)
        told["verified"] = proof
        notes = (*notes, *_doubts(proof))
        meta = files.write(place.ground, _text(told), f"{folder}/{meta_of(target)}")
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


def _verified(path: Path, python: Sequence[str]) -> list[str]:
    """What was looked at, of a copy that nobody writes to any more. Raises Flawed."""
    read_model(path, (), "")
    why = weights.objection(os.fspath(path), (), python)
    if why:
        raise Flawed(why)
    return ["checksums", "opcodes", *([WITH_TORCH] if why == "" else [])]


def _doubts(proof: Collection[str]) -> Iterator[str]:
    if WITH_TORCH not in proof:
        yield _UNASKED


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
        "promoted_at": _now(),
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
_UNASKED = "torch could not be asked whether it loads: it is in no Python that is known here"


def _plain(told: Mapping[str, object]) -> dict[str, Any]:
    return {key: plainly(value) for key, value in told.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _text(told: Mapping[str, object]) -> bytes:
    return json.dumps(told, indent=2, allow_nan=False).encode("ascii") + b"\n"


# ------------------------------------------------------------------ choose, and no more


def _choose(place: Workplace, wish: Wish, path: str) -> Promoted:
    """A milestone that lies there already; what a person wrote of it stays."""
    before = _read(place, path)
    if milestone.is_chosen(before):
        return Promoted("same", path, before)
    fd = _opened(place, path)
    try:
        proof, digest = _in_place(place, path, wish), files.digest_of(fd)
        size = os.fstat(fd).st_size
    finally:
        os.close(fd)
    stem = path.rpartition("/")[2].removesuffix(SUFFIX)
    fresh = {"format": milestone.FORMAT, "name": stem, "note": ""} | before
    fresh |= {CHOSEN: True, "sha256": digest, "bytes": size, "promoted_at": _now()}
    fresh |= {"verified": proof, **({"note": plainly(wish.note)} if wish.note else {})}
    return replace(_rewritten(place, PROMOTE, path, before, fresh), notes=(*_doubts(proof),))


def _in_place(place: Workplace, path: str, wish: Wish) -> list[str]:
    try:
        return _verified(place.settings.workspace / path, wish.python)
    except Flawed as flaw:
        raise NotPromoted(f"{path} is not promoted: {flaw}", "", path) from flaw


def demote(place: Workplace, path: str) -> Promoted:
    """Let Git ignore a milestone again; the file stays, and what it names stays protected."""
    before = _read(place, path)
    if not milestone.is_chosen(before):
        return Promoted("same", path, before)
    fresh = before | {CHOSEN: False, "demoted_at": _now()}
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
        with os.fdopen(files.open_source(place.ground, name), "rb") as file:
            text = file.read(_META_LIMIT + 1)
        found = json.loads(text) if len(text) <= _META_LIMIT else None
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
    with _sweep(place, do, name) as sweep:
        try:
            folder = files.staging_for(ground, sweep, name)
            meta = files.write(ground, _text(told), f"{folder}/{name}")
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
    mark = fingerprint_of(recheck.read(place.settings.workspace, name))
    reasons, moves = ("written anew",), leaving(place, sweep, [name])
    return Intent("trash", "milestone", name, size, size, mark, reasons, moves=moves)


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
