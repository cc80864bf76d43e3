"""What is wrong with a configuration, in words: all of it at once, each with its place.

The checks on several values together look at what was given, not at a validated result,
so that one mistake doesn't hide another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from artifact_janitor.config.folders import ROOTS, folder_problems, named, store_problems
from artifact_janitor.config.given import Given, Place
from artifact_janitor.config.said import said
from artifact_janitor.config.schedule import ScheduleTable
from artifact_janitor.config.schema import (
    ArchiveTable,
    BestTable,
    DiskTable,
    FolderTable,
    PolicyTable,
    RetrainTable,
    SafetyTable,
    Schema,
    day,
    glob,
    meant,
)
from artifact_janitor.config.table import Table
from artifact_janitor.core.compressing import COMPRESS, COMPRESSIBLE
from artifact_janitor.core.model import KINDS, is_within
from artifact_janitor.core.policy import ARCHIVE, NEVER_ARCHIVED
from artifact_janitor.core.slimming import SLIM, SLIMMABLE
from artifact_janitor.errors import Problem

TABLES: dict[str, type[Table]] = {
    "folders": FolderTable,
    "safety": SafetyTable,
    "disk": DiskTable,
    "archive": ArchiveTable,
    "policy": PolicyTable,
    "retrain": RetrainTable,
    "schedule": ScheduleTable,
}
MISSING = {
    "kind": 'what the policy governs, kind = "hydra-run"',
    "metric": 'the name as it was logged, metric = "val_f1"',
    "direction": 'direction = "max" where more is better, else "min"',
}
EVERYTHING = ("**", "**/*", "**/**")


def problems(given: Given, workspace: Path, today: date) -> list[Problem]:
    """Everything, sorted by place. `workspace` is where the folders are looked up."""
    found = [
        *given.wrong,
        *_schema_problems(given),
        *folder_problems(given, workspace),
        *_policy_problems(given, today),
        *_retrain_problems(given),
        *store_problems(given, workspace),
    ]
    return sorted(set(found), key=lambda problem: (_natural(problem.where), problem.what))


def _natural(place: str) -> list[tuple[int, str]]:
    """policy[2] comes before policy[10]."""
    return [(len(part) if part.isdigit() else 0, part) for part in re.split(r"([0-9]+)", place)]


def _schema_problems(given: Given) -> Iterator[Problem]:
    try:
        given.validated()
    except ValidationError as invalid:
        yield from (_in_words(given, each) for each in invalid.errors(include_url=False))
    except RecursionError:  # from merging both layers; each alone was shallow enough
        yield Problem("file", "is nested too deeply, together with the environment")


def _in_words(given: Given, error: ErrorDetails) -> Problem:
    where = error["loc"]
    match error["type"]:
        case "value_error":
            what = str(error["ctx"]["error"])
        case "extra_forbidden":
            what = _unknown(where)
        case "string_unicode":
            what = f"{said(error['input'])} is no key"
        case "missing":
            what = f"missing: write {MISSING[str(where[-1])]}"
        case "list_type":
            what = f"write [[{where[0]}]], in two brackets: there can be several"
        case _:
            header = f"[{where[0]}]" if len(where) == 1 else f"[[{where[0]}]]"
            what = f"{said(error['input'])} is no table; write {header}, then key = value"
    return _problem(given, where, what)


def _problem(given: Given, where: Place, what: str) -> Problem:
    """Says which policy it is, for people who don't count: "… (hydra-run)"."""
    kind: object = ""
    if len(where) > 1 and where[0] == "policy" and isinstance(where[1], int):
        kind = given.policies[where[1]].get("kind")
    named_already = where[2:] == ("kind",) or f"every {kind}" in what
    suffix = f" ({kind})" if kind in KINDS and not named_already else ""
    return Problem(given.place(where), what + suffix)


def _unknown(where: Place) -> str:
    key = str(where[-1])
    table: type[BaseModel] = Schema
    if len(where) > 1:
        table = BestTable if "keep_best" in where[:-1] else TABLES[str(where[0])]
    for name, home in TABLES.items():
        if key in home.model_fields:
            header = f"[[{name}]]" if home in (PolicyTable, RetrainTable) else f"[{name}]"
            return f"unknown key here; it belongs in {header}"
    known = list(table.model_fields)
    guess = meant(key, known)
    return f"unknown key; {f'did you mean {guess}?' if guess else 'known are ' + ', '.join(known)}"


def _policy_problems(given: Given, today: date) -> Iterator[Problem]:
    for index, policy in enumerate(given.policies):
        whole: Place = ("policy", index)
        for where, what in (
            (whole, _keeps_nothing(policy)),
            ((*whole, "path"), _nowhere(given, policy)),
            ((*whole, "uploaded_before"), _no_word(policy, today)),
            ((*whole, "unsynced"), _not_synced(policy)),
            ((*whole, "then"), _cannot_slim(policy)),
            ((*whole, "then"), _cannot_archive(policy)),
            ((*whole, "then"), _cannot_compress(policy)),
            (whole, _eclipsed(given, index)),
        ):
            if what:
                yield _problem(given, where, what)


