"""Hydra's runs and sweeps, proven by the files that Hydra itself wrote.

A date-named folder without that proof is left alone. Layout and traps:
``.hydra/hydra.yaml`` stands in each run, ``multirun.yaml`` at the top of a sweep.
"""

from __future__ import annotations

import re
from pathlib import Path

from artifact_janitor.observe.reading import head
from artifact_janitor.observe.tree import Folder

_OUTPUT_DIR = re.compile(rb"^  runtime:[^\S\n]*\n(?:    .*\n)*?    output_dir: *\S", re.MULTILINE)
_SWEEP = re.compile(rb"^hydra:[^\S\n]*\n(?:  .*\n)*?  sweep:[^\S\n]*\n", re.MULTILINE)
_LIMIT = 4 << 20
"""Bytes read of a configuration; Hydra's own files have a few kB."""


def is_run(folder: Folder, base: Path) -> bool:
    """``.hydra/hydra.yaml`` with ``hydra.runtime.output_dir``, which Hydra alone fills in."""
    settings = folder.folders.get(".hydra")
    if settings is None or "hydra.yaml" not in settings.files:
        return False
    return bool(_OUTPUT_DIR.search(head(f"{base}/{settings.path}/hydra.yaml", _LIMIT)))


def is_sweep(folder: Folder, base: Path) -> bool:
    """``multirun.yaml`` with Hydra's own section; N/.hydra appears only when a job starts."""
    if "multirun.yaml" not in folder.files:
        return False
    return bool(_SWEEP.search(head(f"{base}/{folder.path}/multirun.yaml", _LIMIT)))
