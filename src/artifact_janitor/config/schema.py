"""What config.toml may hold: every key with its meaning, default and limits, once.

The sample file is generated from here, and the file and the environment are validated
here. Defaults and examples stand as a person would write them. What a later version
will carry out is known, and is an error wherever leaving it aside would remove more
than the person asked for.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from artifact_janitor.config import trainer_values, values
from artifact_janitor.config.gitignore import GitignoreTable
from artifact_janitor.config.schedule import ScheduleTable
from artifact_janitor.config.table import Count, Duration, Folder, Folders, Size, Table, setting
from artifact_janitor.core.model import KINDS
from artifact_janitor.core.policy import ARCHIVE
from artifact_janitor.core.trainer import TYPE_IN_NAME

PREFIX = "JANITOR_"
"""What the names of environment variables begin with."""


class FolderTable(Table):
    """Where things are, relative to this file. Name only the folders that are elsewhere:
    a folder that is named here must exist."""

    hpo_studies: Folder = setting("hpo_studies", "Optuna studies.")
    hpo_results: Folder = setting("hpo_results", "Best parameters and plots of studies.")
    models: Folder = setting("models", "Published models.")
    best_models: Folder = setting("best_models", "Milestones; nothing is ever removed here.")
    training: Folders = setting(
        "training/runs",
        "Training runs with their checkpoints. Here and in the next five, a list names several"
        ' folders, ["outputs", "old/outputs"], and [] none.',
    )
    outputs: Folders = setting("outputs", "Hydra runs, DATE/TIME.")
    multirun: Folders = setting("multirun", "Hydra sweeps, DATE/TIME.")
    wandb: Folders = setting("wandb", "W&B runs.")
    logs: Folders = setting("logs", "Logs of applications; runs in here are found as well.")
    mlruns: Folders = setting("mlruns", "MLflow's runs.")
    mlflow_db: Folder = setting(
        "mlflow.db", "MLflow's database, a file: what it knows of its runs."
    )


class SafetyTable(Table):
    """Limits that hold for every policy."""

    grace: Duration = setting(
        "24h", "What was written to within this time counts as running, and is left alone."
    )
    trash_keep: Duration = setting(
        "7d", "How long removed things lie in the trash, where janitor undo can bring them back."
    )
    max_share: Annotated[float, PlainValidator(values.share)] = setting(
        0.2,
        "How much of a kind, in units or bytes, may go within 24 hours without a person's yes:"
        " 0.2 is 20 %.",
    )


class DiskTable(Table):
    """How much room to keep on each filesystem that holds runs. Where less is free, policies
    take their turns in order, oldest first, and stop as soon as what they gave to the trash
    makes up for what is missing; where more is free, they apply in full."""

    keep_free: Size = setting(
        None,
        "So much shall be free. What lies in the trash counts as free to come; rules never"
        " yield for this.",
        "50GB",
    )
    purge_early: Annotated[bool, PlainValidator(values.switch)] = setting(
        False,
        "Whether the trash may be purged before its time as long as less is free, oldest first"
        " and only as much of it as it takes. That can't be undone.",
    )


class ArchiveTable(Table):
    """Where archives lie, and how hard they are compressed."""

    store: Annotated[str, PlainValidator(values.store_place)] = setting(
        values.OWN_STORE,
        "The folder of archives; one of your own must exist, and may lie on another disk:"
        ' "/mnt/big/archives". What is archived in .janitor goes with git clean -fdx.',
    )
    level: Annotated[int, PlainValidator(values.level)] = setting(
        3, "From 1 (fast) to 19 (small): what zstd calls its level."
    )


class BestTable(Table):
    """The table of ``keep_best``. There is no good default for a direction."""

    metric: Annotated[str, PlainValidator(values.metric)]
    direction: Annotated[str, PlainValidator(values.direction)]
    n: Annotated[int, PlainValidator(values.count)] = 1
    missing: Annotated[str, PlainValidator(values.missing)] = "keep"


class PolicyTable(Table):
    """What to keep of a kind. The first policy that matches a unit governs it, and the unit
    is kept if ANY of the policy's keep_ rules keeps it. What no policy governs is left
    alone. Whatever a policy says: what is running, pinned, referred to, or not proven to be
    uploaded (W&B) stays."""

    kind: Annotated[str, PlainValidator(values.kind)] = Field(
        description="What the policy governs: " + ", ".join(KINDS) + ".", examples=["hydra-run"]
    )
    path: Annotated[str, PlainValidator(values.glob)] = setting(
        "**",
        "Only what matches this pattern: ** is any folders, * and ? stay within one name.",
        "outputs/**",
    )
    keep_last: Count = setting(
        None,
        "The newest so many. For checkpoints, here and below, within each run, and of each series:"
        " networks, ranks and folds that are saved apart count apart.",
        20,
    )
    keep_within: Annotated[int | None, PlainValidator(values.keep_within)] = setting(
        None,
        "All whose newest file is at most this old. Units of time are s, m (minutes), h, d, w.",
        "30d",
    )
    keep_hourly: Count = setting(
        None, "The newest of an hour, for so many hours; hours without units don't count.", 24
    )
    keep_daily: Count = setting(None, "Likewise by day, in local time.", 7)
    keep_weekly: Count = setting(None, "Likewise by week, from Monday.", 4)
    keep_monthly: Count = setting(None, "Likewise by month.", 12)
    keep_best: Annotated[BestTable | None, BeforeValidator(values.best)] = setting(
        None,
        'The n (default 1) with the best metric; direction is "max" or "min", and equals stay'
        ' together. missing = "keep" (the default) also keeps what has no such metric, "ignore"'
        " leaves that to the other rules.",
        {"metric": "val_f1", "direction": "max", "n": 3, "missing": "ignore"},
    )
    then: Annotated[str, PlainValidator(values.then)] = setting(
        "trash",
        'The others go to the trash; janitor undo brings them back. With "slim" a run or sweep'
        " stays, and only its checkpoints go, but for the best, final, last and newest valid one"
        " and what is pinned or referred to. Of a checkpoint policy's rules only keep_best counts"
        ' then. "archive" archives each first; "compress" makes a log NAME.zst.',
    )
    max_size: Annotated[int | None, PlainValidator(values.max_size)] = setting(
        None,
        "How much disk all that the policy governs may take together, in every run. Beyond it"
        " the keep_ rules yield, oldest first, and no more than it takes; without any, the policy"
        " keeps all up to here. What is protected stays, and counts.",
        "200GB",
    )
    unsynced: Annotated[str, PlainValidator(values.unsynced)] = setting(
        "keep",
        "What becomes of W&B runs without proof of upload that this policy would let go: they stay."
        ' With "archive" each is archived, and read back; what holds one goes likewise. Only for'
        " wandb-run.",
        ARCHIVE,
    )
    expire: Annotated[int | None, PlainValidator(values.expire)] = setting(
        None,
        "Archives of such units that were made longer ago than this go to the trash, if nothing"
        " would protect the unit itself: proof of upload, another copy of its best and final models"
        ' in the workspace, nothing that names it, no pin. With then = "compress" likewise logs'
        " that are compressed and older than this, which no keep_ rule keeps.",
        "365d",
    )
    uploaded_before: Annotated[date | None, PlainValidator(values.uploaded_before)] = setting(
        None,
        "Your word that runs whose newest file is older than this day are uploaded, whatever"
        " W&B's own logs say. Only for wandb-run.",
        date(2025, 1, 1),
    )


class RetrainTable(Table):
    """What becomes of finished studies. The first whose `studies` matches governs a study. A
    study that none governs is looked at, and nothing is trained."""

    studies: Annotated[str, PlainValidator(trainer_values.studies)] = setting(
        "*",
        "Which studies: a pattern for the name of the database's file, or the study's name.",
        "eurusd*",
    )
    command: Annotated[tuple[str, ...] | None, PlainValidator(trainer_values.command)] = setting(
        None,
        "What trains the best trial again, without a shell, in the workspace. {request} is a"
        " file that says what to train, {out} the folder for what comes of it.",
        ["python", "train_final.py", "--request", "{request}", "--out", "{out}"],
    )
    function: Annotated[str | None, PlainValidator(trainer_values.function)] = setting(
        None, "A Python function instead of a command.", "my_project.training:train_final"
    )
    python: Annotated[str | None, PlainValidator(trainer_values.program)] = setting(
        None, "The Python that runs the function or the command.", "/path/to/python"
    )
    model_type: Annotated[str, PlainValidator(trainer_values.model_type)] = setting(
        TYPE_IN_NAME,
        "A regular expression that finds the type of the model in a study's name, where the"
        " study has no user attribute model_type.",
    )
    objective: Annotated[int | str | None, PlainValidator(trainer_values.objective)] = setting(
        None,
        "Which objective decides in a study with several: its number from 1 on, or its name.",
        1,
    )
    mode: Annotated[str, PlainValidator(trainer_values.mode)] = setting(
        "auto",
        'Where the model comes from: "adopt" takes the one that the trial left, "replay" trains'
        ' with its seed, "refit" trains anew; "auto" is the first of these that can be.',
    )
    parallel: Annotated[int, PlainValidator(trainer_values.parallel)] = setting(
        1, "Trainings at once."
    )
    max_age: Duration = setting(
        "7d",
        "What was finished longer ago than this when the janitor first saw it is reported, not"
        " trained.",
    )
    tolerance: Annotated[float, PlainValidator(trainer_values.tolerance)] = setting(
        0.25,
        "How far a refit may stay below the best value, as a share of the distance from the best"
        " to the median of the complete trials.",
    )
    quiet: Annotated[int, PlainValidator(values.some_time)] = setting(
        "60s", "How long nothing may happen before a study counts as finished that doesn't say so."
    )
    idle_completes: Annotated[bool, PlainValidator(values.switch)] = setting(
        True, "false: only a marker or a target finishes a study, however long it is quiet."
    )
    deadline: Annotated[int, PlainValidator(values.some_time)] = setting(
        "12h", "How long one training may take."
    )


class Schema(BaseSettings):
    """The whole file. Built as ``Schema(environment=…, file=…)``: the environment wins."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, case_sensitive=True)

    folders: FolderTable = FolderTable()
    safety: SafetyTable = SafetyTable()
    disk: DiskTable = DiskTable()
    policy: list[PolicyTable] = []
    gitignore: GitignoreTable = GitignoreTable()
    schedule: ScheduleTable = ScheduleTable()
    archive: ArchiveTable = ArchiveTable()
    retrain: list[RetrainTable] = []

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the caller hands in: neither the real environment nor any other file."""
        layers = init_settings()
        return tuple(
            InitSettingsSource(settings_cls, layers[name]) for name in ("environment", "file")
        )
