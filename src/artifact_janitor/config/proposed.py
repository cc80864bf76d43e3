"""A config.toml that fits what was found: the policies that ``janitor init`` proposes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from artifact_janitor.config.commented import sample
from artifact_janitor.core.model import Kind
from artifact_janitor.core.policy import Policy
from artifact_janitor.units import DAY, duration_literal

PROPOSALS: dict[Kind, Policy] = {
    "hydra-run": Policy("hydra-run", keep_last=20, keep_within=30 * DAY, keep_monthly=6),
    "hydra-sweep": Policy("hydra-sweep", keep_last=5, keep_within=60 * DAY),
    "wandb-run": Policy("wandb-run", keep_within=30 * DAY),
    "mlflow-run": Policy("mlflow-run", keep_within=30 * DAY),
    "checkpoint": Policy("checkpoint", keep_last=3, keep_within=7 * DAY),
    "log": Policy("log", keep_within=60 * DAY),
    "cache": Policy("cache", keep_within=30 * DAY),
}
"""Careful on purpose. Whole training runs get none: their checkpoints are the bulk."""

_RULES = ("keep_last", "keep_within", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly")


def proposed(kinds: Collection[str]) -> tuple[Policy, ...]:
    """The policies for the kinds that are there."""
    return tuple(policy for kind, policy in PROPOSALS.items() if kind in kinds)


def written(policies: Sequence[Policy], folders: Mapping[str, Sequence[str]]) -> str:
    """The text of a config.toml with these policies; `folders` only where they aren't default."""
    text = sample()
    for key, paths in folders.items():
        names = json.dumps([*paths] if len(paths) > 1 else paths[0])
        text = text.replace(f"\n#{key} = ", f"\n{key} = {names}\n#{key} = ", 1)
    return text[: text.index('\n#[[policy]]\n#kind = "wandb-run"')] + "\n".join(
        _table(policy) for policy in policies
    )


def _table(policy: Policy) -> str:
    rules = ((name, getattr(policy, name)) for name in _RULES)
    lines = [f"{name} = {_literal(name, value)}" for name, value in rules if value is not None]
    return "\n".join(("[[policy]]", f'kind = "{policy.kind}"', *lines, ""))


def _literal(name: str, value: int) -> str:
    return f'"{duration_literal(value)}"' if name == "keep_within" else str(value)
