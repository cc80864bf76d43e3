"""Real Optuna studies of every kind that a report must be able to tell of, in one database.

Run as a program: ``python -m tests.real.reported DATABASE [TRIALS]``.
"""

from __future__ import annotations

import sys
from typing import Any

NAMES = ("rich_mlp", "two_goals", "bound_lstm", "named_bounds", "single", "failed", "empty", "odd")


def build(path: str) -> None:
    import optuna

    optuna.logging.disable_default_handler()
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    made = {name: optuna.create_study(storage=storage, study_name=name) for name in NAMES[2:]}
    _rich(optuna, storage)
    _two_goals(optuna, storage)
    _bounds(optuna, storage)
    made["single"].optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    made["failed"].optimize(_fails, n_trials=4, catch=(RuntimeError,))
    _odd(made["odd"])


def _sampler(optuna: Any, **how: Any) -> Any:
    return optuna.samplers.RandomSampler(seed=1, **how)


def _rich(optuna: Any, storage: Any) -> None:
    study = optuna.create_study(
        storage=storage, study_name="rich_mlp", direction="maximize", sampler=_sampler(optuna)
    )
    study.set_metric_names(["validation_f1_score"])

    def objective(trial: Any) -> float:
        lr = trial.suggest_float("learning_rate", 1e-5, 1e-1, log=True)
        kind = trial.suggest_categorical("optimizer", ["adamw", "sgd", None])
        depth = trial.suggest_int("depth", 1, 6)
        momentum = trial.suggest_float("momentum", 0, 1) if kind == "sgd" else 0.5
        value = 0.6 - 0.03 * (abs(depth - 3) + (kind != "adamw")) - 0.05 * abs(lr - 1e-3)
        trial.report(value, 1)
        if trial.number % 6 == 5:
            raise optuna.TrialPruned
        trial.set_user_attr("seed", trial.number)
        return float(value - 0.02 * abs(momentum - 0.5)) if trial.number != 7 else float("-inf")

    study.optimize(objective, n_trials=40)


def _two_goals(optuna: Any, storage: Any) -> None:
    study = optuna.create_study(
        storage=storage,
        study_name="two_goals",
        directions=["minimize", "maximize"],
        sampler=_sampler(optuna),
    )

    def both(trial: Any) -> tuple[float, float]:
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        return x + y, x - y * y

    study.optimize(both, n_trials=20)


def _bounds(optuna: Any, storage: Any) -> None:
    """The best of all is infeasible; once in each form in which constraints are stored."""

    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        trial.set_user_attr("over", (0.3 - x,))
        return float(x)

    study = optuna.create_study(
        storage=storage,
        study_name="bound_lstm",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(
            seed=2, constraints_func=lambda trial: trial.user_attrs["over"]
        ),
    )
    study.optimize(objective, n_trials=12)
    named = optuna.load_study(storage=storage, study_name="named_bounds", sampler=_sampler(optuna))
    for x in (0.1, 0.5, 0.7):
        trial = named.ask()
        storage.set_trial_system_attr(trial._trial_id, "constraints:size", 0.3 - x)
        named.tell(trial, x)


def _fails(trial: Any) -> float:
    raise RuntimeError("no luck")


def _odd(study: Any) -> None:
    """Names and values that a plot must survive."""

    def objective(trial: Any) -> float:
        cost = trial.suggest_float("$\\frac{cost}", 1, 2)
        trial.suggest_categorical("new\nline" * 20, ["$x$", "\x00", "y" * 300])
        trial.suggest_float("same", 3, 3)
        return float("inf") if trial.number == 2 else cost * 10 ** (trial.number % 30)

    study.optimize(objective, n_trials=32)


def large(path: str, trials: int) -> None:
    """Many trials, written as fast as Optuna can."""
    import datetime as dt

    import optuna
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def _hurry(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")

    optuna.logging.disable_default_handler()
    space = {
        "x": optuna.distributions.FloatDistribution(1e-4, 1, log=True),
        "kind": optuna.distributions.CategoricalDistribution(["a", "b", "c"]),
        "depth": optuna.distributions.IntDistribution(1, 9),
    }
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="large_mlp")
    begin = dt.datetime(2030, 1, 1)
    every = []
    for number in range(trials):
        params = {
            "x": (number % 997 + 1) / 1000,
            "kind": "abc"[number % 3],
            "depth": number % 9 + 1,
        }
        trial = optuna.trial.create_trial(
            params=params, distributions=space, value=params["x"] + number % 7
        )
        trial.datetime_start = begin + dt.timedelta(seconds=number * 3)
        trial.datetime_complete = trial.datetime_start + dt.timedelta(seconds=20)
        every.append(trial)
    study.add_trials(every)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        large(sys.argv[1], int(sys.argv[2]))
    else:
        build(sys.argv[1])
