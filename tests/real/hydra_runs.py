"""Real Hydra runs: a small training program as people write it, and ways to run it.

Every run is a process of its own, as in life.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.real import started
from tests.real.account import Account, clean_environment

PROGRAM = '''\
"""Train a small model; Hydra decides where the results go."""

import json
import logging
import os
import signal
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

log = logging.getLogger(__name__)


@hydra.main(version_base=None, config_path="config", config_name="train")
def main(cfg: DictConfig) -> float:
    run = Path(HydraConfig.get().runtime.output_dir)
    log.info("training with lr=%s", cfg.lr)
    (run / "config_used.yaml").write_text(OmegaConf.to_yaml(cfg))
    if cfg.end == "error":
        raise RuntimeError("loss is nan")
    if cfg.end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.end == "wait":
        print("ready", flush=True)
        sys.stdin.read()
    (run / "metrics.json").write_text(json.dumps({"val_f1": 1 - cfg.lr}))
    return 1 - cfg.lr


if __name__ == "__main__":
    main()
'''
SETTINGS = """\
lr: 0.01
end: well  # or error, kill, wait
"""
IMPORTS = ("hydra._internal.hydra", "hydra.plugins", "hydra._internal.core_plugins")
"""What a run needs before it starts."""
ENDS = {"well": 0, "error": 1, "kill": -9}


def write_program(project: Path) -> None:
    """Put the training program and its configuration into the project."""
    (project / "config").mkdir(parents=True, exist_ok=True)
    (project / "train.py").write_text(PROGRAM)
    (project / "config" / "train.yaml").write_text(SETTINGS)


def run(project: Path, folder: str, *overrides: str, end: str = "well") -> Path:
    """One run with its results in `folder`, relative to the project."""
    _train(project, [f'hydra.run.dir="{folder}"', f"end={end}", *overrides], ENDS[end])
    return project / folder


def sweep(project: Path, folder: str, *overrides: str) -> Path:
    """A multirun with two children, ``0/`` and ``1/``."""
    where = ["--multirun", f"hydra.sweep.dir={folder}", "hydra.sweep.subdir=${hydra.job.num}"]
    _train(project, [*where, "lr=0.1,0.01", *overrides], 0)
    return project / folder


def live(who: Account, project: Path, folder: str, *overrides: str) -> subprocess.Popen[bytes]:
    """A run that is training now; it ends when its stdin is closed."""
    args = [who.python, "train.py", f"hydra.run.dir={folder}", "end=wait", *overrides]
    process = who.popen(args, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = b" "
    while line and line != b"ready\n":
        line = process.stdout.readline()
    assert line, f"the live run in {folder} ended early"
    return process


def _train(project: Path, args: Sequence[str], expected: int) -> None:
    env = clean_environment(project.parent)
    code, said = started.run(IMPORTS, ["train.py", *args], project, env)
    assert code == expected, said
