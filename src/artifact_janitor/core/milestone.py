"""Milestones: how they are called, and what is told of each in its ``NAME_meta.json``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain, count
from typing import Final

from artifact_janitor.core.model import is_within

FORMAT: Final = "artifact-janitor/milestone/1"
"""Of ``NAME_meta.json``. A later format may add keys; what is there keeps its meaning."""
PROMOTE: Final = "promote"
DEMOTE: Final = "demote"
STEPS: Final = (PROMOTE, DEMOTE)
"""Steps on milestones: in both of them files take their place, as those of a publication do."""
RULE: Final = "rule"
"""The command of a sweep that lets Git follow: it goes with the one before, as undo takes it."""
SUFFIX: Final = ".pt"
META: Final = "_meta.json"
CHOSEN: Final = "chosen"
"""The key in it that says whether Git is to keep the model."""

_PLAIN = "._-+=@"
"""Beside letters and digits. No blanks, quotes or globs: the name stands in a rule of Git's."""
_LONGEST = 255 - len(META)
"""Bytes of a name, of which its file's must not take more than 255."""


def objection(name: str) -> str:
    """Why a milestone can't be called so, or ""."""
    if not name or name.startswith("."):
        return "it begins with a dot" if name else "it is empty"
    if odd := next((each for each in name if not (each.isalnum() or each in _PLAIN)), ""):
        said = "bytes that are no text" if 0xDC80 <= ord(odd) <= 0xDCFF else repr(odd)
        return f"it holds {said}; letters, digits and {' '.join(_PLAIN)} are what a name may hold"
    if _size(name) > _LONGEST:
        return f"it is longer than {_LONGEST} bytes"
    return "it begins with -, like an option" if name.startswith("-") else ""


def _size(name: str) -> int:
    return len(name.encode("utf-8", "surrogateescape"))


def fit(text: str) -> str:
    """What comes closest to a text among the names that a milestone may have."""
    plain = "".join(each if each.isalnum() or each in _PLAIN else "_" for each in text)
    while _size(plain) > _LONGEST:
        plain = plain[:-1]
    return plain.strip("._-") or "milestone"


def free(name: str, taken: Collection[str]) -> str:
    """The name, or with a number behind it one that nobody has."""
    others = (f"{name[: _LONGEST // 4]}-{number}" for number in count(2))
    return next(each for each in chain((name,), others) if each not in taken)


def name_for(source: str, unit: str) -> str:
    """How a milestone is called of which nobody said how: by its run, or the folder of a
    published model, and its file."""
    stem = source.rpartition("/")[2].rpartition(".")[0].removeprefix("final_model_")
    if not unit or not is_within(source, unit) or source == unit:
        return fit(stem)
    run = unit.split("/")
    dated = len(run) > 1 and run[-1].replace("-", "").isdecimal()
    return fit("_".join([*run[-2 if dated else -1 :], stem]))


def meta_of(model: str) -> str:
    """``best_models/a.pt`` is told of in ``best_models/a_meta.json``."""
    return f"{model.removesuffix(SUFFIX)}{META}"


def is_chosen(told: Mapping[str, object]) -> bool:
    """Whether Git is to keep the model, by what its ``NAME_meta.json`` says."""
    return told.get(CHOSEN) is True
