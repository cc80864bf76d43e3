"""One fixed history of a busy project: fourteen months, seen on Tuesday, 10 Feb 2026, at noon.

Written down as a person would tell it: local times in Berlin, where the clocks went forward
on 30 Mar 2025 and back on 26 Oct 2025. Every unit's time is its newest file's, which for
Hydra is later than the folder's name says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from artifact_janitor.core.model import Artifact, Catalogue, Evidence, Kind, ModelFile, Pin
from artifact_janitor.units import SECOND

BERLIN = ZoneInfo("Europe/Berlin")


def local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, BERLIN)


def at(text: str) -> int:
    """ "2025-10-26 02:30:00.000000001 second" → nanoseconds; "second" is the hour's repeat."""
    moment, _, fold = text.partition(" second")
    whole, _, fraction = moment.partition(".")
    when = datetime.fromisoformat(whole).replace(tzinfo=BERLIN, fold=int(text != moment or 0))
    assert fold == ""
    return int(when.timestamp()) * SECOND + int(fraction.ljust(9, "0"))


NOW = at("2026-02-10 12:00:00")

HYDRA = """
2024-12-06/09-12-44   2024-12-06 11:40:02             pinned for the paper
2024-12-28/22-01-00   2024-12-29 03:15:30             Sunday of ISO week 2024-W52
2024-12-30/10-00-00   2024-12-30 10:45:00             Monday of ISO week 2025-W01
2025-01-17/18-30-00   2025-01-17 18:31:12             an older copy of a model
2025-02-28/23-20-00   2025-02-28 23:59:59.999999999   the month's last nanosecond
2025-02-28/23-20-01   2025-03-01 00:00:00             the next month's first, and a newer copy
2025-03-30/01-10-00   2025-03-30 01:59:59             one second before the clocks go forward
2025-03-30/01-30-00   2025-03-30 03:00:00             one second later
2025-03-30/23-00-00   2025-03-30 23:30:00
2025-03-31/00-05-00   2025-03-31 00:20:00             holds a W&B run that was never uploaded
2025-04-02/07-00-00   2026-02-09 17:00:00             old by name, touched yesterday
2025-06-14/09-00-00   2025-06-14 09:00:00
2025-06-14/12-30-00   2025-06-14 12:45:00             holds an uploaded W&B run
2025-06-14/18-45-00   2025-06-14 18:45:00             a pinned file in it
2025-06-14/22-10-00   2025-06-15 02:00:00             copied, so their times are equal:
2025-06-14/22-10-01   2025-06-15 02:00:00             this one
2025-06-15/22-10-02   2025-06-15 02:00:00             and this one
2025-09-01/00-30-00   2025-09-01 00:59:59.5
2025-10-25/23-00-00   2025-10-25 23:50:00
2025-10-26/00-05-00   2025-10-26 00:10:00
2025-10-26/02-00-00   2025-10-26 02:30:00             summer time
2025-10-26/02-10-00   2025-10-26 02:30:00 second      an hour later: winter time
2025-10-26/02-50-00   2025-10-26 02:59:59 second
2025-10-26/03-00-00   2025-10-26 03:10:00
2025-12-28/20-00-00   2025-12-28 23:59:59             Sunday of 2025-W52
2025-12-29/00-01-00   2025-12-29 00:02:00             Monday of 2026-W01
2025-12-31/23-30-00   2025-12-31 23:58:00
2026-01-01/00-01-00   2026-01-01 00:03:00             another year, the same week
2026-01-11/11-00-00   2026-01-11 11:59:59.999999999   30 days and a nanosecond old
2026-01-11/11-30-00   2026-01-11 12:00:00             30 days old to the nanosecond
2026-02-03/14-00-00   2026-02-03 15:20:00
2026-02-08/08-00-00   2026-02-08 08:20:00
2026-02-08/13-00-00   2026-02-08 13:20:00
2026-02-08/20-55-10   2026-02-08 21:10:00
2026-02-09/09-00-00   2026-02-09 12:00:00             a day old to the nanosecond
2026-02-09/22-00-00   2026-02-10 01:30:00             over midnight
2026-02-10/08-00-00   2026-02-10 08:00:00
2026-02-10/11-59-00   2026-02-10 11:59:59
2026-02-12/09-00-00   2026-02-12 10:00:00             dated in the future
"""

