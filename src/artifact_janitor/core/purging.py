"""What can't be purged of the trash, however long it lies there.

It is told before it is due, as long as a person can do something about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from artifact_janitor.core.model import Catalogue, Evidence, Trashed
from artifact_janitor.core.policy import Safety
from artifact_janitor.units import duration_literal


def with_last_copies(catalogue: Catalogue) -> Catalogue:
    """The facts, with those units in the trash held whose models have no copy left elsewhere
    (S6). What leaves with this plan counts as one: it is itself archived, if it is the last."""
    if not any(each.models for each in catalogue.trash):
        return catalogue
    units = (*catalogue.artifacts, *(each.archive for each in catalogue.archives))
    files = chain(catalogue.published, *(each.models for each in units))
    copies = {(file.bytes, file.digest) for file in files}
    trash = (
        each
        if each.held or copies.issuperset((file.bytes, file.digest) for file in each.models)
        else replace(each, held=_only_copy(each))
        for each in catalogue.trash
    )
    return replace(catalogue, trash=tuple(trash))


def _only_copy(trashed: Trashed) -> Evidence:
    why = "holds the only copy of a best or final model: the others are gone since"
    return Evidence("only-copy", why, f"janitor undo {trashed.name}")


def held(catalogue: Catalogue) -> Iterator[tuple[Trashed, Evidence]]:
    for each in sorted(catalogue.trash, key=lambda trashed: trashed.step):
        if each.held:
            yield each, each.held


def reason_of(trashed: Trashed, safety: Safety, now: int) -> str:
    """Why it would be purged."""
    is_due = now - trashed.at >= safety.trash_keep
    long = f" for longer than {duration_literal(safety.trash_keep)}" if is_due else ""
    return f"in the trash{long}: was {trashed.path}"
