"""Real model files in the published format, and hostile ones, saved by torch or by pickle.

One interpreter with torch makes all of a session: `built`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
FINAL = "final_model_mlp.pth"
GOOD = (
    "plain",
    "trained",
    "scaled",
    "rich",
    "shared",
    "quantized",
    "other",
)
BAD = {
    "whole": "no dict",
    "old": "it is not a file of torch",
    "missing": "lacks config, scalers",
    "strange": "its format is",
    "numpy": "numpy",
    "path": "pathlib",
    "module": "it names",
    "script": "TorchScript",
    "trap": "system",
    "protocol4": "its pickle uses",
}
"""What is wrong with each file that torch itself wrote, in a word."""


@cache
def _shelf() -> tempfile.TemporaryDirectory[str]:
    """For what the session shares; it goes with the session."""
    return tempfile.TemporaryDirectory(prefix="models-shelf-")


@cache
def built() -> Path:
    """``{name}/final_model_mlp.pth`` for each of `GOOD` and `BAD`; the trap makes ``sprung``."""
    folder = Path(_shelf().name)
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    args = [sys.executable, "-m", "tests.real.models", str(folder)]
    done = subprocess.run(args, cwd=PROJECT, env=env, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return folder


def result(folder: Path, metric: float = 0.81, **more: object) -> Path:
    """The ``result.json`` of a trainer."""
    said = {"metric": metric, "seed": 7, "epochs": 3, "data_sha256": "a" * 64} | more
    path = folder / "result.json"
    path.write_text(json.dumps(said))
    return path


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {os.environ['SPRUNG']}",)


def _everything(folder: Path) -> dict[str, Any]:
    import collections

    import numpy as np
    import torch

    torch.manual_seed(3)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3))
    fitted = torch.optim.AdamW(net.parameters())
    net(torch.rand(16, 4)).sum().backward()
    fitted.step()
    scaler = {"kind": "standard", "params": {}, "state": {"mean_": torch.rand(4).double()}}
    plain = {
        "format": "artifact-janitor/model/1",
        "state_dict": net.state_dict(),
        "config": {"model": {"hidden": [8], "dropout": 0.1}, "lr": 1e-3, "name": "mlp"},
        "scalers": {},
        "meta": {"features": ["open", "close"], "classes": 3},
    }
    tied = torch.rand(10)
    odd = {
        "counts": collections.Counter("aab"),
        "raw": b"bytes",
        "seen": {1, 2},
        "when": None,
        "deep": [[[{"k": (1, 2.5, True)}]]],
        "long": 1 << 80,
        "dtype": torch.bfloat16,
        "shape": torch.Size([2, 3]),
        "ünï": "code",
    }
    without = {key: value for key, value in plain.items() if key not in ("config", "scalers")}
    return {
        "plain": plain,
        "other": plain | {"meta": {"version": 2}},
        "trained": plain | {"optimizer": fitted.state_dict()},
        "scaled": plain | {"scalers": {"inputs": scaler}},
        "rich": plain | {"meta": odd},
        "shared": plain
        | {"state_dict": {"a": tied, "b": tied, "p": torch.nn.Parameter(tied[2:5])}},
        "quantized": plain
        | {"state_dict": {"q": torch.quantize_per_tensor(tied, 0.1, 0, torch.qint8)}},
        "whole": torch.rand(3),
        "missing": without,
        "strange": plain | {"format": "somebody/else/9"},
        "numpy": plain | {"scalers": {"mean": np.arange(3.0)}},
        "path": plain | {"config": {"out": folder}},
        "module": plain | {"state_dict": {}, "model": net},
        "trap": plain | {"config": _Trap()},
    }


def _build(folder: Path) -> None:
    import torch

    os.environ["SPRUNG"] = str(folder / "sprung")
    for name, content in _everything(folder).items():
        (folder / name).mkdir(parents=True)
        torch.save(content, folder / name / FINAL)
    for name in ("script", "old", "protocol4"):
        (folder / name).mkdir()
    plain = torch.load(folder / "plain" / FINAL, weights_only=True)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "script" / FINAL)
    torch.save(plain, folder / "old" / FINAL, _use_new_zipfile_serialization=False)
    torch.save(plain, folder / "protocol4" / FINAL, pickle_protocol=4)


if __name__ == "__main__":
    _build(Path(sys.argv[1]))
