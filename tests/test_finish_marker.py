"""``FinishMarker`` in real Optuna programs: what it writes, and when it writes nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor.core.study import Study
from artifact_janitor.observe import optuna_files
from artifact_janitor.optuna import WORKERS, FinishMarker
from tests.real.optimizer import Optimizer, optimizer

IN_A_BLOCK = """
def work(trials=2, function=objective, **how):
    with FinishMarker(study, **how):
        study.optimize(function, n_trials=trials)
def told(trials=2):
    with FinishMarker(study, target=2, model_type="mlp"):
        for _ in range(trials):
            study.tell(study.ask(), 1.0)
def fails(trial):
    raise ValueError
"""


@pytest.fixture(params=["sqlite", "journal"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / ("s.db" if request.param == "sqlite" else "s.log")


def kind_of(place: Path) -> str:
    return "journal" if place.suffix == ".log" else "sqlite"


def attrs(place: Path) -> dict[str, object]:
    found = optuna_files.of_file(place.parent, place.name, {})
    assert isinstance(found, list)
    (study,) = found
    assert isinstance(study, Study)
    return dict(study.attrs)


@pytest.fixture
def program(place: Path) -> Iterator[Optimizer]:
    with optimizer(place, kind=kind_of(place)) as one:
        one.begin(f"exec({IN_A_BLOCK!r}, globals())")
        yield one


def test_a_block_s_whole_story(place: Path, program: Optimizer) -> None:
    """Marked, resumed, failed, interrupted, resumed again."""
    wanted = {"janitor:target": 2, "model_type": "mlp"}
    program.begin("told()")
    assert attrs(place) == {**wanted, "janitor:finished": 2}
    assert program.begin("work(1, target=4)") is None
    assert attrs(place) == {**wanted, "janitor:target": 4, "janitor:finished": None}
    assert program.begin("work(1, fails, target=4)") == "ValueError"
    assert attrs(place)["janitor:finished"] is None  # it is met, but it ended in an error
    assert program.begin("work(1, slow, target=5)") == "in a trial"
    assert program.interrupt() == "KeyboardInterrupt"
    assert attrs(place)["janitor:finished"] is None
    program.begin("work(1, target=6)")
    assert attrs(place)["janitor:finished"] == 6
    program.begin("work(1)")  # without a target the end of the block is the end
    assert attrs(place) == {**wanted, "janitor:target": 6, "janitor:finished": 7}
    program.begin("FinishMarker(study, target=99).finish()")
    assert attrs(place)["janitor:finished"] == 7


def test_a_callback_marks_with_the_trial_that_meets_the_target(
    place: Path, program: Optimizer
) -> None:
    program.begin("globals().update(mark=FinishMarker(target=3, model_type='mlp'))")
    program.begin("study.optimize(objective, n_trials=2, callbacks=[mark])")
    assert attrs(place) == {"janitor:target": 3, "model_type": "mlp"}
    program.begin("study.optimize(objective, n_trials=1, callbacks=[mark])")
    assert attrs(place)["janitor:finished"] == 3


def test_of_several_processes_the_last_one_marks(tmp_path: Path) -> None:
    place = tmp_path / "s.db"
    with optimizer(place) as one, optimizer(place) as other:
        for each in (one, other):
            each.begin(f"exec({IN_A_BLOCK!r}, globals())")
        assert other.begin("work(1, slow, target=3)") == "in a trial"
        one.begin("work(2, target=3)")
        assert "janitor:finished" not in attrs(place)
        assert other.process.stdin is not None
        assert other.begin("") is None
        assert attrs(place)["janitor:finished"] == 3


class _Broken:
    """A study whose storage is gone; no real one can be made to fail at each call."""

    user_attrs: dict[str, Any] = {}  # noqa: RUF012

    def set_user_attr(self, key: str, value: Any) -> None:
        raise OSError(f"no storage for {key} = {value}")

    def get_trials(self, deepcopy: bool = True) -> list[Any]:
        raise OSError("no storage")


def test_a_hint_that_fails_is_a_warning() -> None:
    study = _Broken()
    message = "can't be told of this study: no storage"
    with pytest.warns(UserWarning, match=message), FinishMarker(study, target=3):
        pass
    warnings.simplefilter("ignore")
    with pytest.raises(KeyError), FinishMarker(study):
        raise KeyError  # what goes wrong in the block is not ours to hide


def test_ctrl_c_is_no_warning() -> None:
    class Interrupted(_Broken):
        def get_trials(self, deepcopy: bool = True) -> list[Any]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), FinishMarker(Interrupted()):
        pass


class _Counted:
    """What the callback asks of a large study."""

    def __init__(self) -> None:
        self.user_attrs: dict[str, Any] = {}
        self.asked = 0

    def set_user_attr(self, key: str, value: Any) -> None:
        self.user_attrs[key] = value

    def get_trials(self, deepcopy: bool = True) -> list[Any]:
        assert not deepcopy
        self.asked += 1
        return []


def test_a_callback_counts_only_near_the_target() -> None:
    class Trial:
        number = 0

    study, trial = _Counted(), Trial()
    marker = FinishMarker(target=WORKERS + 10)
    for trial.number in range(9):
        marker(study, trial)
    assert study.asked == 0
    trial.number = 10
    marker(study, trial)
    assert study.asked == 1


@pytest.mark.parametrize("target", [0, -1, True, 2.0, "3"])
def test_a_target_is_a_number_of_trials(target: Any) -> None:
    with pytest.raises(ValueError, match="number of trials"):
        FinishMarker(target=target)
    with pytest.raises(TypeError, match="hand the study in"):
        FinishMarker().__enter__()