SWEEPS = """
2025-01-20/10-00-00   2025-01-22 06:00:00
2025-05-05/08-00-00   2025-05-05 11:00:00             two jobs, with checkpoints
2025-05-05/14-00-00   2025-05-05 19:00:00             later the same day
2025-11-11/11-11-11   2025-11-12 23:00:00             one W&B run not uploaded
2026-01-30/09-00-00   2026-01-31 09:00:00             still live, and of all its jobs only one
2026-02-07/10-00-00   2026-02-07 18:00:00
"""

INSIDE: tuple[tuple[str, Kind, str, str], ...] = (
    # (parent, kind, name in it, newest file)
    ("outputs/2025-03-31/00-05-00", "wandb-run", "wandb/offline-run-a1", "2025-03-31 00:19:00"),
    ("outputs/2025-06-14/12-30-00", "wandb-run", "wandb/run-b2", "2025-06-14 12:44:00"),
    ("outputs/2025-09-01/00-30-00", "hydra-run", "again", "2025-09-01 00:50:00"),
    ("outputs/2025-09-01/00-30-00/again", "wandb-run", "wandb/run-c3", "2025-09-01 00:49:00"),
    ("outputs/2026-02-08/13-00-00", "wandb-run", "wandb/run-d4", "2026-02-08 13:19:00"),
    ("multirun/2025-11-11/11-11-11", "wandb-run", "0/wandb/run-e5", "2025-11-11 12:00:00"),
    ("multirun/2025-11-11/11-11-11", "wandb-run", "1/wandb/run-f6", "2025-11-12 22:00:00"),
    ("multirun/2026-01-30/09-00-00", "wandb-run", "0/wandb/run-g7", "2026-01-30 10:00:00"),
    ("multirun/2026-01-30/09-00-00", "wandb-run", "1/wandb/run-h8", "2026-01-31 09:00:00"),
)

WANDB = """
run-20241206_091244-aa  2024-12-06 11:39:00           the pinned Hydra run's
run-20250117_183000-bb  2025-01-17 18:31:00
run-20250330_010000-cc  2025-03-30 03:30:00           not uploaded
run-20250614_090000-dd  2025-06-14 09:00:00
run-20251026_020000-ee  2025-10-26 02:30:00
run-20251026_021000-ff  2025-10-26 02:30:00 second
run-20260111_110000-gg  2026-01-11 11:00:00
run-20260208_080000-hh  2026-02-08 08:20:00
run-20260209_090000-ii  2026-02-09 11:00:00
"""

TRAINING = """
resnet-a    2025-08-20 18:00:00   as it should be; its best model is published
copied-b    2025-11-20 10:00:04   copied from elsewhere: mtimes run against the steps
resumed-c   2026-01-20 20:00:00   resumed from a file, and counts its steps anew
damaged-d   2026-02-09 21:00:00   killed while it wrote
"""

