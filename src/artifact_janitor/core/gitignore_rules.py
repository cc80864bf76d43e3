"""The policy for ``.gitignore`` as rules in Git's own language, in the order of their weight.

Each rule says what it is for, so that Git, asked with these rules alone, says what the policy
wants of a path. A folder is anchored (``/logs``), so that ``src/logs/writer.py`` is never
eaten, and has no slash at its end: one that is a link to another disk is meant, too. What lies
in an ignored folder can only come back by a chain that opens each folder on the way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from artifact_janitor.core.model import is_within

Means = Literal["ignore", "keep", "open", "wish"]
"""What a rule is for: ``open`` lets Git look into a folder for what is kept there; a ``wish``
is kept by saying nothing against it, and stands in no file."""

WEIGHTS = ("*.pt", "*.pth", "*.pth.tar", "*.ckpt", "*.safetensors")
"""Models, whatever folder they are in."""
UNFINISHED = ("*.pt.tmp", "*.pth.tmp", "*.ckpt.tmp")
"""Checkpoints that are being written."""
MODELS_TOO = ("*.bin", "*.h5", "*.joblib", "*.keras", "*.onnx", "*.pkl")
"""What only counts as a model where models are."""
WISHES = ("config/*.yaml", "config/*.yml", "README*", "docs/**/*.md")
"""What shall not be ignored by accident, and is never brought back from a person's own rule."""
ALL = "*"
"""In ``drop``: none of the defaults."""

_GLOB = frozenset("*?[\\")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
"""A name that needs no anchor: nothing in it means anything to Git."""


@dataclass(frozen=True, slots=True)
class Gitignore:
    """``[gitignore]``: patterns in Git's language; `max_size` in bytes."""

    ignore: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    max_size: int = 50 * 10**6


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are, by their names in the workspace; `ignored` are folders of runs."""

    ignored: tuple[str, ...]
    mlflow_db: str
    models: str
    best_models: str
    hpo_results: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One line; `default` is the name under which a person may drop it, or ""."""

    text: str
    means: Means
    default: str = ""


def escaped(path: str) -> str:
    """A name as Git takes it literally; a space at the end would be cut off."""
    literal = "".join(f"\\{char}" if char in _GLOB else char for char in path)
    return literal[:-1] + "\\ " if literal.endswith(" ") else literal


def spellings(path: str) -> tuple[str, ...]:
    """A Mac writes é as two letters, Linux as one; Git compares bytes."""
    return tuple(dict.fromkeys(unicodedata.normalize(form, path) for form in ("NFC", "NFD")))


def defaults(places: Places) -> list[Rule]:
    """The policy where nobody says anything else, ``drop`` not applied."""
    return [
        *_wishes(),
        *_ignored(places),
        *_results(places),
        *_sidecars(places.models),
        # after what is opened, which would bring them back
        *(Rule(text, "ignore", text) for text in ("__pycache__/", ".cache", ".janitor/")),
    ]


def names(places: Places) -> list[str]:
    """What a person may write in ``drop``."""
    return [*dict.fromkeys(each.default for each in defaults(places))]


def is_dropped(default: str, drop: Iterable[str]) -> bool:
    """``outputs``, ``/outputs`` and ``outputs/`` are the same."""
    return any(each == ALL or each.strip("/") == default.strip("/") for each in drop)


def rules(wish: Gitignore, places: Places, chosen: Iterable[str] = ()) -> list[Rule]:
    """All of it, the strongest last. `chosen` are paths of milestones."""
    found = [each for each in defaults(places) if not is_dropped(each.default, wish.drop)]
    own = [Rule(each, "ignore") for each in wish.ignore]
    roots = _roots(each.text for each in (*found, *own) if each.means == "ignore")
    milestones = [f"/{escaped(each)}" for each in sorted(chosen)]
    return [*found, *own, *_reopened(wish.keep, milestones, roots)]


def _wishes() -> Iterator[Rule]:
    for text in WISHES:
        yield Rule(f"!/{text}", "wish", text)


def _ignored(places: Places) -> Iterator[Rule]:
    for folder in places.ignored:
        for name in spellings(folder):
            yield Rule(f"/{escaped(name)}", "ignore", f"{folder}/")
    anchor = "" if _PLAIN.fullmatch(places.mlflow_db) else "/"
    for name in spellings(places.mlflow_db):
        for end in ("", "-*"):  # with what SQLite keeps beside it
            yield Rule(f"{anchor}{escaped(name)}{end}", "ignore", places.mlflow_db)
    for text in ("*.log", *WEIGHTS, *UNFINISHED):
        yield Rule(text, "ignore", text)
    for folder in (places.models, places.best_models):
        for ending in MODELS_TOO:
            for name in spellings(folder):
                yield Rule(f"/{escaped(name)}/**/{ending}", "ignore", f"{folder}/**/{ending}")


