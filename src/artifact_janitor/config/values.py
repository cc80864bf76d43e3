"""The values of the other tables: each from the file as the core takes it, or ValueError.

Those of ``[[retrain]]`` are in ``trainer_values``.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from datetime import date, datetime
from difflib import get_close_matches

from artifact_janitor.config.said import MOST, said
from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.model import KINDS
from artifact_janitor.core.policy import ARCHIVE, pattern
from artifact_janitor.core.slimming import SLIM
from artifact_janitor.units import DAY, parse_duration, parse_size, quoted

LONGEST_NAME = 200
"""Letters in the name of a metric."""

THEN = ("trash", SLIM, ARCHIVE, COMPRESS)


def meant(word: str, known: tuple[str, ...] | list[str]) -> str:
    """The known word that `word` is probably a slip of, or ""."""
    return next(iter(get_close_matches(word, known, 1)), "")


def duration(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError(f'{said(value)} is no duration; write "14d", "36h", "90m"')
    return parse_duration(value)


def keep_within(value: object) -> int:
    length = duration(value)
    if length == 0:
        raise ValueError(f'{said(value)} keeps nothing; write "14d", "36h"')
    return length


def expire(value: object) -> int:
    length = duration(value)
    if length < DAY:
        raise ValueError(f'{said(value)} keeps nothing for a day; write "365d"')
    return length


def count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{said(value)} is no whole number; write it like 20, without quotes")
    if value < 1:
        raise ValueError(f"{said(value)} keeps nothing; write 1 or more, or remove the line")
    if value > MOST:
        raise ValueError(f"{said(value)} is too large")
    return value


def share(value: object) -> float:
    try:
        part = float(value) if isinstance(value, int | float | str) else 0.0
    except (ValueError, OverflowError):
        part = 0.0
    if isinstance(value, bool) or not 0 < part <= 1:
        raise ValueError(f"{said(value)} is no share; write more than 0, at most 1: 0.2 is 20 %")
    return part


def size(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError(f'{said(value)} is no size; write "50GB", "500MB", "2TiB"')
    return parse_size(value)


def max_size(value: object) -> int:
    most = size(value)
    if most == 0:
        raise ValueError(f'{said(value)} keeps nothing; write "200GB", or remove the line')
    return most


def switch(value: object) -> bool:
    """The environment holds text only."""
    known = {True: True, False: False, "true": True, "false": False}
    if not isinstance(value, bool | str) or value not in known:
        raise ValueError(f"{said(value)} is no switch; write true or false, without quotes")
    return known[value]


def day(value: object) -> date:
    """A day as TOML writes it, or as text. Raises ValueError."""
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            value = date.fromisoformat(value)
    except ValueError:
        value = None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("is no day; write it like 2025-12-31")
    return value


def uploaded_before(value: object) -> date:
    try:
        return day(value)
    except ValueError as error:
        raise ValueError(f"{said(value)} {error}") from None


def unsynced(value: object) -> str:
    if value not in ("keep", ARCHIVE):
        raise ValueError(f'{said(value)} is nothing to do; write "keep" or "{ARCHIVE}"')
    return str(value)


def kind(value: object) -> str:
    if not isinstance(value, str) or value not in KINDS:
        guess = meant(value, KINDS) if isinstance(value, str) else ""
        advice = f'did you mean "{guess}"?' if guess else "one of " + ", ".join(KINDS)
        raise ValueError(f"{said(value)} is no kind; {advice}")
    return value


def metric(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f'{said(value)} is no metric; write its name as it was logged, "val_f1"')
    if len(value) > LONGEST_NAME:
        raise ValueError(f"{said(value)} is too long for the name of a metric")
    return value


def direction(value: object) -> str:
    if value not in ("max", "min"):
        raise ValueError(f'{said(value)} is no direction; write "max" (more is better) or "min"')
    return str(value)


def missing(value: object) -> str:
    if value not in ("keep", "ignore"):
        raise ValueError(f'{said(value)} is nothing to do; write "keep" or "ignore"')
    return str(value)


def best(value: object) -> object:
    if not isinstance(value, dict):
        form = 'keep_best = { metric = "val_f1", direction = "max" }'
        raise ValueError(f"{said(value)} is no table; write {form}")
    return value


def then(value: object) -> str:
    if value not in THEN:
        words = '", "'.join(THEN[:-1]) + f'" or "{THEN[-1]}'
        raise ValueError(f'{said(value)} is nothing to do; write "{words}"')
    return str(value)


def glob(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f'{said(value)} is no path pattern; write it like "outputs/**"')
    if value.startswith(("/", "~")) or ".." in value.split("/"):
        raise ValueError(f"{said(value)} lies outside the workspace; paths are relative to it")
    if posixpath.normpath(value) != value:
        better = posixpath.normpath(value) + ("/**" if value.endswith("/") else "")
        raise ValueError(f"{said(value)} can match nothing; write {quoted(better)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pattern(value)
    except re.error as error:
        raise ValueError(f"{said(value)} is no path pattern: {error}") from None
    return value


def folder(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"{said(value)} is no folder name")
    place = posixpath.normpath(value)
    parts = place.split("/")
    if place.startswith(("/", "~")) or ".." in parts:
        raise ValueError(f"{said(value)} lies outside the workspace")
    if place == ".":
        raise ValueError(f"{said(value)} is the workspace itself; name a folder in it")
    for own, whose in ((".git", "Git's"), (".janitor", "the janitor's own")):
        if own in parts:
            raise ValueError(f"{said(value)} lies in {own}, which is {whose}")
    return place


def one_folder(value: object) -> tuple[str, ...]:
    """One folder, normalised. Raises ValueError."""
    if isinstance(value, list):
        raise ValueError("takes one folder, not a list")
    return (folder(value),)


def some_folders(value: object) -> tuple[str, ...]:
    """A folder or a list of them, normalised; the empty list is none. Raises ValueError."""
    return tuple(folder(each) for each in (value if isinstance(value, list) else [value]))


OWN_STORE = ".janitor/archive"


def store_place(value: object) -> str:
    """Absolute, or in the workspace; whether it lies among the runs is checked elsewhere."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f'{said(value)} is no folder; write it like "/mnt/big/archives"')
    place = posixpath.normpath(value)
    if place == OWN_STORE:
        return place
    if not place.startswith("/"):
        return folder(value)
    if place.strip("/") == "":
        raise ValueError(f"{said(value)} is the root of all; name a folder in it")
    return place


def level(value: object) -> int:
    """The environment holds text only."""
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 19:
        raise ValueError(f"{said(value)} is no level of zstd; write 1 (fast) to 19 (small)")
    return number


def some_time(value: object) -> int:
    length = duration(value)
    if length == 0:
        raise ValueError(f'{said(value)} is no time at all; write "60s", "12h"')
    return length
