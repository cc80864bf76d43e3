"""Which trial is best: as Optuna itself says, in studies made at random."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from artifact_janitor.observe.optuna_files import of_file

SPACE: dict[str, Any] = {
    "lr": FloatDistribution(1e-5, 1e-1, log=True),
    "width": IntDistribution(8, 512),
    "kind": CategoricalDistribution(("adam", "sgd", None, 3)),
}
VALUES = (0.5, 0.25, -1.0, 0.0, 1e-300, math.inf, -math.inf)
"""Few, so that there are ties."""


def a_trial(chance: random.Random) -> FrozenTrial:
    names = chance.sample([*SPACE], chance.randint(0, len(SPACE)))
    choices = {"lr": chance.uniform(1e-5, 1e-1), "width": chance.randint(8, 512)}
    params = {each: choices.get(each, chance.choice(("adam", "sgd", None, 3))) for each in names}
    state = chance.choice([TrialState.COMPLETE] * 3 + [TrialState.PRUNED, TrialState.FAIL])
    value = chance.choice((*VALUES, chance.uniform(-1, 1)))
    bounds = {"constraints": [chance.choice((-1.0, 0.0, 2.0))]} if chance.random() < 0.3 else {}
    return create_trial(
        state=state,
        value=value if state == TrialState.COMPLETE else None,
        params=params,
        distributions={each: SPACE[each] for each in names},
        system_attrs=bounds,
    )


def agrees(folder: Path, count: int) -> None:
    chance = random.Random(count)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{folder}/many.db", engine_kwargs={"connect_args": {"isolation_level": None}}
    )
    theirs = {}
    for number in range(count):
        direction = chance.choice(("minimize", "maximize"))
        study = optuna.create_study(
            storage=storage, study_name=f"s{number}_mlp", direction=direction
        )
        study.add_trials([a_trial(chance) for _ in range(chance.randint(1, 9))])
        try:
            found = study.best_trial
            theirs[study.study_name] = (found.number, found.value, found.params)
        except ValueError:
            theirs[study.study_name] = None
    read = of_file(folder, "many.db", {})
    assert isinstance(read, list)
    bests = {each.name: each.bests[0] if each.bests else None for each in read}
    ours = {
        name: (mine.number, mine.values[0], mine.params) if mine else None
        for name, mine in bests.items()
    }
    assert ours == theirs


def test_our_best_is_optunas(tmp_path: Path) -> None:
    agrees(tmp_path, 25)


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_our_best_is_optunas_300_times(tmp_path: Path) -> None:
    agrees(tmp_path, 300)
