"""Look for the best settings of one or more model types.

    python -m artifact_janitor.reference.run_hpo --study-name eurusd --models mlp,lstm \
        --trials 40 --jobs 2 series.csv=prices.csv

All studies of one execution lie in ``hpo_studies/{study_name}.db``, one a model type:
``{study_name}_{model_type}``. Call it again, and it goes on to the number of trials asked for;
call it several times at once, and they share the work.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from artifact_janitor.errors import JanitorError, UsageError
from artifact_janitor.reference import needs

if TYPE_CHECKING:
    from artifact_janitor.reference.material import Material
    from artifact_janitor.reference.search import Search

STUDIES = Path("hpo_studies")
MODEL_TYPES = ("mlp", "lstm", "transformer")
PAUSE = 0.5
"""Seconds between two looks at trials that others are at work on."""


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else [*argv]
    asked = _parser().parse_intermixed_args(words)
    needs.require("torch", "lightning", "torchmetrics", "sklearn", "hydra", "optuna")
    check(asked)
    with others(words, asked.jobs - 1):
        optimize(asked)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_hpo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study-name", default="forex", help="of this execution (forex)")
    parser.add_argument("--models", default="mlp", help="one or more of mlp,lstm,transformer (mlp)")
    parser.add_argument("--trials", type=int, default=30, help="of each model type (30)")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the work (1)")
    parser.add_argument(
        "--keep-models",
        choices=("best", "all", "none"),
        default="best",
        help="which trials leave their model: those that were the best so far (best)",
    )
    parser.add_argument(
        "--heartbeat",
        type=int,
        default=10,
        help="seconds; a trial that was silent for three times as long counts as failed (10)",
    )
    parser.add_argument("overrides", nargs="*", help="settings, such as training.epochs=10")
    return parser


def check(asked: argparse.Namespace) -> None:
    """Raises UsageError for what can't be."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", asked.study_name, re.ASCII):
        raise UsageError(f"--study-name {asked.study_name!r}", "letters, digits, _, - and . only")
    for model_type in asked.models.split(","):
        if model_type not in MODEL_TYPES:
            raise UsageError(f"--models: {model_type!r}", f"known: {', '.join(MODEL_TYPES)}")
    for name in ("trials", "jobs", "heartbeat"):
        if getattr(asked, name) < 1:
            raise UsageError(f"--{name} has to be 1 or more")
    for each in asked.overrides:
        if each.lstrip("+~").partition("=")[0].startswith("model"):
            raise UsageError(f"{each}: the search itself chooses the model", "use --models")


@contextmanager
def others(words: Sequence[str], count: int) -> Iterator[None]:
    """More processes that do the same; waits for them, and ends them if this one fails."""
    command = [sys.executable, "-m", "artifact_janitor.reference.run_hpo", *words, "--jobs", "1"]
    started = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
        codes = [each.wait() for each in started]
    finally:
        for each in started:
            each.terminate()  # does nothing where it has ended
            each.wait()
    if any(codes):
        raise JanitorError("a process of the search failed", "its error stands above")


def optimize(asked: argparse.Namespace) -> None:
    """Until every study has the trials that were asked for, whoever runs them."""
    searches, learnt, accelerator = begun(asked)
    with ExitStack() as marked:
        for search in searches:
            marked.enter_context(search.marker)
        left = searches
        while left:
            if not any(search.step(learnt, accelerator) for search in left):
                time.sleep(PAUSE)
            left = [search for search in left if not search.finished()]
    for search in searches:
        print(search.summary())


def begun(asked: argparse.Namespace) -> tuple[list[Search], Material, str]:
    """A search for each model type, on the same prices; the first process makes the database."""
    from artifact_janitor.reference import configs, studies
    from artifact_janitor.reference.search import Search, Turn

    STUDIES.mkdir(parents=True, exist_ok=True)
    turn = Turn(STUDIES)
    searches = []
    with turn.taken():
        held = studies.storage(STUDIES / f"{asked.study_name}.db", asked.heartbeat)
        for model_type in asked.models.split(","):
            told = configs.composed([f"model={model_type}", *asked.overrides])
            base, learnt = studies.pinned(configs.deciding(told), held)
            name = f"{asked.study_name}_{model_type}"
            study = studies.opened(held, name, base, learnt)
            searches.append(Search(study, base, asked.trials, turn, asked.keep_models))
    return searches, learnt, str(told["machine"]["accelerator"])


if __name__ == "__main__":
    sys.exit(needs.told(main))
