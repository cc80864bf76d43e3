"""Let Git say of each path what a new ``.gitignore`` would do to it, before it is written."""

from __future__ import annotations

import errno
import fnmatch
import glob
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from artifact_janitor.config import Settings
from artifact_janitor.core import gitignore_proof as proof
from artifact_janitor.core.gitignore import FILE, Change, lines_before, without_block
from artifact_janitor.core.gitignore_proof import Finding, Seen, Verdict
from artifact_janitor.core.gitignore_rules import Rule
from artifact_janitor.errors import JanitorError
from artifact_janitor.gitignoring.look import GitTrouble, Sight, trouble
from artifact_janitor.observe import git_rules as git
from artifact_janitor.observe.git import GitUnknown
from artifact_janitor.observe.git_rules import Judge
from artifact_janitor.state import MAKE_ROOM, STATE, State

_FEW = 100
"""Paths that one rule of a person's brings back, of which more need not be looked at."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What Git said of the new file. With ``conflicts`` it is not written."""

    conflicts: tuple[Finding, ...] = ()
    others: tuple[Finding, ...] = ()
    """What is not as it should be, and no sync mends."""
    paths: int = 0
    """How many were asked about."""


def prove(settings: Settings, sight: Sight) -> Proof:
    """Ask Git about the file as it would be. Raises GitTrouble."""
    if sight.change is None:
        return Proof()
    return judged(sight, looked_at(settings, sight, sight.change))


def judged(sight: Sight, every: Sequence[Seen]) -> Proof:
    """What follows from Git's verdicts."""
    means = proof.meanings(sight.rules)
    told = sight.tracked | {path for path, _ in sight.large}
    ours = (each for each in every if each.path not in told)
    others = (*proof.misplaced(ours, means), *proof.accidents(every, means))
    return Proof(tuple(proof.conflicts(every, means)), others, len(every))


def looked_at(settings: Settings, sight: Sight, made: Change) -> list[Seen]:
    """What Git says of each path under the three sets of rules. Raises GitTrouble."""
    try:
        with _scratch(settings) as folder:
            judge = Judge(sight.repo, folder, _contents(sight, made))
            return [*_Look(settings, sight, made, judge).all()]
    except GitUnknown as error:
        raise trouble(settings, str(error)) from error
    except (OSError, JanitorError) as error:
        raise _unable(settings, error) from error


def _unable(settings: Settings, error: OSError | JanitorError) -> GitTrouble:
    """What Git is asked about can't be laid out. All else of a sweep goes on, and may be what
    makes room."""
    if isinstance(error, JanitorError):
        why, hint = error.message, error.hint
    else:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why, hint = error.strerror or str(error), MAKE_ROOM if is_full else "see janitor doctor"
    what = f"Git can't be asked about {settings.workspace}: {why}"
    return GitTrouble(what, hint, str(settings.workspace))


@contextmanager
def _scratch(settings: Settings) -> Iterator[Path]:
    """A folder for what Git is asked about, in our own where there is one that we may write in."""
    state = State(settings.workspace)
    if not state.is_open_to_us():
        with tempfile.TemporaryDirectory(prefix="gitignore-") as elsewhere:
            yield Path(elsewhere)
        return
    state.clear()
    with state.scratch() as folder:
        yield folder


def _contents(sight: Sight, made: Change) -> dict[str, bytes | None]:
    """The files that are compared: a person's own rules, these with our block, ours alone."""
    alone = None if made.old is None else without_block(made.old)
    wish = "".join(f"{each.text}\n" for each in sight.rules)
    texts = {"alone": alone, "new": made.new, "want": wish}
    return {
        name: None if text is None else text.encode("utf-8", "surrogateescape")
        for name, text in texts.items()
    }