def _retrain_problems(given: Given) -> Iterator[Problem]:
    rows = given.rows("retrain")
    for index, row in enumerate(rows):
        place: Place = ("retrain", index)
        for where, what in (
            (place, _trains_nothing(row)),
            (place, _overruled(given, rows, index)),
        ):
            if what:
                yield Problem(given.place(where), what)


def _trains_nothing(row: dict[str, object]) -> str:
    """One thing that trains, unless a trial's own model is all that is asked for."""
    if not row.keys() <= RetrainTable.model_fields.keys():
        return ""  # the unknown key may be the one
    given = [name for name in ("command", "function") if name in row]
    if len(given) == 2:
        return "has a command and a function: remove one of them"
    if not given and row.get("mode") != "adopt":
        return 'trains nothing: add command = [...] or function = "...", or mode = "adopt"'
    return ""


def _overruled(given: Given, rows: list[dict[str, object]], index: int) -> str:
    """Said only where it is certain: by the same pattern, or by one that matches all."""
    mine = rows[index].get("studies", "*")
    for earlier, other in enumerate(rows[:index]):
        if other.get("studies", "*") in ("*", mine):
            governs = given.place(("retrain", earlier))
            return f"can never apply: {governs} already governs these studies; move it up"
    return ""


def _keeps_nothing(policy: dict[str, object]) -> str:
    """Where a key is unknown, that is the mistake, and it may be the keep_ rule."""
    known = policy.keys() <= PolicyTable.model_fields.keys()
    keeps = any(key.startswith("keep_") or key == "max_size" for key in policy)
    if not policy or not known or keeps:
        return ""
    return "keeps nothing: add a keep_… rule, or remove the policy"


def _no_word(policy: dict[str, object], today: date) -> str:
    """A person can only vouch for what was, and only W&B runs are uploaded."""
    if "uploaded_before" not in policy:
        return ""
    if (kind := policy.get("kind")) in KINDS and kind != "wandb-run":
        return "only for wandb-run: move the line to a policy of that kind"
    try:
        if (until := day(policy["uploaded_before"])) > today:
            return f"{until} is in the future; write a day that is over, or remove the line"
    except ValueError:
        pass  # the schema's to report
    return ""


def _not_synced(policy: dict[str, object]) -> str:
    """Only W&B runs are uploaded."""
    kind = policy.get("kind")
    if policy.get("unsynced") != ARCHIVE or kind not in KINDS or kind == "wandb-run":
        return ""
    return "only for wandb-run: move the line to a policy of that kind"


def _nowhere(given: Given, policy: dict[str, object]) -> str:
    """A pattern that no unit can match: what it should govern would fall to a later policy."""
    path = _path(policy)
    if policy.get("kind") == "cache":  # they lie anywhere in the workspace
        return ""
    start = re.split(r"/?[^/]*[*?[]", path)[0]
    roots = [each.folder for each in named(given) if each.key in ROOTS]
    if start and start == path and any(is_within(root, start) for root in roots):
        return f"{said(path)} is no run, but the folder they are in; write {said(path + '/**')}"
    if not start or any(is_within(start, root) or is_within(root, start) for root in roots):
        return ""
    guess = meant(start, roots)
    advice = f"did you mean {said(guess + '/**')}?" if guess else "look at [folders]"
    return f"{said(path)} lies in none of the folders that policies take from; {advice}"


def _cannot_slim(policy: dict[str, object]) -> str:
    kind = policy.get("kind")
    if policy.get("then") != SLIM or kind not in KINDS or kind in SLIMMABLE:
        return ""
    some = ", ".join(SLIMMABLE)
    return f'"slim" is for kinds that hold checkpoints ({some}); write "trash"'


def _cannot_archive(policy: dict[str, object]) -> str:
    why = next((why for kind, why in NEVER_ARCHIVED.items() if kind == policy.get("kind")), "")
    if policy.get("then") != ARCHIVE or not why:
        return ""
    return f'"archive" is not for {policy["kind"]}: {why}; write "trash"'


def _cannot_compress(policy: dict[str, object]) -> str:
    kind = policy.get("kind")
    if policy.get("then") != COMPRESS or kind not in KINDS or kind in COMPRESSIBLE:
        return ""
    return f'"{COMPRESS}" is for logs (kind = "log"); write "trash"'


def _eclipsed(given: Given, index: int) -> str:
    """Said only where it is certain."""
    policy = given.policies[index]
    kind, path = policy.get("kind"), _path(policy)
    for earlier, other in enumerate(given.policies[:index]):
        reach = _path(other)
        if kind in KINDS and other.get("kind") == kind and path and _covers(reach, path):
            scope = f"every {kind}" + ("" if reach in EVERYTHING else f" in {said(reach)}")
            governs = given.place(("policy", earlier))
            return f"can never apply: {governs} already governs {scope}; move it up, or remove it"
    return ""


def _covers(reach: str, path: str) -> bool:
    folder = reach.removesuffix("**")
    whole = folder.endswith("/") and "[" not in folder  # a set could go on beyond the folder
    return bool(reach) and (
        reach in EVERYTHING or reach == path or (whole and path.startswith(folder))
    )


def _path(policy: dict[str, object]) -> str:
    """The policy's path, or "" where it is none; that the schema reports."""
    try:
        return glob(policy.get("path", "**"))
    except ValueError:
        return ""
