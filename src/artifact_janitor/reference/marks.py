"""What a study says of itself, so that nobody has to guess whether it is finished.

`begin` and `finish` are what ``artifact_janitor.optuna.FinishMarker`` does for any study.
"""

from __future__ import annotations

import optuna
from optuna.trial import TrialState

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def count(study: optuna.Study, *states: TrialState) -> int:
    return len(study.get_trials(deepcopy=False, states=states))


def begin(study: optuna.Study, model_type: str, target: int) -> None:
    """`target` is how many trials it is to have in the end, whatever becomes of them."""
    study.set_user_attr("model_type", model_type)
    study.set_user_attr("janitor:target", target)


def finish(study: optuna.Study) -> None:
    """With more trials than this, the mark is void: someone went on."""
    study.set_user_attr("janitor:finished", count(study, *FINISHED))
