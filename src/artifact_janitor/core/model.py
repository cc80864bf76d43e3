"""The facts that every decision is made from: frozen values, no I/O.

Paths are relative to the workspace, separated by "/", and decoded with
``surrogateescape``, so that a name which is not UTF-8 survives the round trip.
Times are nanoseconds since the epoch, sizes are allocated bytes
(``st_blocks * 512``), as ``du`` counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

Kind = Literal[
    "hydra-run",
    "hydra-sweep",
    "wandb-run",
    "training-run",
    "checkpoint",
    "log",
    "mlflow-run",
    "model",
    "cache",
    "study",
    "milestone",
    "unknown",
    "gitignore",
]
KINDS: tuple[Kind, ...] = get_args(Kind)[:-2]
"""The kinds that a policy may name; ``unknown`` is what no layout explains, and
``.gitignore`` itself is none that takes room."""

CACHES = frozenset({"__pycache__", ".cache"})
"""The names of folders that are caches, wherever in the workspace they lie."""

Role = Literal["", "best", "final", "last"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why we believe a fact.

    ``fact`` is one word that a program may match on (``live``, ``unsynced``,
    ``reference``, ``uploaded``, ``origin`` …); ``why`` is the sentence for a person;
    ``hint`` is what the person can do about it, often a command to type.
    """

    fact: str
    why: str
    hint: str = ""
    source: str = ""
    """What says so, where that is a path: it protects nothing that it lies in itself."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A best or final model file inside a run, or a published one.

    ``digest`` names the content: equal digests are equal bytes. It is "" where nothing
    else can have this content, and None as long as nobody looked.
    """

    path: str
    bytes: int
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """One unit of retention: a run, a sweep, a checkpoint, a log file."""

    path: str
    kind: Kind
    time: int
    """mtime of the newest regular file in it, in nanoseconds."""
    bytes: int = 0
    """Allocated bytes; a hard-linked file counts once."""
    frees: int = 0
    """Bytes that the disk gets back: files with a link from outside give back nothing."""
    files: int = 0
    parent: str | None = None
    """The innermost unit that contains this one."""
    within: str = ""
    """The run inside which a checkpoint's rules count; "" where they count workspace-wide."""
    fingerprint: str = ""
    """What was seen (S11); empty until the unit was walked in full."""
    protections: tuple[Evidence, ...] = ()
    """Why it must stay, whatever a policy says."""
    evidence: tuple[Evidence, ...] = ()
    """What speaks for letting it go: proof of origin, of upload, of silence."""
    role: Role = ""
    """What a checkpoint's run says of it."""
    step: int | None = None
    """A checkpoint's training step or epoch, as far as its name or state tells."""
    series: str = ""
    """A checkpoint's path in its run, without what counts its progress: what is alike in it are
    states of one thing, and in one folder the others of the same step belong to it."""
    valid: bool | None = True
    """Whether a checkpoint can be read to its end; None where its format can't tell."""
    models: tuple[ModelFile, ...] = ()
    """The best and final models that a run holds (S6)."""
    links: tuple[str, ...] = ()
    """Symlinks outside the unit that only name it, and go and come back with it."""
    metrics: tuple[tuple[str, float], ...] = ()
    """What it achieved, by name; only of metrics that a policy asks for."""
    incompressible: str = ""
    """Why a log is not compressed; "" where nothing speaks against it."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A person's protection: covers the path and all below it."""

    path: str
    note: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Trashed:
    """One unit in the trash: ``step`` is its number in the journal, ``at`` when it came."""

    step: int
    path: str
    trash: str
    kind: Kind
    bytes: int
    frees: int
    at: int
    fingerprint: str
    made: tuple[int, ...] = ()
    """The steps that made of it what is to stand for it: an archive, or a compressed file."""
    name: str = ""
    """How a person names its step for ``janitor undo``, where that is asked."""
    models: tuple[ModelFile, ...] = ()
    """The best and final models in it of which copies lay elsewhere when it went."""
    held: Evidence | None = None
    """Why it can't be purged, as far as the plan can know."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An archive that is in the index and lies in its store."""

    archive: Artifact
    """As a thing on the disk: its path, its size, and when it was made; with the kind, the
    models and the evidence of what is in it. Its links are what lies beside it."""
    unit: str
    """The path that the unit in it had."""
    written: int
    """When the unit was last written to, in nanoseconds."""
    step: int
    """The number in the journal of the step that made it."""
    digest: str
    """Of its manifest, as the index knows it."""
    is_read: bool = False
    """Whether its manifest was read, which tells all the rest."""
    uploads: tuple[str, ...] = ()
    """The W&B runs in it, by path."""
    run_ids: tuple[tuple[str, str], ...] = ()
    """W&B's ID of each, by path."""

    @property
    def path(self) -> str:
        return self.archive.path

    @property
    def time(self) -> int:
        return self.archive.time


@dataclass(frozen=True, slots=True)
class Filesystem:
    """One that holds roots: ``free`` bytes are there for ordinary users.

    ``trashes`` are the folders of the trash that lie on it.
    """

    roots: tuple[str, ...]
    free: int
    trashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """How much of a kind went without a person's yes within the last 24 hours."""

    units: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that is held back as a whole, with the way out.

    ``kind`` is the kind that is held back, or "" for everything.
    """

    code: str
    message: str
    hint: str = ""
    kind: str = ""
    path: str = ""


@dataclass(frozen=True)
class Catalogue:
    """The facts at one moment."""

    artifacts: tuple[Artifact, ...] = ()
    published: tuple[ModelFile, ...] = ()
    """Model files that no policy takes (best_models/)."""
    pins: tuple[Pin, ...] = ()
    trash: tuple[Trashed, ...] = ()
    archives: tuple[Stored, ...] = ()
    disks: tuple[Filesystem, ...] = ()
    """Known only where a person asked for ``keep_free``."""
    recent: Mapping[str, Tally] = field(default_factory=dict)
    futile: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints of logs that were compressed in vain, by path."""
    refusals: tuple[Refusal, ...] = ()
    """What observing already refused: a run that is the workspace itself, a jumped clock."""

    @cached_property
    def by_path(self) -> dict[str, Artifact]:
        return {artifact.path: artifact for artifact in self.artifacts}

    @cached_property
    def children(self) -> dict[str, list[Artifact]]:
        inside: dict[str, list[Artifact]] = {}
        for artifact in self.artifacts:
            if artifact.parent is not None:
                inside.setdefault(artifact.parent, []).append(artifact)
        return inside

    def up_from(self, artifact: Artifact) -> Iterator[str]:
        """The unit's path, and those of the units around it, innermost first."""
        path: str | None = artifact.path
        while path is not None:
            yield path
            path = self.by_path[path].parent

    def below(self, path: str) -> Iterator[Artifact]:
        """All units inside the unit at `path`, outermost first."""
        for child in self.children.get(path, ()):
            yield child
            yield from self.below(child.path)


def upward(path: str) -> Iterator[str]:
    """The path, the folders above it, innermost first, and "." for the workspace."""
    yield path
    yield from ancestors(path)
    yield "."


def ancestors(path: str) -> Iterator[str]:
    """The folders above a path, innermost first."""
    while path := path.rpartition("/")[0]:
        yield path


def folders_around(path: str) -> Iterator[str]:
    """All but itself that a path is within, as `is_within` tells."""
    yield from ("", ".")
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def is_within(path: str, folder: str) -> bool:
    """True where `path` is `folder` or lies below it, compared name by name."""
    return folder in ("", ".") or path == folder or path.startswith(folder + "/")