CHECKPOINTS = """
training/runs/resnet-a/checkpoints epoch=0.ckpt          100       ok        2025-08-20 14:00:00
training/runs/resnet-a/checkpoints epoch=1.ckpt          200       ok   best 2025-08-20 15:00:00
training/runs/resnet-a/checkpoints epoch=2.ckpt          300       ok        2025-08-20 16:00:00
training/runs/resnet-a/checkpoints epoch=3.ckpt          400       ok        2025-08-20 17:00:00
training/runs/resnet-a/checkpoints epoch=4.ckpt          500       ok        2025-08-20 18:00:00
training/runs/resnet-a/checkpoints last.ckpt               -       ok   last 2025-08-20 18:00:00
training/runs/copied-b             checkpoint-100        100       ok        2025-11-20 10:00:04
training/runs/copied-b             checkpoint-200        200       ok        2025-11-20 10:00:03
training/runs/copied-b             checkpoint-300        300       ok        2025-11-20 10:00:02
training/runs/copied-b             checkpoint-400        400       ok        2025-11-20 10:00:01
training/runs/copied-b             checkpoint-1000      1000       ok        2025-11-20 10:00:00
training/runs/resumed-c            step_30.pt             30       ok        2026-01-18 10:00:00
training/runs/resumed-c            step_60.pt             60       ok        2026-01-18 11:00:00
training/runs/resumed-c            step_90.pt             90       ok        2026-01-18 12:00:00
training/runs/resumed-c            step_10.pt             10       ok        2026-01-20 18:00:00
training/runs/resumed-c            step_20.pt             20       ok        2026-01-20 19:00:00
training/runs/resumed-c            final_model_mlp.pth     -       ok  final 2026-01-20 20:00:00
training/runs/damaged-d            step_1.pt               1       ok        2026-02-09 17:00:00
training/runs/damaged-d            step_2.pt               2       ok        2026-02-09 18:00:00
training/runs/damaged-d            step_3.pt               3  unknown        2026-02-09 19:00:00
training/runs/damaged-d            step_4.pt               4   broken        2026-02-09 20:00:00
training/runs/damaged-d            step_5.pt               5   broken        2026-02-09 21:00:00
multirun/2025-05-05/08-00-00       0/models/step_1.pt      1       ok        2025-05-05 08:30:00
multirun/2025-05-05/08-00-00       0/models/step_2.pt      2       ok        2025-05-05 09:00:00
multirun/2025-05-05/08-00-00       1/models/step_1.pt      1       ok        2025-05-05 10:00:00
multirun/2025-05-05/08-00-00       1/models/step_2.pt      2       ok        2025-05-05 11:00:00
"""

LOGS = """
train.log.6  2025-12-31 23:59:59
train.log.5  2026-01-04 23:00:00
train.log.4  2026-01-05 01:00:00
train.log.3  2026-01-25 12:00:00
train.log.2  2026-02-02 12:00:00
train.log.1  2026-02-09 00:00:00
train.log    2026-02-10 11:59:00
"""

UNSYNCED = Evidence("unsynced", "not uploaded: nothing says that it was")
PROTECTED = {
    "outputs/2025-03-31/00-05-00/wandb/offline-run-a1": UNSYNCED,
    "multirun/2025-11-11/11-11-11/0/wandb/run-e5": UNSYNCED,
    "wandb/run-20250330_010000-cc": UNSYNCED,
    "multirun/2026-01-30/09-00-00/1/wandb/run-h8": Evidence("live", "pid 4711 has it open"),
    "outputs/2025-10-25/23-00-00": Evidence("reference", "best_models/a_meta.json names it"),
}

PINS = (
    Pin("outputs/2024-12-06", "paper, table 2"),
    Pin("outputs/2025-06-14/18-45-00/main.log"),
    Pin("training/runs/copied-b/checkpoint-200"),
)

MODELS = {
    "outputs/2025-01-17/18-30-00": [("models/best.pt", "twice")],
    "outputs/2025-02-28/23-20-01": [("models/best.pt", "twice")],
    "outputs/2025-12-28/20-00-00": [("models/final.pt", "in training too")],
    "multirun/2025-01-20/10-00-00": [("3/models/best.pt", "only here")],
    "training/runs/resnet-a": [("checkpoints/epoch=1.ckpt", "published")],
    "training/runs/resumed-c": [("final_model_mlp.pth", "in training too")],
}

