"""``[[retrain]]``: what a person wants to become of finished studies, and every slip in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifact_janitor.config import sample
from artifact_janitor.core.study import Rules
from artifact_janitor.core.study_names import model_type
from artifact_janitor.core.trainer import DEFAULT, Retrain, governing
from artifact_janitor.units import DAY, HOUR, MINUTE, SECOND
from tests.configuring import settings, wrong

COMMAND = 'command = ["python", "t.py", "{request}", "--out={out}"]\n'
WORDS = ("python", "t.py", "{request}", "--out={out}")


def test_without_a_table_nothing_is_trained(tmp_path: Path) -> None:
    assert settings(tmp_path).retrain == ()
    assert governing((), "eurusd", "eurusd_mlp") is None
    assert DEFAULT.rules == Rules(MINUTE, True, None)


def test_every_key_is_read(tmp_path: Path) -> None:
    text = f"""
[[retrain]]
studies = "eurusd*"
{COMMAND}
python = "/opt/env/bin/python"
model_type = "_(?P<model_type>mlp)$"
objective = "val_f1"
mode = "refit"
parallel = 2
max_age = "30d"
tolerance = 1
quiet = "3s"
idle_completes = false
deadline = "1h"

[[retrain]]
function = "my_project.training:Trainer.fit"
objective = 2
"""
    read = settings(tmp_path, text)
    first = Retrain(
        "eurusd*",
        WORDS,
        None,
        "/opt/env/bin/python",
        "_(?P<model_type>mlp)$",
        "val_f1",
        "refit",
        2,
        30 * DAY,
        1.0,
        3 * SECOND,
        False,
        HOUR,
    )
    second = Retrain(function="my_project.training:Trainer.fit", objective=2)
    assert read.retrain == (first, second)
    assert first.rules == Rules(3 * SECOND, False, "val_f1")
    assert read.notes == ()


def test_the_type_is_the_last_word_of_a_name_unless_another_pattern_is_given(
    tmp_path: Path,
) -> None:
    (row,) = settings(tmp_path, f"[[retrain]]\n{COMMAND}").retrain
    named = {"eurusd_mlp": "mlp", "a_b_lstm": "lstm", "transformer": "transformer"}
    assert {name: model_type(name, {}, row.pattern) for name in named} == named
    for name in ("eurusd", "mlp_eurusd", "xmlp", "eurusd_mlp2"):
        assert model_type(name, {}, row.pattern) is None
    assert model_type("eurusd_mlp", {"model_type": "tcn"}, row.pattern) == "tcn"


def test_the_first_that_matches_a_stem_or_a_name_governs(tmp_path: Path) -> None:
    rows = settings(
        tmp_path,
        f'[[retrain]]\nstudies = "eur*"\n{COMMAND}[[retrain]]\nstudies = "*_mlp"\nmode = "adopt"',
    ).retrain
    assert governing(rows, "eurusd", "any") is rows[0]
    assert governing(rows, "all", "eurusd_mlp") is rows[0]
    assert governing(rows, "all", "gbpusd_mlp") is rows[1]
    assert governing(rows, "all", "gbpusd_tcn") is None


def test_the_sample_s_examples_load_one_by_one(tmp_path: Path) -> None:
    """Both ways of training stand in it, each in a row of its own."""
    text = sample()[sample().index("#[[retrain]]") :].replace("\n#", "\n").replace("#[[", "[[")
    plain = "\n".join(line for line in text.splitlines() if not line.startswith(" "))
    first, second = settings(tmp_path, plain).retrain
    assert first.command == ("python", "train_final.py", "--request", "{request}", "--out", "{out}")
    assert second.function == "my_project.training:train_final"
    assert first.pattern is not None
    assert first.pattern.search("eurusd_lstm")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "retrain[1]", 'trains nothing: add command = [...] or function = "..."'),
        ("commando = ['x']", "retrain[1].commando", "unknown key; did you mean command?"),
        ("keep_last = 3", "retrain[1].keep_last", "it belongs in [[policy]]"),
        (COMMAND + "function = 'a:b'", "retrain[1]", "has a command and a function"),
        ("command = 'python t.py'", "retrain[1].command", "is no list of words"),
        ("command = []", "retrain[1].command", "is no list of words"),
        ("command = ['t', '{out}']", "retrain[1].command", "doesn't name {request}"),
        ("command = ['t', '{request}']", "retrain[1].command", "doesn't name {out}"),
        ("command = ['', '{request}{out}']", "retrain[1].command", "no program to start"),
        ("function = 'train'", "retrain[1].function", 'write it like "my_project.training:train"'),
        ("function = 'os:system(1)'", "retrain[1].function", "is no function"),
        (COMMAND + "python = 3", "retrain[1].python", "3 is no program"),
        (COMMAND + "model_type = '('", "retrain[1].model_type", "is no pattern: missing )"),
        (COMMAND + "model_type = '(mlp)'", "retrain[1].model_type", "no group of that name"),
        (COMMAND + "objective = 0", "retrain[1].objective", "counted from 1 on"),
        (COMMAND + "objective = true", "retrain[1].objective", "true is no objective"),
        (
            COMMAND + "mode = 'copy'",
            "retrain[1].mode",
            'write "auto", "adopt", "replay" or "refit"',
        ),
        (COMMAND + "parallel = 0", "retrain[1].parallel", "write 1 or more"),
        (COMMAND + "tolerance = -0.1", "retrain[1].tolerance", "write 0 or more"),
        (COMMAND + "tolerance = nan", "retrain[1].tolerance", "write 0 or more"),
        (COMMAND + "quiet = 60", "retrain[1].quiet", "60 is no duration"),
        (COMMAND + "quiet = '0s'", "retrain[1].quiet", "is no time at all"),
        (COMMAND + "deadline = '0s'", "retrain[1].deadline", "is no time at all"),
        (COMMAND + "max_age = 'x'", "retrain[1].max_age", "is no duration"),
        (COMMAND + "idle_completes = 'no'", "retrain[1].idle_completes", "true or false"),
        (COMMAND + "studies = ''", "retrain[1].studies", "names no studies"),
        (
            f"{COMMAND}[[retrain]]\nstudies = 'eur*'\n{COMMAND}",
            "retrain[2]",
            "can never apply: retrain[1] already governs these studies",
        ),
    ],
)
def test_a_slip_says_what_to_write(tmp_path: Path, text: str, where: str, what: str) -> None:
    found = wrong(tmp_path, f"[[retrain]]\n{text}")
    assert [place for place, _ in found] == [where]
    assert what in found[0][1]


def test_a_trial_s_own_model_needs_no_trainer(tmp_path: Path) -> None:
    (row,) = settings(tmp_path, "[[retrain]]\nmode = 'adopt'").retrain
    assert row.command is row.function is None
