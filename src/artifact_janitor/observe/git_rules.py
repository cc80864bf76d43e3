"""What Git's rules say of paths: Git itself is the judge, and never asked to change anything.

It is asked about a scratch folder that holds nothing but the ``.gitignore`` files as they would
be, together with the real repository's settings: so neither the real file nor the index is
touched, and global rules, ``info/exclude`` and the case of names count as they do for real.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from artifact_janitor.core.gitignore import FILE
from artifact_janitor.core.gitignore_proof import Verdict
from artifact_janitor.observe.git import (
    GitUnknown,
    command,
    complaint,
    environment,
    in_repository,
)
from artifact_janitor.regular import open_regular

LARGEST = 4 << 20
"""Bytes of a ``.gitignore``; what is larger is something else."""
UNDERWAY = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "sequencer": "a cherry-pick or revert",
    "BISECT_LOG": "a bisection",
    "index.lock": "a Git command",
}
"""What Git leaves in its folder as long as it is at it."""


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository that a workspace lies in; `prefix` is the workspace's path in it, "" or
    with a "/" at its end."""

    workspace: Path
    git: Path
    prefix: str

    @property
    def top(self) -> Path:
        return Path(str(self.workspace)[: -len(self.prefix)]) if self.prefix else self.workspace

    @property
    def underway(self) -> str:
        """What Git is in the middle of, or ""."""
        found = (what for name, what in UNDERWAY.items() if os.path.lexists(self.git / name))
        return next(found, "")


def repository(workspace: Path) -> Repository | None:
    """None where there is none. Raises GitUnknown where there is one that can't be asked."""
    if not in_repository(workspace):
        return None
    ask = ("rev-parse", "--is-inside-work-tree", "--show-prefix", "--absolute-git-dir")
    said = asked(workspace, *ask).split(b"\n")
    if said[0] != b"true" or len(said) != 4:
        raise GitUnknown("it is no working copy: a bare repository, or Git's own folder")
    prefix, git = (os.fsdecode(each) for each in said[1:3])
    if not f"{workspace}/".endswith(f"/{prefix}"):
        raise GitUnknown("Git sees the workspace at another place")
    return Repository(workspace, Path(git), prefix)


def asked(workspace: Path, *args: str, index: str = "", given: bytes = b"") -> bytes:
    """What a Git command says; with `index` by another index. Raises GitUnknown."""
    env = environment() | ({"GIT_INDEX_FILE": index} if index else {})
    words = command("-C", os.fspath(workspace), *args)
    try:
        done = subprocess.run(words, input=given, capture_output=True, check=False, env=env)
    except FileNotFoundError:
        raise GitUnknown("there is a Git repository, but no git command") from None
    if done.returncode not in (0, 1):
        raise GitUnknown(complaint(done.stderr, done.returncode))
    return done.stdout


# ------------------------------------------------------------------ what there is


def listed(repo: Repository, *options: str) -> list[str]:
    """Paths in the workspace as ``git ls-files`` names them."""
    said = asked(repo.workspace, "ls-files", "-z", *options)
    return [os.fsdecode(each) for each in said.split(b"\0") if each]


def rule_files(repo: Repository) -> list[str]:
    """Tracked ones, as far as they are there."""
    found = listed(repo, "--", FILE, f":(glob)**/{FILE}")
    return [each for each in dict.fromkeys(found) if os.path.lexists(repo.workspace / each)]


def apart(repo: Repository) -> list[str]:
    """What is not tracked, and what is ignored: a folder of which that is true as a whole
    stands for all in it, with "/" at its end."""
    kept = ("--others", "--exclude-standard", "--directory", "--no-empty-directory")
    ignored = ("--others", "--ignored", "--exclude-standard", "--directory")
    found = dict.fromkeys((*listed(repo, *kept), *listed(repo, *ignored)))
    if "./" in found:  # nothing in the workspace is tracked
        del found["./"]
        found |= dict.fromkeys(inside(repo, ""))
    return [each for each in found if not _is_repository(repo, each)]


