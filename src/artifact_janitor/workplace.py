"""Everything that a command needs to change something: state, journal, and ground."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass

from artifact_janitor import clock, rebuild
from artifact_janitor.apply.archive.store import Store
from artifact_janitor.apply.ground import Ground
from artifact_janitor.config import Settings
from artifact_janitor.config.values import OWN_STORE
from artifact_janitor.core.model import Kind
from artifact_janitor.journal import Journal
from artifact_janitor.rebuild import Site
from artifact_janitor.reserve import Reserve
from artifact_janitor.state import State


@dataclass(frozen=True, slots=True)
class Workplace:
    """An opened workspace."""

    settings: Settings
    state: State
    journal: Journal
    ground: Ground

    def finish(self, sweep: str) -> None:
        """Make what a sweep did durable, and only then call it ended (S9, S12)."""
        self.ground.sync(self.journal.touched(sweep))
        self.journal.end(sweep, clock.read().wall)


@contextmanager
def workplace(settings: Settings) -> Iterator[Workplace]:
    """Open a workspace for changes; a journal that is damaged is rebuilt. Raises JanitorError
    where its state can't be used."""
    state = State(settings.workspace)
    reserve = Reserve(state)
    is_short = reserve.at_need()
    state.prepare()
    if not is_short:
        reserve.keep()
    try:
        with closing(rebuild.opened(_site(settings, state, reserve))) as journal:
            if journal.clock() is None:  # what comes first is noted, whatever the command
                journal.set_clock(*astuple(clock.read()))
            yield Workplace(settings, state, journal, ground_of(settings))
    finally:
        reserve.keep()


def to_read(settings: Settings) -> Journal | None:
    """The workspace's journal, only to be read; None where there is none yet."""
    state = State(settings.workspace)
    return rebuild.to_read(_site(settings, state, Reserve(state)))


def is_lost(settings: Settings) -> bool:
    """Whether there is no journal, and something that only one can have told of."""
    state = State(settings.workspace)
    return rebuild.is_gone(_site(settings, state, Reserve(state)))


_KINDS: dict[str, Kind] = {
    "outputs": "hydra-run",
    "multirun": "hydra-sweep",
    "wandb": "wandb-run",
    "training": "training-run",
    "logs": "log",
    "mlruns": "mlflow-run",
    "models": "model",
    "best_models": "milestone",
}
"""What comes out of each folder."""


def _site(settings: Settings, state: State, reserve: Reserve) -> Site:
    roots = settings.folders.roots.items()
    kinds = {folder: _KINDS[key] for folder, key in roots if key in _KINDS}
    stores = {place: store_of(settings, place) for place in (settings.archive.store, OWN_STORE)}
    models = settings.folders.models[0]
    return Site(state, ground_of(settings), kinds, stores, models, reserve)


def store_of(settings: Settings, store: str = "") -> Store:
    """The folder that archives go to, or one that they went to before."""
    place = store or settings.archive.store
    own = place == OWN_STORE
    return Store(settings.workspace / place, own=own, owner=settings.workspace)


def ground_of(settings: Settings) -> Ground:
    """Where runs are, and archives, and milestones, which a person promotes and takes back: the
    trash of a store on another disk lies in it."""
    store = settings.archive.store
    stores = () if store == OWN_STORE else (store,)
    roots = (*settings.folders.retention, *settings.folders.best_models, *stores)
    return Ground(settings.workspace, roots)
