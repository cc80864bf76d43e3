"""``[gitignore]``: what of the policy for ``.gitignore`` a project wants otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import PlainValidator

from artifact_janitor.config.said import said
from artifact_janitor.config.table import Table, setting
from artifact_janitor.core.gitignore_rules import ALL, Places, is_dropped, names
from artifact_janitor.units import parse_size

IGNORED = ("wandb", "outputs", "multirun", "logs", "mlruns", "hpo_studies", "training")
"""Keys of ``[folders]`` whose folders Git shall not look into."""


def _patterns(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f'{said(value)} is no list; write it like ["/scratch/"]')
    return tuple(_pattern(each) for each in value)


def _pattern(value: object) -> str:
    """One line of a ``.gitignore`` that means something. Raises ValueError."""
    if not isinstance(value, str) or not value.isprintable() or value != value.strip():
        raise ValueError(f'{said(value)} is no pattern; write it like "/scratch/" or "*.bak"')
    if value.startswith(("!", "#")):
        aim = "keep takes patterns without the !" if value[0] == "!" else 'write "\\\\#"'
        raise ValueError(f"{said(value)} is no pattern: {aim}")
    if not value.strip("/*"):
        raise ValueError(f"{said(value)} is everything there is; name a folder or an ending")
    if value.endswith("\\") or "//" in value or {".", ".."} & {*value.split("/")}:
        raise ValueError(f"{said(value)} matches nothing; write it like {said('/scratch/')}")
    return value


def _drop(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f'{said(value)} is no list of defaults; write it like ["*.log"]')
    return tuple(value)


def _max_size(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError(f'{said(value)} is no size; write "50MB"')
    return parse_size(value)


Patterns = Annotated[tuple[str, ...], PlainValidator(_patterns)]


class GitignoreTable(Table):
    """What .gitignore says, in one marked block that janitor gitignore sync writes: folders of
    runs, models, logs and caches are ignored; JSON in best_models and hpo_results and the
    sidecars of models are kept, and so is a model that Git tracks already."""

    ignore: Patterns = setting(
        [], "Ignored as well: patterns as .gitignore has them.", ["/scratch/"]
    )
    keep: Patterns = setting(
        [],
        "Kept, whatever else says: patterns without a !. The folders on the way to them are"
        " opened, and nothing else in them.",
        ["/outputs/paper/*.json"],
    )
    drop: Annotated[tuple[str, ...], PlainValidator(_drop)] = setting(
        [],
        'Defaults that this project doesn\'t want, as janitor gitignore diff shows them; ["*"] is'
        " all of them, and without rules of your own no block is written.",
        ["*.log"],
    )
    max_size: Annotated[int, PlainValidator(_max_size)] = setting(
        "50MB", "Larger files may not be committed: janitor gitignore check says so, as a hook."
    )


def places(folders: Mapping[str, Sequence[str]]) -> Places:
    """The folders that the policy is about, by their keys in ``[folders]``."""
    (models,), (best,), (results,) = (
        folders[key] for key in ("models", "best_models", "hpo_results")
    )
    ignored = tuple(folder for key in IGNORED for folder in folders[key])
    return Places(ignored, folders["mlflow_db"][0], models, best, results)


def no_defaults(drop: object, folders: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, str]]:
    """What in ``drop`` names none of the defaults, by its index, and what does."""
    known = names(places(folders))
    for index, each in enumerate(drop if isinstance(drop, list) else ()):
        is_text = isinstance(each, str) and each != ALL
        if is_text and not any(is_dropped(name, [each]) for name in known):
            yield index, f"{said(each)} is none of the defaults: {', '.join(known)}"