def inside(repo: Repository, folder: str) -> Iterator[str]:
    """The entries of a folder ("" or with "/" at its end), folders with "/" at their ends;
    without repositories of their own, and what can't be read."""
    try:
        with os.scandir(repo.workspace / folder) as entries:
            found = [(each.name, each.is_dir(follow_symlinks=False)) for each in entries]
    except OSError:
        return
    for name, is_folder in found:
        path = f"{folder}{name}/" if is_folder else f"{folder}{name}"
        if name != ".git" and not (is_folder and _is_repository(repo, path)):
            yield path


def _is_repository(repo: Repository, path: str) -> bool:
    return path.endswith("/") and os.path.lexists(repo.workspace / path / ".git")


def read_rules(path: Path) -> bytes | None:
    """A file as Git reads it; None where Git finds none: links are not followed."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return file.read(LARGEST)
    except OSError:
        return None


_RAW = re.compile(rb":[0-7]+ ([0-7]+) [0-9a-f]+ ([0-9a-f]+) [A-Z][0-9]*")


def staged(repo: Repository, index: str = "") -> dict[str, int]:
    """What the next commit brings, with its size in bytes; a hook has an `index` of its own.

    A link to another repository is no file; of a file in LFS the pointer is committed.
    """
    options = ("--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff")
    limits = ("--diff-filter=AMT", "--relative", "--ignore-submodules=all")
    said = asked(repo.workspace, "diff", *options, *limits, index=index).split(b"\0")
    raws = ((_RAW.fullmatch(head), path) for head, path in zip(said[::2], said[1::2], strict=False))
    found = {
        os.fsdecode(path): raw[2] for raw, path in raws if raw and raw[1] in (b"100644", b"100755")
    }
    sizes = _sizes(repo, set(found.values()))
    return {path: sizes.get(blob, 0) for path, blob in found.items()}


def _sizes(repo: Repository, blobs: set[bytes]) -> dict[bytes, int]:
    form = "--batch-check=%(objectname) %(objectsize)"
    names = b"".join(each + b"\n" for each in blobs)
    said = asked(repo.workspace, "cat-file", form, given=names) if blobs else b""
    rows = (each.split() for each in said.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


# ------------------------------------------------------------------ the judge


@dataclass(frozen=True, slots=True)
class _World:
    """One set of rules: a folder with nothing but them, and the Git folder it goes by."""

    name: str
    tree: Path
    git: Path
    prefix: str


class Judge:
    """Asks Git about a workspace as it would be, in an empty folder `scratch`.

    The worlds: "alone" are a person's own rules, "new" these with our block, and "want" our
    rules and nothing else. Raises GitUnknown.
    """

    def __init__(self, repo: Repository, scratch: Path, files: Mapping[str, bytes | None]) -> None:
        self.repo = repo
        self.scratch = scratch
        bare = scratch / "git"
        self._worlds = {
            "alone": _World("alone", scratch / "alone", repo.git, repo.prefix),
            "new": _World("new", scratch / "new", repo.git, repo.prefix),
            "want": _World("want", scratch / "want", bare, ""),
        }
        self._make_bare(bare)
        for world in self._worlds.values():
            _put(world.tree, f"{world.prefix}{FILE}", files[world.name])
        for above in _above(repo.prefix):
            self.learn(read_rules(repo.top / above / FILE), f"{above}{FILE}", inside=False)

    def _make_bare(self, folder: Path) -> None:
        """A repository without rules of its own, for names as the real one compares them."""
        case = asked(self.repo.workspace, "config", "--type=bool", "core.ignorecase").strip()
        for name in ("objects", "refs"):
            (folder / name).mkdir(parents=True)
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
        flags = f"[core]\nrepositoryformatversion = 0\nignorecase = {case.decode() or 'false'}\n"
        (folder / "config").write_text(flags)

    def learn(self, content: bytes | None, path: str, *, inside: bool = True) -> None:
        """Another file of rules, below the workspace's own or above it."""
        for name in ("alone", "new"):
            world = self._worlds[name]
            _put(world.tree, f"{world.prefix}{path}" if inside else path, content)

    def make(self, folder: str) -> None:
        """So that Git knows that this is a folder, and says which rule brings it back."""
        for world in self._worlds.values():
            (world.tree / f"{world.prefix}{folder}").mkdir(parents=True, exist_ok=True)

    def verdicts(self, paths: Sequence[str]) -> dict[str, list[Verdict]]:
        """What each world says of each path; a folder has "/" at its end."""
        running = {name: self._asked(world, paths) for name, world in self._worlds.items()}
        return {name: self._heard(self._worlds[name], each) for name, each in running.items()}

    def tracked(self) -> list[str]:
        """The tracked paths that our own rules match, whether Git cares or not."""
        tree, prefix = self.scratch / "index", self.repo.prefix
        _put(tree, f"{prefix}{FILE}", read_rules(self._worlds["want"].tree / FILE))
        world = _World("index", tree, self.repo.git, prefix)
        options = ("ls-files", "-z", "--cached", "--ignored", f"--exclude-per-directory={FILE}")
        running = self._begun(world, options, "tracked", None)
        return [os.fsdecode(each) for each in _output(self.scratch / "tracked", running)]

    def _asked(self, world: _World, paths: Sequence[str]) -> subprocess.Popen[bytes]:
        asks = self.scratch / f"{world.name}.asked"
        given = (os.fsencode(f"{world.prefix}{each}") for each in paths)
        asks.write_bytes(b"\0".join(b"./" + each for each in given))
        options = ("check-ignore", "-z", "-v", "-n", "--no-index", "--stdin")
        return self._begun(world, options, f"{world.name}.said", asks)

    def _begun(
        self, world: _World, options: Sequence[str], output: str, given: Path | None
    ) -> subprocess.Popen[bytes]:
        own = ("-c", f"core.excludesFile={os.devnull}") if world.name == "want" else ()
        words = command(f"--git-dir={world.git}", f"--work-tree={world.tree}", *own, *options)
        place = world.tree / world.prefix if given is None else world.tree
        with (
            open(given or os.devnull, "rb") as stdin,
            open(self.scratch / output, "wb") as stdout,
            open(self.scratch / f"{output}.errors", "wb") as errors,
        ):
            return subprocess.Popen(
                words, cwd=place, stdin=stdin, stdout=stdout, stderr=errors, env=environment()
            )

    def _heard(self, world: _World, running: subprocess.Popen[bytes]) -> list[Verdict]:
        fields = _output(self.scratch / f"{world.name}.said", running)
        rows = zip(fields[0::4], fields[1::4], fields[2::4], strict=False)
        return [self._verdict(world, *row) for row in rows]

    def _verdict(self, world: _World, source: bytes, line: bytes, pattern: bytes) -> Verdict:
        if not pattern:
            return NOTHING
        return Verdict(
            not pattern.startswith(b"!"),
            self._named(os.fsdecode(source), world),
            int(line),
            os.fsdecode(pattern),
        )

    def _named(self, source: str, world: _World) -> str:
        """A file of rules as a person finds it: relative where it lies in the workspace."""
        if source.startswith("/"):
            return source
        name = os.path.normpath(source)
        if name.startswith(world.prefix):
            return name[len(world.prefix) :]
        return str(self.repo.top / name)


NOTHING = Verdict(False)


def _output(file: Path, running: subprocess.Popen[bytes]) -> list[bytes]:
    """What it wrote, in parts. Raises GitUnknown where it failed."""
    if running.wait() not in (0, 1):
        errors = file.with_name(f"{file.name}.errors").read_bytes()
        raise GitUnknown(complaint(errors, running.returncode))
    return file.read_bytes().split(b"\0")[:-1]


def _above(prefix: str) -> list[str]:
    """The folders from the top of a repository to the one around the workspace."""
    parts = prefix.split("/")[:-1]
    return ["".join(f"{each}/" for each in parts[:depth]) for depth in range(len(parts))]


def _put(tree: Path, path: str, content: bytes | None) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        (tree / path).write_bytes(content)
