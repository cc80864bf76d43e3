"""What a person wants to keep of a kind: plain values, validated by the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache

from artifact_janitor.core.model import Artifact, Kind

ARCHIVE = "archive"
"""What a policy's ``then`` and a step say of a unit that moves into an archive first."""

NEVER_ARCHIVED: dict[Kind, str] = {
    "mlflow-run": "what MLflow's database knows of a run would not be in its archive",
    "cache": "caches are made anew",
}
"""Kinds of which an archive would not hold all, or nothing worth it, and why."""

RUNS: tuple[Kind, ...] = ("hydra-run", "hydra-sweep", "training-run", "wandb-run")
"""The kinds of which an archive may take the trash's place where something in them is not to
be lost (S3, S6)."""


@dataclass(frozen=True, slots=True)
class Best:
    """Which units are best: the ``n`` with the largest or smallest ``metric``.

    ``direction`` is "max" or "min". ``missing`` says what becomes of a unit without the
    metric: "keep", or "ignore", which leaves it to the other rules.
    """

    metric: str
    direction: str
    n: int = 1
    missing: str = "keep"


@dataclass(frozen=True, slots=True)
class Policy:
    """What to keep of the units of one kind; a unit is kept if any rule keeps it.

    ``keep_within`` is in nanoseconds, the other rules count units or periods.
    None means that the rule isn't set. Beyond ``max_size`` (allocated bytes) all of them
    yield, oldest first.
    """

    kind: Kind
    path: str = "**"
    keep_last: int | None = None
    keep_within: int | None = None
    keep_hourly: int | None = None
    keep_daily: int | None = None
    keep_weekly: int | None = None
    keep_monthly: int | None = None
    keep_best: Best | None = None
    then: str = "trash"
    max_size: int | None = None
    unsynced: str = "keep"
    """What becomes of W&B runs without proof of upload: "keep", or "archive" (S3)."""
    expire: int | None = None
    """How long archives and compressed logs are kept, in nanoseconds; None for good."""
    uploaded_before: date | None = None
    """A person's word: W&B runs whose last day lies before this one are uploaded (S3)."""

    @property
    def has_rules(self) -> bool:
        return any(getattr(self, each.name) is not None for each in _RULES)

    def governs(self, artifact: Artifact) -> bool:
        if artifact.kind != self.kind:
            return False
        return self.path == "**" or bool(pattern(self.path).fullmatch(artifact.path))


_RULES = tuple(each for each in fields(Policy) if each.name.startswith("keep_"))


@dataclass(frozen=True, slots=True)
class Safety:
    """Limits that hold for every policy. Durations in nanoseconds, ``max_share`` in 0–1."""

    grace: int
    trash_keep: int
    max_share: float


@dataclass(frozen=True, slots=True)
class Disk:
    """How many bytes of each filesystem shall be free; None where that doesn't matter.

    ``purge_early`` lets the trash go before its time where they are not.
    """

    keep_free: int | None = None
    purge_early: bool = False


@lru_cache(maxsize=256)
def pattern(glob: str) -> re.Pattern[str]:
    """A path pattern: a whole ``**`` is any folders, the rest stays within one name.

    Raises re.error for a set that can't be one.
    """
    *above, last = glob.split("/")
    parts = ["(?:.*/)?" if name == "**" else _name(name) + "/" for name in above]
    return re.compile("".join(parts) + (".*" if last == "**" else _name(last)), re.DOTALL)


def _name(glob: str) -> str:
    """``*`` any letters, ``?`` one, ``[ab]`` and ``[!ab]`` sets."""
    tokens = re.findall(r"\*+|\?|\[!?\]?[^\]]*\]|.", glob, re.DOTALL)
    return "".join(_token(token) for token in tokens)


def _token(token: str) -> str:
    if token.startswith("*"):
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if token.startswith("[") and len(token) > 1:
        body = token[1:-1]
        negated = "^" if body.startswith("!") else ""
        plain = re.sub(r"([\\\[\]&|~^])", r"\\\1", body[len(negated) :])
        return f"(?!/)[{negated}{plain}]"
    return re.escape(token)
