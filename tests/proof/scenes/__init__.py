"""Every kind of step, as a scene to interrupt."""

from __future__ import annotations

from tests.proof.scene import Build
from tests.proof.scenes import (
    archive,
    compress,
    expire,
    gitignore,
    journal,
    promote,
    publish,
    recovery,
    retrain,
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
    **recovery.SCENES,
    **journal.SCENES,
}
