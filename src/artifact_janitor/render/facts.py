"""Plans, reports and the rest as JSON data: format 1 of DESIGN's contract.

The text is ASCII; a name that is not UTF-8 keeps its bytes as lone surrogate escapes
(``"\\udcff"``), which Python's ``os.fsencode`` turns back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from artifact_janitor.core.compressing import COMPRESS
from artifact_janitor.core.model import Evidence, Refusal, Stored
from artifact_janitor.core.plan import Kept, Plan, Step
from artifact_janitor.core.slimming import SLIM
from artifact_janitor.outcome import Outcome
from artifact_janitor.render.jobs import of_handover
from artifact_janitor.render.room import of_rooms
from artifact_janitor.sweep import Report

SCHEMA = 1

Facts = dict[str, Any]


def answer(command: str, facts: Mapping[str, Any], errors: Iterable[Mapping[str, str]] = ()) -> str:
    """The one object that a command with ``--json`` prints."""
    errors = [*errors]
    whole = {
        "schema": SCHEMA,
        "command": command,
        "ok": not errors,
        "data": facts,
        "errors": errors,
    }
    return json.dumps(whole, ensure_ascii=True)


def error(code: str, message: str, hint: str = "", path: str = "") -> dict[str, str]:
    return {"code": code, "message": message, "hint": hint, "path": path}


def of_plan(plan: Plan, notes: Iterable[str] = ()) -> Facts:
    return {
        "plan": plan.id,
        "steps": [row for step in plan.steps for row in _rows(step)],
        "kept": [_kept(each) for each in plan.kept],
        "refused": [_refusal(each) for each in plan.refused],
        "notes": [*notes],
        **of_rooms(plan.disk),
    }


def _rows(step: Step) -> Iterable[Facts]:
    """A step, and what leaves with it: bytes count once, in the outermost unit."""
    artifact = step.artifact
    leaves = f"{step.path} is slimmed" if step.do == SLIM else f"leaves with {step.path}"
    yield _of_archive(step.stored) | {
        "do": step.do,
        "kind": artifact.kind,
        "path": step.path,
        "bytes": artifact.bytes,
        "frees": artifact.frees,
        "frees_now": step.frees_now,
        "reasons": [*step.reasons],
        **of_handover(step),
    }
    for inner in step.inside:
        yield {
            "do": step.do,
            "kind": inner.kind,
            "path": inner.path,
            "bytes": 0,
            "frees": 0,
            "frees_now": 0,
            "reasons": [leaves],
            "in": step.path,
        }


def _of_archive(stored: Stored | None) -> Facts:
    """What tells an archive from a unit of the same kind."""
    return {"archive_of": stored.unit} if stored else {}


def _kept(kept: Kept) -> Facts:
    row: Facts = {
        "kind": kept.artifact.kind,
        "path": kept.artifact.path,
        "bytes": kept.bytes,
        "reasons": [*kept.reasons],
    }
    if kept.otherwise:
        row["otherwise"] = [*kept.otherwise]
    if kept.parent is not None:
        row["in"] = kept.parent
    return row | _of_archive(kept.stored)


def _refusal(refusal: Refusal) -> Facts:
    return {
        "code": refusal.code,
        "kind": refusal.kind,
        "path": refusal.path,
        "message": refusal.message,
        "hint": refusal.hint,
    }


def of_report(report: Report, notes: Iterable[str] = ()) -> Facts:
    """The plan's rows with how each came out; what is inside a unit shares its outcome,
    unless it has one of its own, and a run of which a part went frees that part."""
    facts = of_plan(report.plan, notes)
    outcomes = {(each.step.path, *each.step.mark[:1]): each for each in report.outcomes}
    outcomes |= {(part.step.path,): part for each in report.outcomes for part in each.parts}
    for row in facts["steps"]:
        mark = (row["path"], row["key"]) if "key" in row else (row["path"],)
        outcome = outcomes.get(mark) or outcomes[(row["in"],)]
        row |= {"outcome": outcome.outcome, "why": outcome.why}
        if outcome.parts and outcome.outcome != "done":
            row["frees"] = sum(each.frees for each in outcome.took)
        if outcome.step.do == COMPRESS:  # what it really came to, no estimate
            row |= {"frees": outcome.step.artifact.frees, "frees_now": outcome.step.frees_now}
    return facts | {
        "sweep": report.sweep,
        "recovered": [*report.recovered],
        "seconds": round((report.ended - report.started) / 1e9, 3),
    }


def of_outcomes(outcomes: Iterable[Outcome]) -> list[Facts]:
    return [
        {
            "do": each.step.do,
            "kind": each.step.artifact.kind,
            "path": each.step.path,
            "bytes": each.step.artifact.bytes,
            "outcome": each.outcome,
            "why": each.why,
        }
        for each in outcomes
    ]


def of_evidence(evidence: Iterable[Evidence]) -> list[Facts]:
    return [{"fact": each.fact, "why": each.why, "hint": each.hint} for each in evidence]
