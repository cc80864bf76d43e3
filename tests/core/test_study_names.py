"""Names that anyone may have written become names of folders, each its own."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.core.study import Identity
from artifact_janitor.core.study_names import LONGEST, Named, model_type, places, safe_name

BAD = [
    "",
    ".",
    "..",
    "../../etc/x",
    "/etc/x",
    "a\nb",
    "x" * 600,
    ".git",
    "-rf",
    "a b",
    "é",
    "\udcff",
]


def test_a_plain_name_stays() -> None:
    assert [safe_name(each) for each in ("eurusd_mlp", "a.b-2", "A")] == [
        "eurusd_mlp",
        "a.b-2",
        "A",
    ]


@pytest.mark.parametrize("name", BAD)
def test_any_other_is_made_one(name: str) -> None:
    safe = safe_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", safe)
    assert len(safe) <= LONGEST + 9
    assert safe not in BAD


@given(st.lists(st.text(), unique=True))
def test_others_stay_others(names: list[str]) -> None:
    found = [safe_name(each) for each in names]
    assert len({*found}) == len(names)
    assert all(os.path.basename(each) == each and each not in (".", "..") for each in found)


PATTERN = re.compile(r"^(?:.*_)?(?P<model_type>mlp|lstm)$")


@pytest.mark.parametrize(
    ("name", "attrs", "expected"),
    [
        ("eurusd_mlp", {}, "mlp"),
        ("mlp", {}, "mlp"),
        ("eurusd_mlp", {"model_type": "tcn"}, "tcn"),
        ("eurusd_mlp", {"model_type": " "}, "mlp"),
        ("eurusd_mlp", {"model_type": 3}, "mlp"),
        ("eurusd_tcn", {}, None),
        ("a", {"model_type": "../x"}, safe_name("../x")),
    ],
)
def test_the_model_type(name: str, attrs: dict[str, object], expected: str | None) -> None:
    assert model_type(name, attrs, PATTERN) == expected
    assert model_type("eurusd_mlp", {}, None) is None


def named(number: int, stem: str, kind: str | None, first: int = 0) -> Named:
    return Named(Identity(1, number, 1, f"study_{number}"), stem, kind, first)


def test_the_first_that_was_seen_has_the_file_s_name() -> None:
    rows = [
        named(1, "eurusd", "mlp", 9),
        named(2, "eurusd", "mlp", 3),
        named(3, "eurusd", "tcn", 5),
    ]
    found = {identity.inode: place for identity, place in places(rows).items()}
    assert found == {1: "study_1", 2: "eurusd", 3: "eurusd"}
    later = [*rows, named(4, "eurusd", "mlp", 10)]
    assert {**places(later)}.items() >= places(rows).items()


def test_no_two_of_a_type_ever_share_a_place() -> None:
    same = [Named(Identity(1, number, 1, "s"), "s", None, 0) for number in range(5)]
    found = places(same)
    assert len({*found.values()}) == 5
    assert places(reversed(same)) == found
