"""A journal that is damaged in any way: nothing is lost, nothing goes unasked, nothing is written
elsewhere, and there is no traceback. What was in the trash comes back (S1, S8, S12)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.proof.conftest import Count
from tests.proof.journals import (
    JOURNAL,
    LOG,
    Damage,
    by_chance,
    by_hand,
    pages,
    pristine,
    tried,
    values,
    zeroed,
)
from tests.real.kills import to_prove

Tries = Iterable[tuple[str, Damage]]


def all_wrong(root: Path, damages: Tries, *, logged: bool = False) -> tuple[int, list[str]]:
    count, wrong = 0, []
    for name, damage in damages:
        wrong += [f"{name}: {each}" for each in tried(root, damage, logged=logged)]
        count += 1
    return count, wrong


def test_of_each_kind_of_damage_some(count: Count, tmp_path: Path) -> None:
    hands = [each for at, each in enumerate(by_hand()) if at in (0, 3, 5, 11)]
    damages = [*hands, ("page 0", zeroed(0)), *(by_chance(seed) for seed in range(6))]
    count("journal: slice", *all_wrong(tmp_path / "work", damages))


@pytest.mark.proof
def test_the_log_is_damaged(count: Count, tmp_path: Path) -> None:
    assert (pristine(tmp_path / "work", logged=True) / LOG).stat().st_size > 4096
    damages = [by_chance(seed, "-wal") for seed in range(2)]
    count("journal: slice", *all_wrong(tmp_path / "work", damages, logged=True))


@pytest.mark.proof
def test_what_others_do_to_it(count: Count, tmp_path: Path) -> None:
    count("journal: by hand", *all_wrong(tmp_path / "work", by_hand()))


@pytest.mark.proof
def test_each_column_has_an_odd_value(count: Count, tmp_path: Path) -> None:
    damages = [*values(pristine(tmp_path / "work") / JOURNAL)]
    count("journal: odd values", *all_wrong(tmp_path / "work", damages))


@pytest.mark.proof
def test_each_page_is_zeroed_in_turn(count: Count, tmp_path: Path) -> None:
    every = range(pages(pristine(tmp_path / "work") / JOURNAL))
    damages = [(f"page {page}", zeroed(page)) for page in every]
    count("journal: each page", *all_wrong(tmp_path / "work", damages))


@pytest.mark.proof
@pytest.mark.parametrize("end", ["", "-wal"])
def test_random_damage(end: str, count: Count, tmp_path: Path) -> None:
    seeds = to_prove([("seed", seed) for seed in range(2000)])
    damages = [(f"seed {seed}", by_chance(seed, end)[1]) for _, seed in seeds]
    found = all_wrong(tmp_path / "work", damages, logged=bool(end))
    count(f"journal: random damage{end}", *found)
