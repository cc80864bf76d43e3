"""A gigabyte of mixed runs, as one Hydra sweep: checkpoints of one backbone, logs, JSON, and
thousands of small files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

BACKBONE = 42_000_000
"""Bytes that all checkpoints of a job share; the rest of each is its own."""
OWN = 18_000_000
MARK = "hydra:\n  sweep:\n    dir: multirun\n"
"""What makes a folder a Hydra sweep."""
WORDS = "epoch step loss val_f1 lr grad_norm samples/s gpu mem saved resumed warm best".split()


def fill(sweep: Path, scale: float = 1.0) -> None:
    """About 1 GB in 20,000 files, the same each time: two jobs with three checkpoints each, a
    third of it all. gzip makes 1/1.7 of it."""
    rng = np.random.default_rng(4)
    for job in range(2):
        run = sweep / str(job)
        for folder in ("checkpoints", "samples", ".hydra"):
            (run / folder).mkdir(parents=True)
        (run / ".hydra" / "hydra.yaml").write_text("hydra:\n  run: {}\n")
        backbone = _floats(rng, round(BACKBONE * scale))
        for epoch in range(3):
            head = _floats(rng, round(OWN * scale))
            (run / "checkpoints" / f"epoch_{epoch}.pt").write_bytes(backbone + head)
        (run / "train.log").write_text(_log(rng, round(1_500_000 * scale)))
        (run / "metrics.jsonl").write_text(_metrics(rng, round(1_100_000 * scale)))
        for number in range(round(10_000 * scale)):
            (run / "samples" / f"{number:05}.json").write_text(_sample(rng, number))
    (sweep / "multirun.yaml").write_text(MARK)


def _floats(rng: np.random.Generator, size: int) -> bytes:
    """Weights as training leaves them: the signs and mantissas are noise."""
    return (rng.standard_normal(size // 4, dtype=np.float32) * np.float32(0.02)).tobytes()


def _log(rng: np.random.Generator, lines: int) -> str:
    numbers, words = rng.random((lines, 3)), rng.integers(0, len(WORDS), (lines, 3))
    return "".join(
        f"2026-08-13 {i // 3600 % 24:02}:{i // 60 % 60:02}:{i % 60:02},{i % 1000:03} INFO train "
        f"{WORDS[w[0]]} {n[0]:.6f} {WORDS[w[1]]} {n[1]:.4f} {WORDS[w[2]]} {n[2]:.4f}\n"
        for i, (n, w) in enumerate(zip(numbers, words, strict=True))
    )


def _metrics(rng: np.random.Generator, lines: int) -> str:
    return "".join(
        json.dumps({"step": i, "loss": loss, "val_f1": f1, "lr": 0.001 * 0.99 ** (i // 100)}) + "\n"
        for i, (loss, f1) in enumerate(rng.random((lines, 2)).tolist())
    )


def _sample(rng: np.random.Generator, number: int) -> str:
    return json.dumps({"id": number, "scores": rng.random(int(rng.integers(5, 900))).tolist()})
