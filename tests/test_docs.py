"""The documentation says what the code does: keys, commands, defaults, links."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer

from artifact_janitor import config
from artifact_janitor.cli.app import COMMANDS, app
from artifact_janitor.cli.sweeping import SOMETHING_TO_DO
from artifact_janitor.config.schema import Schema
from artifact_janitor.errors import JanitorError
from docs import generate
from tests.reading_docs import (
    PAGES,
    ROOT,
    WRITTEN,
    Block,
    Command,
    aligned,
    blocks,
    commands,
    differences,
    name_of,
    prose,
    screens,
)

PROGRAM = typer.main.get_command(app)


# The reference is what the code would make of it now


@pytest.mark.parametrize("name", generate.pages())
def test_the_reference_is_made_from_the_code(name: str) -> None:
    assert (generate.HERE / name).read_text() == generate.pages()[name], "run: make docs"


def test_the_reference_has_every_key_and_every_command() -> None:
    keys = generate.config_page()
    tables = generate.tables_of_schema()
    assert {"folders", "safety", "policy"} <= tables.keys() <= Schema.model_fields.keys()
    for header, table in tables.values():
        assert f"\n## {header}\n" in keys
        for key, field in table.model_fields.items():
            assert f"\n- `{key}`" in keys
            assert field.description
    made = generate.commands_page()
    for name in COMMANDS:
        assert f"\n## janitor {name}\n" in made
        options = [
            each for each in PROGRAM.get_command(None, name).params if each.name != "context"
        ]  # type: ignore[attr-defined]
        for option in options:
            for spelt in option.opts if option.param_type_name == "option" else ():
                assert re.search(f"^- `.*{re.escape(spelt)}\\b", made, re.MULTILINE), spelt


def _errors(kind: type[JanitorError]) -> set[int]:
    return {kind.exit_code}.union(*(_errors(each) for each in kind.__subclasses__()))


def test_every_exit_code_has_its_meaning() -> None:
    assert _errors(JanitorError) | {0, 3, SOMETHING_TO_DO} == generate.EXIT_CODES.keys()


# What people are told to type


TYPED = sorted({(name_of(page), str(each)) for page in WRITTEN for each in commands(page)})


def test_the_pages_tell_what_to_type() -> None:
    """So that a change of the form doesn't silence the tests below."""
    told = {command for _, command in TYPED}
    assert {"janitor plan", "janitor undo", "janitor run --yes"} <= told
    assert "JANITOR_SAFETY__TRASH_KEEP=0s janitor run" in told
    assert len(told) > 20


@pytest.mark.parametrize(("page", "line"), TYPED)
def test_every_command_that_a_page_names_can_be_typed(page: str, line: str, tmp_path: Path) -> None:
    (command,) = (each for each in commands(ROOT / page) if str(each) == line)
    config.load(None, dict(each.split("=", 1) for each in command.variables), tmp_path)
    assert _is_known(command)


def _is_known(command: Command) -> bool:
    """Whether it could begin, or is only named; what is wrong with it is raised."""
    name, *words = command.words or ("--help",)
    if name == "COMMAND":
        return words == ["--help"]
    if name.startswith("-"):
        return name in {spelt for each in PROGRAM.params for spelt in each.opts} | {"--help"}
    known = PROGRAM.get_command(None, name)  # type: ignore[attr-defined]
    return not words or known.make_context(name, words).command is known


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("janitor plan --all   # comment", "janitor plan --all"),
        ("0 3 * * *   cd /x && .venv/bin/janitor run --yes", "janitor run --yes"),
        ("JANITOR_SAFETY__GRACE=1h janitor plan", "JANITOR_SAFETY__GRACE=1h janitor plan"),
        ("janitor undo [ID]", "janitor undo ID"),
        ("janitor plan --json > plan.json", "janitor plan --json"),
        ("cd demo-janitor && make", ""),
        ("pip install artifact-janitor", ""),
    ],
)
def test_commands_are_found(text: str, found: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for form in (f"```\n{text}\n```\n", f"say `{text}` now\n"):
        page.write_text(form)
        assert [str(each) for each in commands(page)] == ([found] if found else [])


# What people are told to write


TOML = [block for page in PAGES for block in blocks(page) if block.language == "toml"]


def test_the_pages_show_configurations() -> None:
    assert {name_of(block.page) for block in TOML} >= {"README.md", "docs/how-to/full-disk.md"}


@pytest.mark.parametrize("block", TOML, ids=lambda block: name_of(block.page))
def test_every_configuration_loads(block: Block, tmp_path: Path) -> None:
    for folder in tomllib.loads(block.text).get("folders", {}).values():
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "config.toml").write_text(block.text)
    notes = config.load(None, {}, tmp_path).notes
    assert [each for each in notes if not each.startswith("[[retrain]]")] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_variable_is_one(page: Path, tmp_path: Path) -> None:
    for name in re.findall(r"\bJANITOR_[A-Z_]+(?==)", page.read_text()):
        with pytest.raises(config.ConfigError) as raised:
            config.load(None, {name: "no such value"}, tmp_path)
        assert "is no setting" not in str(raised.value.problems)


# Where the links lead


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        path, _, heading = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), target
        if heading:
            assert heading in _headings(place), target


def _headings(page: Path) -> set[str]:
    """As GitHub names them: in small letters, without points, with hyphens for spaces."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title).strip().lower() for title in titles)
    return {title.replace(" ", "-") for title in plain}


def test_every_page_can_be_reached() -> None:
    start = ROOT / "docs/README.md"
    linked = {(start.parent / to.partition("#")[0]).resolve() for to in _links(start)}
    assert set(ROOT.glob("docs/**/*.md")) - {start} <= linked
    assert any(to.startswith("docs/") for to in _links(ROOT / "README.md"))


def _links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)]+)\)", prose(page))


# How a shown screen is held against the real one; the screens: test_docs_screens.py


@pytest.mark.parametrize(
    ("shown", "problem"),
    [
        (("Plan 5d74 · 53 go", "", "  a/2026-08-01   65 MB    47 days"), "goes on"),
        (("Plan 5d74 · 53 go", "…"), ""),
        (("…", "  a/2026-08-01  1.2 GB  2 h", "…"), ""),
        (("…", "  b", "the end  23:59"), ""),
        (("…", "  b", "…", "the end  28 Nov"), ""),
        (("…", "the end  28 Nov", "…", "  b"), "  b"),
        (("the end  28 Nov",), "the end"),
        (("Plan 5d74 · 53 stay", "…"), "stay"),
        (("Plan 5d74 · 53 go", "  b", "…"), "Plan"),
        ((), "goes on: Plan"),
    ],
)
def test_a_screen_is_compared_but_for_numbers(shown: tuple[str, ...], problem: str) -> None:
    real = ["Plan 12ab · 7 go", "", "  a/2027-01-03   4.4 kB  3 days", "  b", "the end 1 Jan 2027"]
    found = differences(shown, real)
    assert found if problem else not found
    assert problem in found


def test_shown_lines_are_paired_with_the_real_ones() -> None:
    assert aligned(("…", "undo 5d74"), ["Plan ffff", "undo 12ab"]) == [("undo 5d74", "undo 12ab")]


def test_the_tutorial_shows_the_first_sweep_and_its_undo() -> None:
    typed = [screen.command for screen in screens(ROOT / "docs/tutorial.md")]
    story = ["janitor demo", "janitor plan", "janitor run", "janitor undo"]
    assert [each for each in typed if each in story][:4] == story
    assert any(each.startswith("janitor why ") for each in typed)
