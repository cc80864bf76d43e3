"""Names of studies and model types, which anyone may have written, as names of folders.

A study's name may be ``../../etc/x``, hold a newline, or 600 letters (S14).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from artifact_janitor.core.study import MODEL_TYPE, Identity

LONGEST = 80
"""Letters of a name that are kept; a file's name may have 255 bytes, of which a model needs
some for itself."""
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(name: str) -> str:
    """The same for the same name, and another one for another: what has to change is marked
    by eight digits of its hash."""
    plain = _OTHER.sub("_", name).lstrip(".-")[:LONGEST]
    if plain == name and plain:
        return plain
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain.strip('._-') or 'study'}-{digest}"


def model_type(
    name: str, attrs: Mapping[str, object], pattern: re.Pattern[str] | None
) -> str | None:
    """What kind of model a study is about: its attribute says so, or its name by the pattern;
    None where a person must be asked."""
    said = attrs.get(MODEL_TYPE)
    if isinstance(said, str) and said.strip():
        return safe_name(said.strip())
    found = pattern.search(name) if pattern else None
    return safe_name(found["model_type"]) if found and found["model_type"] else None


@dataclass(frozen=True, slots=True)
class Named:
    """A study that asks for a place: `stem` is that of its file."""

    identity: Identity
    stem: str
    model_type: str | None
    first_seen: int


def places(studies: Iterable[Named]) -> dict[Identity, str]:
    """The folder's name of each: the stem of its file. Where two of one model type would
    meet, the one that was seen first has it, and the other goes by its own name."""
    found: dict[Identity, str] = {}
    taken: set[tuple[str, str | None]] = set()
    for each in sorted(studies, key=lambda each: (each.first_seen, each.stem, each.identity)):
        choices = (each.stem, each.identity.name, repr(each.identity))
        names = (safe_name(choice) for choice in choices)
        free = (name for name in names if (name, each.model_type) not in taken)
        found[each.identity] = name = next(free)
        taken.add((name, each.model_type))
    return found
