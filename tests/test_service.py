"""`janitor service`: what is written for a workspace, and what is left alone. What systemd makes of
it: test_service_boot.py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor.config import load
from artifact_janitor.errors import UsageError
from artifact_janitor.executors.local import UNITS, environment
from artifact_janitor.service import asking, installing, place, unit
from artifact_janitor.service.place import Account, Whose
from tests.real.account import ORDINARY, clean_environment
from tests.real.command import Answer
from tests.real.small import FREE, Small, small
from tests.test_docs import ROOT

NAMES = (
    "plain",
    'a "b" %n $HOME',
    "ends in \\",
    "Übung 研究 'x' #; -",
    "x" * 240,
)
"""Of workspaces; each would be misread by a careless unit."""
TEMPLATES = sorted(ROOT.glob("systemd/**/*.service"))
EXPOSURE = 15
"""What `systemd-analyze security` may say at most, in tenths."""
analyzes = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an account's own units lie; no systemd runs for it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path / "home/systemd/user"


@pytest.fixture
def work(home: Path, tmp_path: Path) -> Small:
    (tmp_path / "project").mkdir()
    return small(tmp_path / "project")


def asked(work: Small, *words: str) -> Answer:
    """`janitor service`, where the account's own units lie in `home`."""
    return work.janitor("service", *words, "--user", env=_own_systemd())


