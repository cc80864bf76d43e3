"""Whatever is damaged: a clear word, an end, nothing written elsewhere, nothing lost (S7, S14).

A seed that is printed brings a trial back: ``PROOF_SEED=N pytest -m proof …``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from random import Random

import pytest

from tests.proof.bounded import Trial, tried
from tests.proof.conftest import Count
from tests.proof.damage import HARMS, SUBSTITUTES, Harmed, harm
from tests.proof.gallery import Gallery, gallery
from tests.proof.readers import READERS, put_back, readers_of

SEED = int(os.environ.get("PROOF_SEED") or Random().randrange(1 << 32))
"""Of the long sweeps; the slices of them have one that stays."""
ROUNDS = int(os.environ.get("PROOF_ROUNDS") or 6)
"""How often each file is damaged in each way."""


def files(shown: Gallery) -> list[str]:
    """What the readers read, by path."""
    every = (each for each in shown.shelf.rglob("*") if each.is_file() and not each.is_symlink())
    paths = sorted(str(each.relative_to(shown.shelf)) for each in every)
    return [path for path in paths if readers_of(path)]


def read(shown: Gallery, harmed: Harmed) -> Iterator[str]:
    """One file damaged, and all its readers asked."""
    file, opened = shown.root / harmed.path, len(os.listdir("/proc/self/fd"))
    harm(file, harmed.how, harmed.seed)
    try:
        for reader in readers_of(harmed.path):
            yield from reader(shown.root, harmed.path)
    finally:
        put_back(shown.shelf / harmed.path, file)
    if len(os.listdir("/proc/self/fd")) > opened:
        yield "a file was left open"


def trials(shown: Gallery, chosen: list[Harmed]) -> list[Trial]:
    return [(str(each), partial(read, shown, each)) for each in chosen]


def test_the_readers_take_what_is_sound(count: Count) -> None:
    """Nothing of what is found in damage is there without it."""
    shown = gallery(whole=False)
    work = shown.hung()
    wrong = [
        f"{path}: {each}"
        for path in files(shown)
        for reader in readers_of(path)
        for each in reader(work.root, path)
    ]
    expected = ("counts as uploaded", "a check finds nothing")
    assert {each.partition(": ")[2].partition(":")[0] for each in wrong} == {*expected}


def test_damage_is_read_and_ends(count: Count) -> None:
    """A slice: each file twice, with a seed that stays."""
    shown, chance = gallery(whole=False), Random(8)
    ways = [*HARMS, *SUBSTITUTES]
    chosen = [
        Harmed(path, chance.choice(ways), chance.randrange(1 << 32))
        for path in files(shown)
        for _ in range(2)
    ]
    count("fuzz: readers", len(chosen), tried(trials(shown, chosen), shown.hung))


@pytest.mark.proof
@pytest.mark.parametrize("kind", sorted({each.split("/")[0] for each in READERS}))
def test_any_damage_is_read_and_ends(kind: str, count: Count) -> None:
    shown, chance = gallery(), Random(f"{SEED} {kind}")
    paths = [path for path in files(shown) if path.split("/")[0] == kind]
    chosen = [
        Harmed(path, how, chance.randrange(1 << 32))
        for path in paths
        for how in (*HARMS, *SUBSTITUTES)
        for _ in range(ROUNDS if how in HARMS else 1)
    ]
    print(f"PROOF_SEED={SEED}, {len(paths)} files")
    count(f"fuzz: readers of {kind}", len(chosen), tried(trials(shown, chosen), shown.hung))
