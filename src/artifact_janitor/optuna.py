"""Tell the janitor from inside an Optuna program when a study is finished. Two lines::

    from artifact_janitor.optuna import FinishMarker

    with FinishMarker(study, target=200, model_type="lstm"):
        study.optimize(objective, n_trials=200)

Or as a callback alone: ``callbacks=[FinishMarker(target=200)]``. Without either the janitor
waits until a study has been quiet for a while; see docs/how-to/studies.md.

This module writes user attributes of the study by Optuna's own methods, in your process, and
needs no more of Optuna than the study that you hand it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from artifact_janitor.core.study import MARKER, MODEL_TYPE, TARGET

__all__ = ["FinishMarker"]

WORKERS = 100
"""How many trials may be at work at once: before the last so many of a target the callback
need not count what is finished, which takes Optuna seconds in a large study."""


class _Study(Protocol):
    """What is asked of ``optuna.study.Study``."""

    @property
    def user_attrs(self) -> dict[str, Any]: ...

    def set_user_attr(self, key: str, value: Any) -> None: ...

    def get_trials(self, deepcopy: bool = ...) -> Sequence[Any]: ...


class FinishMarker:
    """Marks a study as finished when the block ends, or with the trial that meets the target.

    An exception or Ctrl-C leaves no mark, and what goes on later takes an old mark back. With
    a `target`, the number of trials that shall be finished in all processes together (complete,
    pruned or failed), the mark is only made when it is met; so several processes may each have
    a marker. A program that ends before on purpose, by a timeout say, calls ``finish()``, or
    gives no target. `model_type` names the model that the trials train.

    What can't be written is a warning: a hint never ends an optimization.
    """

    def __init__(
        self,
        study: _Study | None = None,
        *,
        target: int | None = None,
        model_type: str | None = None,
    ) -> None:
        is_count = isinstance(target, int) and not isinstance(target, bool) and target > 0
        if target is not None and not is_count:
            raise ValueError(f"target is a number of trials, 1 or more, not {target!r}")
        self._study = study
        self._target = target
        self._model_type = model_type
        self._begun = False

    def __enter__(self) -> Self:
        if self._study is None:
            raise TypeError("hand the study in: with FinishMarker(study):")
        self._begin(self._study)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._study is not None:
            self._mark(self._study)

    def __call__(self, study: _Study, trial: Any) -> None:
        """As a callback of ``optimize``: after each trial."""
        if not self._begun:
            self._begin(study)
        if self._target is not None and trial.number + WORKERS >= self._target:
            self._mark(study)

    def finish(self) -> None:
        """Mark the study as finished now, whatever its target."""
        if self._study is None:
            raise TypeError("hand the study in: FinishMarker(study)")
        with _Quietly():
            self._study.set_user_attr(MARKER, _over(self._study))

    def _begin(self, study: _Study) -> None:
        """Say what is wanted, and take back what an earlier run said."""
        self._begun = True
        wanted = {TARGET: self._target, MODEL_TYPE: self._model_type}
        with _Quietly():
            known = study.user_attrs
            for key, value in wanted.items():
                if value is not None and known.get(key) != value:
                    study.set_user_attr(key, value)
            if known.get(MARKER) is not None and not self._is_met(_over(study)):
                study.set_user_attr(MARKER, None)

    def _mark(self, study: _Study) -> None:
        with _Quietly():
            over = _over(study)
            if self._target is None or self._is_met(over):
                study.set_user_attr(MARKER, over)

    def _is_met(self, over: int) -> bool:
        return self._target is not None and over >= self._target


def _over(study: _Study) -> int:
    """Trials that are complete, pruned or failed."""
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


class _Quietly:
    """Whatever goes wrong in here is told as a warning."""

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            warnings.warn(f"the janitor can't be told of this study: {error}", stacklevel=3)
            return True
        return False