METRICS = """
outputs/2024-12-06/09-12-44  val_f1 0.713
outputs/2024-12-28/22-01-00  val_f1 0.61
outputs/2025-01-17/18-30-00  val_f1 0.7
outputs/2025-02-28/23-20-00  val_f1 0.7
outputs/2025-03-30/01-10-00  val_f1 nan
outputs/2025-03-30/01-30-00  val_f1 inf
outputs/2025-03-30/23-00-00  val_f1 -0.2
outputs/2025-06-14/09-00-00  val_f1 0.6999999
outputs/2025-09-01/00-30-00  val_f1 0.7129
outputs/2025-12-28/20-00-00  val_f1 0
outputs/2026-02-08/08-00-00  val_f1 0.7
outputs/2026-02-10/08-00-00  loss 0.01
outputs/2026-02-12/09-00-00  val_f1 0.99
training/runs/resnet-a/checkpoints/epoch=0.ckpt  loss 0.9
training/runs/resnet-a/checkpoints/epoch=1.ckpt  loss 0.2
training/runs/resnet-a/checkpoints/epoch=2.ckpt  loss 0.3
training/runs/resnet-a/checkpoints/epoch=3.ckpt  loss 0.3
training/runs/resnet-a/checkpoints/epoch=4.ckpt  loss inf
training/runs/copied-b/checkpoint-100            loss 9
training/runs/copied-b/checkpoint-300            loss 1e-05
training/runs/damaged-d/step_1.pt                loss 0.4
training/runs/damaged-d/step_2.pt                loss 0.5
training/runs/damaged-d/step_3.pt                loss 0.6
training/runs/damaged-d/step_4.pt                loss 0.1
training/runs/damaged-d/step_5.pt                loss -inf
"""

PUBLISHED = (ModelFile("models/manual_runs/resnet-a/final_model_cnn.pth", 90, "published"),)


def _lines(table: str) -> Iterator[list[str]]:
    return (line.split() for line in table.strip().splitlines())


def _time(words: list[str]) -> int:
    return at(" ".join(words[:3] if words[2:3] == ["second"] else words[:2]))


def _top_level() -> Iterator[Artifact]:
    roots: tuple[tuple[Kind, str, str, int], ...] = (
        ("hydra-run", "outputs", HYDRA, 1000),
        ("hydra-sweep", "multirun", SWEEPS, 5000),
        ("wandb-run", "wandb", WANDB, 300),
        ("training-run", "training/runs", TRAINING, 2000),
        ("log", "logs", LOGS, 10),
    )
    for kind, root, table, size in roots:
        for name, *when in _lines(table):
            yield Artifact(f"{root}/{name}", kind, _time(when), size, size)
    yield Artifact("outputs/notes", "unknown", at("2025-01-01 12:00:00"), 70, 70)


def _inside() -> Iterator[Artifact]:
    for parent, kind, name, when in INSIDE:
        yield Artifact(f"{parent}/{name}", kind, at(when), 100, 100, parent=parent)


def _checkpoints() -> Iterator[Artifact]:
    validity = {"ok": True, "broken": False, "unknown": None}
    for place, name, step, state, *rest in _lines(CHECKPOINTS):
        parent = place.removesuffix("/checkpoints")
        within = f"{parent}/{name[0]}" if parent.startswith("multirun") else parent
        role, when = (rest[0], rest[1:]) if len(rest) == 3 else ("", rest)
        found = Artifact(f"{place}/{name}", "checkpoint", _time(when), 90, 90, parent=parent)
        yield replace(
            found,
            within=within,
            role=role,
            valid=validity[state],
            step=None if step == "-" else int(step),
        )


def _history() -> Catalogue:
    artifacts = []
    metrics = {path: ((name, float(value)),) for path, name, value in _lines(METRICS)}
    for each in (*_top_level(), *_inside(), *_checkpoints()):
        models = [
            ModelFile(f"{each.path}/{name}", 90, digest)
            for name, digest in MODELS.get(each.path, [])
        ]
        protections = (PROTECTED[each.path],) if each.path in PROTECTED else ()
        known = replace(each, models=tuple(models), protections=protections)
        artifacts.append(replace(known, metrics=metrics.get(each.path, ())))
    return Catalogue(
        artifacts=tuple(sorted(artifacts, key=lambda each: each.path)),
        published=PUBLISHED,
        pins=PINS,
    )


HISTORY = _history()
