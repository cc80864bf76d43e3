"""The search for good settings of one model type: trial after trial, by several processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
import torch
from optuna.trial import Trial, TrialState

from artifact_janitor.optuna import FinishMarker
from artifact_janitor.reference import contract, published, spaces, training
from artifact_janitor.reference.material import Material
from artifact_janitor.reference.settings import Settings, with_params
from artifact_janitor.reference.training import Diverged, Epoch

RUNS = Path("training/runs")


class Turn:
    """One process at a time asks for a trial, so that none is asked for that isn't wanted.

    `folder` is that of the studies: a lock on itself leaves no file in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def taken(self) -> Iterator[Callable[[], None]]:
        """Yields what lets the others go on; it may be called before the block ends."""
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield lambda: fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)


FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
_GIVEN_UP = "Cannot tell a FAIL trial"
"""Optuna's words where others failed our trial, since this process stood still for too long."""
_HEARTLESS = """
    SELECT number FROM trials JOIN studies USING (study_id)
    WHERE study_name = :name AND state = 'RUNNING'
    AND trial_id NOT IN (SELECT trial_id FROM trial_heartbeats)
"""


def count(study: optuna.Study, *states: TrialState) -> int:
    return len(study.get_trials(deepcopy=False, states=states))


def heartless(study: optuna.Study) -> list[int]:
    """Running trials whose heart has never beaten yet; Optuna itself can't be asked."""
    engine = study._storage._backend.engine
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text(_HEARTLESS), {"name": study.study_name})
        return [int(number) for (number,) in found]


def await_heart(study: optuna.Study, number: int) -> None:
    """It beats in a thread of Optuna's, which began a moment ago."""
    for _ in range(1000):
        if number not in heartless(study):
            return
        time.sleep(0.005)


class Search:
    """A study that several processes may work on, and that goes on where it was left."""

    def __init__(
        self, study: optuna.Study, base: Settings, target: int, turn: Turn, keep: str
    ) -> None:
        self.study, self.base, self.target, self.turn, self.keep = study, base, target, turn, keep
        self.marker = FinishMarker(study, target=target, model_type=base.model_type)

    def step(self, learnt: Material, accelerator: str) -> bool:
        """Run one trial; False where others are at work on all that are left."""
        with self.turn.taken() as release:
            if not self._room():
                return False
            number = len(self.study.get_trials(deepcopy=False))
            self.study.sampler = optuna.samplers.TPESampler(seed=self.base.seed + number)

            def objective(trial: Trial) -> float:
                await_heart(self.study, trial.number)
                release()  # the trial exists, and the others count it
                return self.value(trial, learnt, accelerator)

            survived = (Diverged, torch.OutOfMemoryError)
            try:
                self.study.optimize(objective, n_trials=1, catch=survived, callbacks=[say])
            except ValueError as error:
                if not str(error).startswith(_GIVEN_UP):
                    raise
        return True

    def _room(self) -> bool:
        """A trial whose process was killed counts until its heart has not beaten for a while.

        Optuna waits for ever for one that was killed before its first heartbeat. Nobody else
        has the turn now, so nobody is about to beat: it is over.
        """
        if self.target > count(self.study, *FINISHED, TrialState.RUNNING):
            return True
        for number in heartless(self.study):
            self.study.tell(number, state=TrialState.FAIL)
        optuna.storages.fail_stale_trials(self.study)
        return self.target > count(self.study, *FINISHED, TrialState.RUNNING)

    def finished(self) -> bool:
        """Whether all trials are over; then the study says so at once, though the search for
        other model types goes on."""
        if count(self.study, *FINISHED) < self.target:
            return False
        self.marker.finish()
        return True

    def summary(self) -> str:
        """One line: how many trials, and the best of them."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not done:
            return f"{self.study.study_name}: no trial was completed"
        best = self.study.best_trial
        pruned = count(self.study, TrialState.PRUNED)
        return (
            f"{self.study.study_name}: {len(done)} completed, {pruned} pruned; "
            f"best {training.METRIC} {best.value:.4f} (#{best.number})"
        )

    def value(self, trial: Trial, learnt: Material, accelerator: str) -> float:
        """A trial records all that it takes to train the very same model again."""
        chosen = with_params(self.base, spaces.params(trial, self.base.model_type))
        settings = chosen.model_copy(update={"seed": self.base.seed + trial.number})
        trial.set_user_attr("seed", settings.seed)
        trial.set_user_attr("config", settings.model_dump())
        trial.set_user_attr("data_sha256", learnt.sha256)
        trained = training.train(settings, learnt, accelerator, heard=[_pruning(trial)])
        facts = contract.facts(trained, settings, learnt)
        for name in ("accelerator", "epochs", "best_epoch", "git_commit"):
            trial.set_user_attr(name, facts[name])
        if self._keeps(trained.value):
            held = published.content(trained.network, settings, learnt.scaler, facts)
            trial.set_user_attr("janitor:model", str(self.leave(trial, held, trained.best_epoch)))
        return trained.value

    def leave(self, trial: Trial, held: dict[str, Any], epoch: int) -> Path:
        """The trial's model in the published form, relative to the working folder.

        Under the name of a checkpoint: it is one of many, and no run has ended with it.
        """
        path = RUNS / str(self.study.study_name) / f"trial_{trial.number}" / f"epoch_{epoch}.pt"
        published.save(held, path)
        return path

    def _keeps(self, value: float) -> bool:
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        best = max((each.value for each in done if each.value is not None), default=value)
        return self.keep == "all" or (self.keep == "best" and value >= best)


def _pruning(trial: Trial) -> Callable[[Epoch], None]:
    """Tells the study of each epoch, and ends the trial where others did better."""

    def listener(epoch: Epoch) -> None:
        trial.report(epoch.value, epoch.number)
        if trial.should_prune():
            raise optuna.TrialPruned(f"after epoch {epoch.number}")

    return listener


def say(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    value = "" if trial.value is None else f" {trial.value:.4f}"
    print(f"{study.study_name} #{trial.number}: {trial.state.name.lower()}{value}", flush=True)