def _own_systemd() -> list[tuple[str, str]]:
    return [(name, os.environ[name]) for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")]


def told(work: Small, *words: str) -> dict[str, Any]:
    """Its answer, where all went well."""
    answer = asked(work, *words)
    assert answer.code == 0, answer
    found: dict[str, Any] = answer.said["data"]
    return found


def written(name: str, tmp_path: Path, whose: Whose, *, timer: bool = False) -> list[Path]:
    """The units of a workspace of this name, on the disk."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "config.toml").write_text(FREE)
    texts = installing.texts(load(None, {}, folder), whose, timer=timer)
    units = tmp_path / "units"
    units.mkdir(exist_ok=True)
    for each, text in texts.items():
        (units / each).write_text(text)
    return [units / each for each in texts]


def analyzed(*words: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    env = clean_environment(home) | {"XDG_RUNTIME_DIR": str(home)}
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, words)], capture_output=True, text=True, env=env
    )


def exposure(file: Path, *scope: str, home: Path) -> int:
    said = analyzed(*scope, "security", "--offline=true", file, home=home).stdout
    return int(re.search(r"exposure level for .*: ([\d.]+)", said)[1].replace(".", ""))  # type: ignore[index]


# ------------------------------------------------------------ what the units say


@analyzes
@pytest.mark.parametrize("whose", ["system", "user"])
def test_systemd_takes_every_unit_as_it_is(whose: Whose, tmp_path: Path) -> None:
    """All at once: names in paths that would be misread, the daemon and the nightly sweep."""
    files = [each for name in NAMES for each in written(name, tmp_path, whose)]
    files += written("nightly", tmp_path, whose, timer=True)
    assert len(files) == len(NAMES) + 2
    done = analyzed(f"--{whose}", "verify", "--man=no", *files, home=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plain", '"plain"'),
        ('a "b"', r'"a \"b\""'),
        ("50% $HOME 'x' #; ü", "\"50%% $HOME 'x' #; ü\""),
        ("ends in \\", r'"ends in \\"'),
        (r"\n is no line", r'"\\n is no line"'),
    ],
)
def test_a_word_of_a_setting(text: str, said: str) -> None:
    """As systemd.syntax(7) has it; that it is read so, a boot shows."""
    assert unit.quoted(text) == said
    assert unit.read(unit.sealed("[Unit]\n", text)) == unit.Sealed(text, edited=False)


@analyzes
@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_templates_are_units_too(file: Path, tmp_path: Path) -> None:
    """For those who fill them in by hand."""
    scope = "--user" if file.parent.name == "user" else "--system"
    done = analyzed(scope, "verify", "--man=no", file, home=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@analyzes
def test_little_is_open_to_attack(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the units for the machine, with an account that is not root."""
    monkeypatch.setattr(place, "LINGERING", tmp_path)
    monkeypatch.setattr(place, "PRIVATE", ())  # pytest's own folder is a workspace in /tmp
    (tmp_path / "anna").touch()
    monkeypatch.setattr(place, "owner_of", lambda _: Account(ORDINARY, "anna"))
    for timer in (False, True):
        (file, *_) = written(f"project {timer}", tmp_path, "system", timer=timer)
        assert exposure(file, home=tmp_path) <= EXPOSURE
        text = file.read_text()
        assert "User=anna\n" in text
        assert "XDG_RUNTIME_DIR=/run/user/12345" in text
        assert "Wants=user@12345.service\n" in text


def test_what_forbids_nothing_to_trainings() -> None:
    """Where they run in the janitor's own unit, its end is not theirs, and they may do what they
    may in a shell: ``ProtectClock=``, say, would take the GPU away."""
    for name in ("janitor", "janitor-run"):
        template = (ROOT / f"systemd/{name}@.service").read_text()
        text = unit.shared(template)
        assert "\nKillMode=process\n" in text
        forbids = re.search(
            r"^(No|Private|Protect|Restrict|System|Memory|IP)\w+=", text, re.MULTILINE
        )
        assert forbids is None
        assert ("\n[Install]\n" in text) == ("\n[Install]\n" in template)


def test_the_sweep_may_do_what_the_daemon_may() -> None:
    """One hardening, in two files."""
    for folder in ("systemd", "systemd/user"):
        daemon, sweep = (
            (ROOT / folder / f"{name}@.service").read_text() for name in ("janitor", "janitor-run")
        )
        forbidden = daemon[daemon.index("LimitCORE") : daemon.index("\n[Install]")]
        assert sweep.endswith(forbidden)


def test_a_name_that_no_unit_can_say(tmp_path: Path) -> None:
    for name in ("a\nb", "bell\a", os.fsdecode(b"\xff")):
        with pytest.raises(UsageError, match="no unit of systemd's can say"):
            written(name, tmp_path, "user")


def test_the_janitor_may_write_where_its_roots_lead(work: Small, tmp_path: Path) -> None:
    """The workspace as a whole, and what leads out of it; not what is only read."""
    outer = tmp_path / "elsewhere"
    for name in ("runs", "more", "studies", "results", "store"):
        (outer / name).mkdir(parents=True)
    for name, target in {
        "outputs": "runs",
        "multirun": "more",
        "hpo_studies": "studies",
        "hpo_results": "results",
    }.items():
        (work.root / name).symlink_to(outer / target)
    settings = load(None, {}, work.root)
    archive = replace(settings.archive, store=str(outer / "store"))
    assert set(place.writable(replace(settings, archive=archive))) == {
        str(work.root),
        *(str(outer / name) for name in ("runs", "more", "results", "store")),
    }


def test_a_training_is_no_service() -> None:
    """It hears nothing of what systemd tells the daemon about itself."""
    told = {
        "NOTIFY_SOCKET": "/run/x",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "1",
        "INVOCATION_ID": "x",
        UNITS: "user",
        "JANITOR_CONFIG": "x",
    }
    assert environment({**told, "MINE": "1"}, os.geteuid()) == {"MINE": "1"}


# ------------------------------------------------------------ written, and removed


def test_installed_and_removed_again(work: Small, home: Path) -> None:
    answer = told(work, "install")
    (name,) = answer["names"]
    assert answer["written"] == [str(home / name)]
    assert answer["to_type"] == [
        "systemctl --user daemon-reload",
        f"systemctl --user enable {name}",
        f"systemctl --user restart {name}",
    ]
    text = (home / name).read_text()
    assert f'ExecStart=":{sys.executable}" "-P" "-m" "artifact_janitor" "watch"' in text
    again = told(work, "install")
    assert again["written"] == []
    (standing,) = told(work, "status")["units"]
    assert (standing["unit"], standing["edited"], standing["outdated"]) == (name, False, False)
    gone = told(work, "uninstall")
    assert gone["removed"] == [str(home / name)]
    assert os.listdir(home) == []
    assert told(work, "uninstall")["removed"] == []
    assert told(work, "status")["units"] == []


def test_a_timer_instead_of_the_daemon(work: Small, home: Path) -> None:
    told(work, "install")
    answer = told(work, "install", "--timer")
    assert sorted(os.listdir(home)) == sorted(answer["names"])
    assert [each.partition("@")[0] for each in answer["names"]] == ["janitor-run"] * 2
    assert any("disable --now janitor@" in each for each in answer["to_type"])
    assert "Persistent=true" in (home / answer["names"][1]).read_text()


def test_what_somebody_edited_stays(work: Small, home: Path) -> None:
    (name,) = told(work, "install")["names"]
    text = (home / name).read_text().replace("KillMode=mixed", "KillMode=process")
    (home / name).write_text(text)
    for action in ("install", "uninstall"):
        answer = asked(work, action)
        assert answer.code == 4
        assert "edited" in answer.said["errors"][0]["message"]
    assert (home / name).read_text() == text
    assert told(work, "status")["units"][0]["edited"]


@pytest.mark.parametrize("how", ["file", "mask", "folder"])
def test_what_somebody_else_wrote_stays(work: Small, home: Path, how: str) -> None:
    home.mkdir(parents=True)
    there = home / "janitor@project.service"
    if how == "file":
        there.write_text("[Service]\nExecStart=/bin/true\n")
    elif how == "mask":
        there.symlink_to("/dev/null")
    else:
        there.mkdir()
    before = os.lstat(there)
    answer = asked(work, "install")
    assert answer.code == 4
    assert "didn't write" in answer.said["errors"][0]["message"]
    assert os.lstat(there) == before
    assert told(work, "uninstall")["removed"] == []


def test_two_workspaces_of_one_name(work: Small, home: Path, tmp_path: Path) -> None:
    (tmp_path / "other/project").mkdir(parents=True)
    other = small(tmp_path / "other/project")
    (first,) = told(work, "install")["names"]
    (second,) = told(other, "install")["names"]
    assert first == "janitor@project.service"
    assert re.fullmatch(r"janitor@project-[0-9a-f]{8}\.service", second)
    told(work, "uninstall")
    assert os.listdir(home) == [second]
    assert told(other, "install")["names"] == [second]


def test_a_root_that_leads_elsewhere_now(work: Small, tmp_path: Path) -> None:
    """What is installed knows nothing of it yet. Another shell's search path is no such change,
    but the one that counts is the one it was installed from."""
    (name,) = told(work, "install")["names"]
    env = [("PATH", "/elsewhere"), *_own_systemd()]
    status = work.janitor("service", "status", "--user", env=env).facts["units"]
    assert not status[0]["outdated"]
    (tmp_path / "runs").mkdir()
    (work.root / "outputs").symlink_to(tmp_path / "runs")
    assert told(work, "status")["units"][0]["outdated"]
    work.janitor("service", "install", "--user", env=env)
    assert not told(work, "status")["units"][0]["outdated"]
    text = (asking.folder("user") / name).read_text()
    assert 'Environment="PATH=/elsewhere"' in text
    assert f' "{tmp_path / "runs"}"' in text


def test_a_bad_configuration_keeps_no_service(work: Small, home: Path) -> None:
    told(work, "install")
    work.configure("[nonsense]\n")
    assert asked(work, "install").code == 2
    (standing,) = told(work, "status")["units"]
    assert not standing["outdated"]  # nobody can tell
    assert told(work, "uninstall")["removed"]
    assert os.listdir(home) == []


def test_nothing_is_installed_without_a_configuration(work: Small, home: Path) -> None:
    (work.root / "config.toml").unlink()
    answer = asked(work, "install")
    assert answer.code == 2
    assert "janitor init" in answer.said["errors"][0]["hint"]
    assert not home.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root meets the workspaces of others")
def test_nobody_runs_the_service_of_another(work: Small, home: Path) -> None:
    work.handed_to(ORDINARY)
    answer = asked(work, "install")
    assert answer.code == 2
    assert "belongs to" in answer.said["errors"][0]["message"]
    assert not home.exists()


def test_an_action_that_is_none(work: Small) -> None:
    assert asked(work, "start").code == 2


def test_no_systemd_is_asked_where_none_runs(tmp_path: Path, home: Path) -> None:
    assert not asking.runs("user")
    (tmp_path / "run/systemd").mkdir(parents=True)
    (tmp_path / "run/systemd/private").touch()
    assert asking.runs("user")