def _results(places: Places) -> Iterator[Rule]:
    """What is to be in Git of milestones and of studies, however deep."""
    wanted = ((places.best_models, ("*.json",)), (places.hpo_results, ("*.json", "*.png")))
    for folder, endings in wanted:
        lines = [f"{folder}/**/{ending}" for ending in endings]
        for name in spellings(folder):
            top = escaped(name)
            for text in (*_opening(top), f"!/{top}/**/"):
                yield Rule(text, "open", lines[0])
            for ending, default in zip(endings, lines, strict=True):
                yield Rule(f"!/{top}/**/{ending}", "keep", default)


def _sidecars(models: str) -> Iterator[Rule]:
    """Only the folders that the janitor publishes to are opened: others may be ignored."""
    default = f"{models}/**/*.json"
    for name in spellings(models):
        top = escaped(name)
        for text in _opening(top):
            yield Rule(text, "open", default)
        for folder in ("hpo_derived", "manual_runs"):
            yield Rule(f"!/{top}/{folder}/", "open", default)
            yield Rule(f"!/{top}/{folder}/**/", "open", default)
        yield Rule(f"!/{top}/**/*.json", "keep", default)


def _opening(folder: str) -> list[str]:
    """A folder and all around it: ``a/b`` → ``!/a/``, ``!/a/b/``."""
    return [f"!/{each}/" for each in accumulate(folder.split("/"), "{}/{}".format)]


# ------------------------------------------------------------------ chains


def _roots(lines: Iterable[str]) -> list[str]:
    """The folders that a rule closes as a whole, as they are written in it; outer ones first."""
    found = set()
    for line in lines:
        is_folder = line.endswith("/") or "/" in line
        if is_folder and not any(each in line for each in "*?["):
            found.add(line.strip("/"))
    return sorted(found, key=len)


def _reopened(kept: Iterable[str], chosen: Sequence[str], roots: Sequence[str]) -> list[Rule]:
    """Bring back what these patterns mean, and nothing else of the folders that we close.

    The way to what a person keeps is opened elsewhere, too; to a milestone it is not.
    """
    ways: list[Rule] = []
    last: list[Rule] = []
    inside: list[tuple[str, list[str]]] = []
    for pattern in (*kept, *chosen):
        parts = pattern.strip("/").split("/")
        is_anchored = "/" in pattern[:-1]
        root = next((each for each in roots if _holds(each, parts)), None)
        if root is not None and is_anchored:
            inside.append((root, parts))
        elif is_anchored and pattern not in chosen:
            ways += [Rule(text, "open") for text in _way(parts)]
        text = f"!/{pattern.lstrip('/')}" if is_anchored else f"!{pattern}"
        last.append(Rule(text, "keep"))
        if pattern.endswith("/"):
            last.append(Rule(f"{text}**" if is_anchored else f"!**/{pattern}**", "keep"))
    return [*ways, *_levels(inside), *last]


def _holds(root: str, parts: Sequence[str]) -> bool:
    path = "/".join(parts)
    return path != root and is_within(path, root)


def _way(parts: Sequence[str]) -> list[str]:
    """The folders on the way to a pattern, up to the first that may be any."""
    known = parts[: parts.index("**")] if "**" in parts else parts
    ahead = known if len(known) < len(parts) else known[:-1]
    return _opening("/".join(ahead)) if ahead else []


def _levels(inside: Sequence[tuple[str, list[str]]]) -> list[Rule]:
    """Level by level, from the outside in: close all, then open what leads on. Below a folder
    that may be searched at any depth (``**``) all folders are open, and all files closed."""
    searched = {top for root, parts in inside for top in [_searched(root, parts)] if top}
    closing: dict[int, list[str]] = {}
    opening: dict[int, list[str]] = {}
    for root, parts in inside:
        first = root.count("/") + 1
        for text in _opening(root):
            opening.setdefault(first, []).append(text)
        for depth in range(first, len(parts)):
            above = "/".join(parts[:depth])
            if any(is_within(above, top) for top in searched):
                break
            closing.setdefault(depth + 1, []).append(f"/{above}/*")
            if depth + 1 < len(parts):
                opening.setdefault(depth + 1, []).append(f"!/{above}/{parts[depth]}/")
    for top in sorted(searched):
        depth = top.count("/") + 2
        closing.setdefault(depth, []).append(f"/{top}/**")
        opening.setdefault(depth, []).append(f"!/{top}/**/")
    found = []
    for depth in sorted({*closing, *opening}):
        found += [Rule(each, "ignore") for each in dict.fromkeys(closing.get(depth, ()))]
        found += [Rule(each, "open") for each in dict.fromkeys(opening.get(depth, ()))]
    return found


def _searched(root: str, parts: Sequence[str]) -> str:
    """The folder from which on a pattern means any depth, or ""."""
    if "**" not in parts:
        return ""
    at = parts.index("**")
    return "/".join(parts[: max(at, root.count("/") + 1)])
