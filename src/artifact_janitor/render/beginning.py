"""What ``init`` found, and what its proposals would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from artifact_janitor.core.model import Artifact
from artifact_janitor.core.plan import Plan
from artifact_janitor.core.policy import Policy
from artifact_janitor.render.lines import line
from artifact_janitor.render.words import plural, shown
from artifact_janitor.units import duration_literal, format_size

NAMES = {
    "hydra-run": "Hydra run",
    "hydra-sweep": "sweep",
    "wandb-run": "W&B run",
    "training-run": "training run",
    "mlflow-run": "MLflow run",
    "checkpoint": "checkpoint",
    "log": "log",
    "study": "study",
    "model": "model",
    "milestone": "milestone",
    "cache": "cache",
}


@dataclass(frozen=True, slots=True)
class Beginning:
    """A look at a workspace with proposed policies; ``folders`` are those found elsewhere."""

    workspace: str
    artifacts: Sequence[Artifact]
    policies: Sequence[Policy]
    plan: Plan
    folders: dict[str, list[str]]


def of_beginning(found: Beginning) -> dict[str, Any]:
    return {
        "workspace": found.workspace,
        "units": Counter(each.kind for each in found.artifacts),
        "folders": found.folders,
        "policies": [_sums(found, policy) | {"keeps": _rules(policy)} for policy in found.policies],
    }


def beginning_lines(found: Beginning) -> Iterator[Text]:
    counted: Counter[str] = Counter(each.kind for each in found.artifacts)
    parts = [plural(counted[kind], name) for kind, name in NAMES.items() if counted[kind]]
    size = format_size(sum(each.bytes for each in found.artifacts if each.parent is None))
    what = f"{', '.join(parts)} — {size}" if parts else "no runs yet"
    yield line(f"Looked at {shown(found.workspace)}: {what}.")
    for key, folders in found.folders.items():
        yield line(f"Runs elsewhere: {', '.join(map(shown, folders))} (folders.{key})")
    fits = " with policies that fit it" if found.policies else ", with every policy still to choose"
    yield line(("Wrote config.toml", "bold"), f"{fits}. Nothing was changed.")
    yield Text()
    for policy in found.policies:
        yield _proposal(found, policy)
    yield line("\nNext: ", ("janitor plan", "bold"))


def _proposal(found: Beginning, policy: Policy) -> Text:
    sums = _sums(found, policy)
    frees, size = format_size(sums["frees"]), format_size(sums["bytes"])
    row = f"  {policy.kind:<12}  {_rules(policy):<46}  would free {frees:>7} of {size:>7}"
    held = sums["unsynced"]
    return line(row, (f"   ({plural(held, 'run')} not uploaded: kept)" if held else "", "dim"))


def _sums(found: Beginning, policy: Policy) -> dict[str, Any]:
    here = [each for each in found.artifacts if each.kind == policy.kind]
    kept = (each for each in found.plan.kept if each.artifact.kind == policy.kind)
    unsynced = sum(any(e.fact == "unsynced" for e in each.protections) for each in kept)
    going = (step.artifact for step in found.plan.steps if step.artifact.kind == policy.kind)
    return {
        "kind": policy.kind,
        "bytes": sum(each.bytes for each in here),
        "frees": sum(each.frees for each in going),
        "unsynced": unsynced,
    }


def _rules(policy: Policy) -> str:
    parts = [
        f"{policy.keep_last} newest" if policy.keep_last else "",
        duration_literal(policy.keep_within) if policy.keep_within else "",
        f"one a month for {policy.keep_monthly}" if policy.keep_monthly else "",
    ]
    within = " of each run" if policy.kind == "checkpoint" else ""
    return "keep " + ", ".join(filter(None, parts)) + within
