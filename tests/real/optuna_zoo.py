"""Studies of every form, made by whichever Optuna runs this, and what Optuna itself says of them.

    python optuna_zoo.py sqlite|journal PATH > PATH.json

Run by the tests with Optuna 5.0. The dumps beside it were made by older ones, each in an
environment of its own (``pip install optuna==2.10.1 'sqlalchemy<1.5'``, ``optuna==3.6.1
'sqlalchemy<2.1'``, ``optuna==4.9.0 'sqlalchemy<2.1'``): ``python optuna_zoo.py sqlite a.db >
2.10.1.json``, then ``sqlite3.Connection.iterdump`` of it into ``2.10.1.sql``, with
``9e999`` for ``Inf``. So this runs with all of them.
"""

from __future__ import annotations

import json
import sys
import warnings

import optuna
from optuna.trial import TrialState, create_trial

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.CRITICAL)
NAMES = ["../../etc/x", "two\nlines", "x" * 500]


def storage_of(kind: str, path: str):
    if kind == "journal":
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        return JournalStorage(JournalFileBackend(path))
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def _as_asked(connection, _):
        connection.execute("PRAGMA synchronous=off")  # spares a slow disk minutes

    return optuna.storages.RDBStorage(f"sqlite:///{path}")


def valued(study, values, **how) -> None:
    """Trials with these values, in this order."""
    found = iter(values)

    def objective(trial):
        trial.suggest_float("x", 0, 1)
        return next(found)

    study.optimize(objective, n_trials=len(values), **how)


def conditional(trial) -> float:
    kind = trial.suggest_categorical("kind", ["svm", "forest", None, True])
    trial.suggest_categorical("layers", [(64, 32), (128,), 3, 0.5])
    if kind == "svm":
        trial.suggest_float("c", 1e-3, 1e3, log=True)
    else:
        trial.suggest_int("depth", 1, 64, log=True)
    trial.suggest_float("rate", 0.0, 1.0, step=0.25)
    trial.suggest_int("width", 8, 64, step=8)
    trial.set_user_attr("seed", 17)
    trial.set_user_attr("model_file", f"runs/é/{trial.number}.pth")
    return [0.5, 0.75, 0.75, 0.25][trial.number]


def ended(trial) -> float:
    """Pruned with a value, failed, not a number, complete."""
    trial.suggest_float("x", 0, 1)
    trial.report(99.0, 1)
    if trial.number == 0:
        raise optuna.TrialPruned
    if trial.number == 1:
        raise ValueError("on purpose")
    return float("nan") if trial.number == 2 else 1.0


def constrained(create) -> None:
    """By number: how far each is beyond its constraints."""
    beyond = {"some": [[1.0], [0.0, -1.0], [-2.0], [0.5]], "all": [[1.0], [1.0]]}
    for name, listed in beyond.items():
        sampler = optuna.samplers.NSGAIISampler(
            constraints_func=lambda trial, listed=listed: listed[trial.number]
        )
        study = create(f"constrained_{name}", direction="maximize", sampler=sampler)
        valued(study, [9.0, 4.0, 4.0, 8.0][: len(listed)])
    if hasattr(optuna.trial.Trial, "set_constraint"):
        study = create("constrained_by_name", direction="minimize")
        for value, by_name in (
            (1.0, {"size": 2.0}),
            (3.0, {"size": 0.0}),
            (2.0, {"a": -1, "b": 1}),
        ):
            trial = study.ask()
            for name, beyond_by in by_name.items():
                trial.set_constraint(name, beyond_by)
            study.tell(trial, value)


def several(create) -> None:
    study = create("several", directions=["maximize", "minimize"])
    pairs = iter([(1.0, 5.0), (3.0, 9.0), (3.0, float("inf")), (2.0, 4.0)])
    study.optimize(lambda trial: next(pairs), n_trials=4)
    if hasattr(study, "set_metric_names"):
        study.set_metric_names(["f1", "latency"])


def unfinished(create) -> None:
    study = create("unfinished", direction="minimize")
    valued(study, [2.0])
    study.ask()
    study.enqueue_trial({"x": 0.5})
    study.add_trial(create_trial(value=1.5, params={}, distributions={}))
    study.add_trial(create_trial(state=TrialState.FAIL, params={}, distributions={}))
    create("empty", direction="minimize")


def zoo(storage) -> None:
    def create(name, **how):
        return optuna.create_study(storage=storage, study_name=name, **how)

    valued(create("ties", direction="maximize"), [1.0, 3.0, 3.0, 2.0])
    infinite = [float("inf"), 2.0, float("-inf"), 5.0, float("-inf")]
    valued(create("least", direction="minimize"), infinite)
    valued(create("most", direction="maximize"), infinite)
    study = create("eurusd_mlp", direction="maximize")
    study.optimize(conditional, n_trials=4)
    study.set_user_attr("model_type", "mlp")
    study.set_user_attr("note", {"é": ["\n", None, 1.5]})
    create("ended", direction="maximize").optimize(ended, n_trials=4, catch=(ValueError,))
    constrained(create)
    several(create)
    unfinished(create)
    optuna.delete_study(study_name="ties", storage=storage)
    valued(create("ties", direction="maximize"), [1.0, 3.0, 3.0, 2.0])
    for name in NAMES:
        create(name, direction="minimize")


def told(study) -> dict:
    """What is true of a study, from all its trials."""
    trials = study.get_trials()
    counts: dict = {}
    for trial in trials:
        counts[trial.state.name] = counts.get(trial.state.name, 0) + 1
    bests = []
    for place, direction in enumerate(study.directions):
        known = [trial for trial in trials if trial.state.name == "COMPLETE" and feasible(trial)]
        way = -1 if direction.name == "MAXIMIZE" else 1
        best = min(known, key=lambda t: (way * t.values[place], t.number), default=None)
        bests.append(best and [best.number, [*map(str, best.values)], best.params, best.user_attrs])
    names = getattr(study, "metric_names", None)
    return {
        "directions": [each.name.lower() for each in study.directions],
        "counts": counts,
        "attrs": study.user_attrs,
        "metrics": names or [],
        "bests": bests,
    }


def feasible(trial) -> bool:
    attrs = trial.system_attrs
    named = [attrs[key] for key in attrs if key.startswith("constraints:")]
    listed = attrs.get("constraints") or attrs.get("nsga2:constraints") or ()
    return all(each <= 0 for each in [*listed, *named])


if __name__ == "__main__":
    made = storage_of(sys.argv[1], sys.argv[2])
    zoo(made)
    names = [each.study_name for each in optuna.get_all_study_summaries(made)]
    said = {}
    for name in names:
        said[name] = told(optuna.load_study(study_name=name, storage=made))
    print(json.dumps({"optuna": optuna.__version__, "studies": said}))
