"""Path patterns: what a policy's ``path`` matches, name by name."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_janitor.core.model import Artifact
from artifact_janitor.core.policy import Policy, pattern
from tests.core import oracle
from tests.core.strategies import MANY


@pytest.mark.parametrize(
    ("glob", "matches", "not_these"),
    [
        ("**", "a a/b a/b/c .hidden/x", ""),
        ("outputs/**", "outputs/a outputs/a/b", "outputs outputs2/a my/outputs/a"),
        ("outputs/*", "outputs/a outputs/.a", "outputs/a/b outputs"),
        ("outputs/*/*", "outputs/a/b", "outputs/a outputs/a/b/c"),
        ("**/x", "x a/x a/b/x", "ax a/bx x/a"),
        ("a/**/x", "a/x a/b/x a/b/c/x", "ax a/bx a/b/xx b/a/x"),
        ("**/x/**", "x/a b/x/a/c", "x b/x"),
        ("a/**/b/**/c", "a/b/c a/x/b/y/z/c", "a/c a/bc"),
        ("run?", "run1 runs", "run run12 run/"),
        ("a?b", "axb", "a/b ab"),
        ("2025-0[1-3]-*", "2025-01-31 2025-03-", "2025-04-01 2025-0-1"),
        ("[!a]*", "b bcd", "a ab"),
        ("[]a]", "] a", "[ b"),
        ("[!]a]", "b [", "] a"),
        ("[a-]", "a -", "b"),
        (r"[\d]", "\\ d", "1"),
        ("a[b", "a[b", "ab"),
        ("a.b", "a.b", "axb"),
        ("(a|b)+$", "(a|b)+$", "a b"),
        ("*.log", "x.log .log", "x.logs a/x.log"),
        ("run-*-é", "run-1-é", "run-1-e"),
        ("x\n*", "x\ny", "x"),
    ],
)
def test_patterns_match_names(glob: str, matches: str, not_these: str) -> None:
    split = (lambda text: [text]) if "\n" in glob else str.split
    assert [each for each in split(matches) if not pattern(glob).fullmatch(each)] == []
    assert [each for each in split(not_these) if pattern(glob).fullmatch(each)] == []


@pytest.mark.parametrize("glob", ["a[!b]c", "a[+-9]c", "a[.-0]c", "[!x]*[!x]"])
def test_a_set_stays_within_one_name(glob: str) -> None:
    """The policy of one folder would else govern what lies in another."""
    assert not pattern(glob).fullmatch("a/c")


@pytest.mark.parametrize(
    ("glob", "path"), [("run**/x", "runx"), ("run**", "run/x"), ("**x", "a/x")]
)
def test_two_stars_beside_letters_stay_within_one_name(glob: str, path: str) -> None:
    """As in .gitignore: only a whole ``**`` stands for folders."""
    assert not pattern(glob).fullmatch(path)


@pytest.mark.parametrize("glob", ["[z-a]", "[]", "[!]"])
def test_a_set_that_cannot_be_one_is_an_error(glob: str) -> None:
    with pytest.raises(re.error):
        pattern(glob)


@pytest.mark.parametrize("glob", ["[[ab]", "[a&&b]", "[a||b]"])
def test_sets_are_compiled_without_a_warning(glob: str) -> None:
    """Python means to give these a meaning of their own one day."""
    pattern.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pattern(glob)


_paths = st.text("ab./", min_size=1, max_size=6).filter(lambda path: all(path.split("/")))
_atoms = st.sampled_from(("a", "b", ".", "*", "?", "[ab]", "[!a]", "[a-b]", "[!.]"))
_name_globs = (
    st.lists(_atoms, min_size=1, max_size=3).map("".join).filter(lambda glob: "**" not in glob)
)
_globs = st.lists(st.just("**") | _name_globs, min_size=1, max_size=4).map("/".join)


@MANY
@given(_globs, st.lists(_paths, min_size=5, max_size=15))
def test_patterns_match_as_the_oracle_says(glob: str, paths: list[str]) -> None:
    for path in paths:
        assert bool(pattern(glob).fullmatch(path)) == oracle.matches(path, glob)


@given(st.text(min_size=1, max_size=12))
def test_any_text_is_a_pattern_or_an_error(glob: str) -> None:
    """And without special characters it matches itself, and nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compiled = pattern(glob)
        except re.error:
            assert "[" in glob
            return
    if not set(glob) & set("*?["):
        assert compiled.fullmatch(glob)
        assert not compiled.fullmatch(glob + "x")


def test_a_name_that_is_not_utf_8_matches() -> None:
    path = b"outputs/caf\xe9".decode("utf-8", "surrogateescape")
    assert Policy("hydra-run", "outputs/caf?").governs(Artifact(path, "hydra-run", 0))


def test_a_policy_governs_its_kind_only() -> None:
    policy = Policy("hydra-run", "outputs/**")
    assert policy.governs(Artifact("outputs/a", "hydra-run", 0))
    assert not policy.governs(Artifact("outputs/a", "hydra-sweep", 0))
    assert not policy.governs(Artifact("multirun/a", "hydra-run", 0))
