"""Every kind of step, as a scene to interrupt."""

from __future__ import annotations

from tests.proof.scene import Build
from tests.proof.scenes import (
    archive,
    compress,
    expire,
    gitignore,
    journal,
    mlflow,
    promote,
    publish,
    recovery,
    retrain,
    together,
    trash,
)

SCENES: dict[str, Build] = {
    **trash.SCENES,
    **compress.SCENES,
    **archive.SCENES,
    **expire.SCENES,
    **retrain.SCENES,
    **publish.SCENES,
    **promote.SCENES,
    **gitignore.SCENES,
    **mlflow.SCENES,
    **together.SCENES,
    **recovery.SCENES,
    **journal.SCENES,
}

SHORT = tuple(
    name
    for name in SCENES
    if name not in ("undo of slim", "purge of slim", "undo of expire", "purge of expired")
    and name not in ("publish", "retrain", "everything at once", "mlflow")
    and not name.endswith("odd files")
    and (not name.startswith("recovery of ") or name == "recovery of undo")
)
"""What a short slice takes: the others differ little from these, or take long."""