class _Look:
    """All paths that there are, under three sets of rules. Folders that share one fate are not
    gone through; Git is asked once a level of the others."""

    def __init__(self, settings: Settings, sight: Sight, made: Change, judge: Judge) -> None:
        self.settings, self.sight, self.judge, self.repo = settings, sight, judge, sight.repo
        self.own = without_block(made.old or "")
        self.line = lines_before(made)
        self.means = proof.meanings(sight.rules)
        self.loose = _loose(settings, sight.rules)

    def all(self) -> Iterator[Seen]:
        for path in git.rule_files(self.repo):
            self._learn(path)
        level = [*_others(git.apart(self.repo))]
        while level:
            for path in level:
                self._learn(path)
            seen = self._seen(level)
            yield from (each for each in seen if not each.path.endswith("/"))
            folders = (each for each in seen if each.path.endswith("/"))
            ways = [each for each in folders if not proof.is_closed(each, self.means)]
            level = [path for each in ways for path in _others(git.inside(self.repo, each.path))]
        wanted = self.judge.tracked()
        yield from self._seen(wanted, wanted)
        yield from self._thought_up()

    def _learn(self, path: str) -> None:
        if path.endswith(f"/{FILE}"):
            self.judge.learn(git.read_rules(self.repo.workspace / path), path)

    def _seen(
        self, paths: Sequence[str], tracked: Iterable[str] = (), *, exist: bool = True
    ) -> list[Seen]:
        said, known = self.judge.verdicts(paths), {*tracked}
        rows = zip(paths, said["alone"], said["new"], said["want"], strict=True)
        return [
            Seen(path, alone, self._as_now(new), want, path in known, exist, self._firm(path, want))
            for path, alone, new, want in rows
        ]

    def _as_now(self, new: Verdict) -> Verdict:
        """With the line of the file as it is."""
        return replace(new, line=self.line(new.line)) if new.source == FILE else new

    def _firm(self, path: str, want: Verdict) -> bool:
        """JSON among models is only brought back where it stands beside a model."""
        if want.pattern not in self.loose:
            return True
        stem = path.removesuffix(".json")
        beside = (self.repo.workspace / f"{stem}{end}" for end in (".pth", ".pt"))
        return any(os.path.lexists(each) for each in beside)

    def _thought_up(self) -> Iterator[Seen]:
        """Samples of all rules; and what a person brings back by one, be it in a folder that is
        closed as a whole."""
        made = proof.probes(self.sight.rules, self.own, self.settings.folders.for_git)
        known = (*self._brought_back(), *_wished(self.repo.workspace, self.sight.rules))
        there = [each for each in dict.fromkeys(known) if each not in made]
        base = self.repo.workspace
        real = [each for each in made if os.path.lexists(base / each)]
        for each in (*real, *there):
            if _is_folder(base / each):  # by its name alone Git can't know
                self.judge.make(each)
        tracked = git.listed(self.repo, "--", *(f"./{each}" for each in (*made, *there)))
        yield from self._seen([each for each in made if each not in real], tracked, exist=False)
        yield from self._seen([*real, *there], tracked)

    def _brought_back(self) -> Iterator[str]:
        base = self.repo.workspace
        for line in self.own.split("\n"):
            pattern = line.strip().removeprefix("!").strip("/")
            if line.startswith("!") and "/" in pattern and "**" not in pattern:
                yield from glob.glob(pattern, root_dir=base)[:_FEW]


def _others(paths: Iterable[str]) -> Iterator[str]:
    """Without what is our own: it changes as we look, and has rules of its own."""
    return (each for each in paths if STATE not in each.split("/"))


def _wished(base: Path, policy: Iterable[Rule]) -> Iterator[str]:
    """What there is of what shall not be ignored by accident."""
    for each in policy:
        pattern = each.text.removeprefix("!/")
        folder, deep, name = pattern.partition("/**/")
        if each.means == "wish" and deep:
            for above, _, names in os.walk(base / folder):
                inside = os.path.relpath(above, base)
                yield from (f"{inside}/{found}" for found in fnmatch.filter(names, name))
        elif each.means == "wish":
            yield from glob.glob(pattern, root_dir=base)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _loose(settings: Settings, policy: Iterable[Rule]) -> set[str]:
    """The rules for sidecars."""
    (models,) = settings.folders.models
    name = f"{models}/**/*.json"
    return {each.text for each in policy if each.means == "keep" and each.default == name}
