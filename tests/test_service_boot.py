"""The service under a real systemd, which tests/real/machine.py boots."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import retraining
from tests.real.account import ORDINARY, Account
from tests.real.machine import GUEST, GUEST_ID, OWNER, Machine, booted, until
from tests.real.retraining import GOOD, TRAINER, WAITS
from tests.real.small import FREE, Small

MODEL = "models/hpo_derived/eurusd/final_model_mlp.pth"
PATIENT = TRAINER.replace("with open", "open('pid', 'w').write(str(os.getpid()))\nwith open", 1)
PATIENT += WAITS + GOOD.removeprefix(TRAINER)
"""Says who it is, and waits until it may go on."""
NOW = FREE + '\n[disk]\nkeep_free = "900TB"\n'
"""Retention is due at once, whatever the time is."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    for each in (folder, *folder.parents):
        if each.stat().st_mode & 0o001 == 0:
            each.chmod(0o711)
    with booted(folder / "root") as found:
        yield found


class Place:
    """A workspace in the machine, and its service."""

    def __init__(self, machine: Machine, name: str, uid: int = ORDINARY, config: str = FREE):
        self.machine, self.uid = machine, uid
        self.inside = f"/srv/{name}"
        self.work = Small(machine.root / "srv" / name)
        self.work.root.mkdir()
        self.work.configure(config)

    def given(self) -> None:
        """To whom it shall belong."""
        Account(self.uid, sys.executable).owns(self.work.root)

    def service(self, *words: str, uid: int = 0) -> dict[str, object]:
        self.given()
        said = self.machine.janitor("service", *words, "--json", uid=uid, cwd=self.inside)
        found: dict[str, object] = json.loads(said)["data"]
        return found

    def install(self, *words: str, uid: int = 0) -> str:
        """The unit that was started."""
        done = self.service("install", *words, uid=uid)
        assert done["to_type"] == []
        units = done["units"]
        assert isinstance(units, list)
        return str(units[-1])

    def standing(self, uid: int = 0, *words: str) -> dict[str, object]:
        (found,) = self.service("status", *words, uid=uid)["units"]  # type: ignore[misc]
        assert isinstance(found, dict)
        return found

    def trains(self, program: str = PATIENT) -> None:
        retraining.place(self.work)
        retraining.trains(self.work, program)

    def pid(self) -> int:
        """Of the trainer, once it is at work."""
        self.until(lambda: self.work.there("pid") and (self.work.root / "pid").read_text())
        return int((self.work.root / "pid").read_text())

    def until(self, found: object) -> None:
        until(found, lambda: self.machine.journal()[-4000:])  # type: ignore[arg-type]

    def published(self) -> list[str]:
        """What the trainings that were begun were for, once the model is in its place."""
        (self.work.root / "go").touch()
        self.until(lambda: self.work.there(MODEL))
        return retraining.trained(self.work)

    def running(self, pid: int) -> bool:
        return self.machine.run("kill", "-0", str(pid)).returncode == 0


@pytest.fixture
def strange(machine: Machine) -> Iterator[Place]:
    """A workspace whose name a careless unit would misread."""
    found = Place(machine, 'a "b" %n $HOME Ü\\')
    yield found
    found.service("uninstall")


def test_a_service_from_its_start_to_its_end(strange: Place) -> None:
    """It starts, and says so; its restart ends no training, whose model is published once; it
    can't write beside the workspace; and nothing of it is left when it is removed."""
    machine, outer = strange.machine, strange.machine.root / "srv/outer"
    strange.trains()
    unit = strange.install()
    assert machine.show(unit, "ActiveState") == "active"
    assert machine.show(unit, "User") == OWNER
    trainer = strange.pid()
    main = machine.show(unit, "MainPID")
    machine.said("systemctl", "restart", unit)
    assert machine.show(unit, "MainPID") != main
    assert strange.running(trainer)
    assert len(strange.published()) == 1
    standing = strange.standing()
    assert (standing["unit"], standing["active"], standing["enabled"]) == (
        *(unit, "active"),
        "enabled",
    )
    assert standing["pid"] == int(machine.show(unit, "MainPID"))
    assert "Status:" in machine.said("systemctl", "status", unit)
    said = machine.said("systemd-analyze", "security", "--no-pager", "--threshold=15", unit)
    assert "Overall exposure level" in said
    outer.mkdir()
    os.chown(outer, ORDINARY, ORDINARY)
    into = ["nsenter", f"--target={standing['pid']}", "--mount", "--", "touch"]
    refused = machine.run(*into, "/srv/outer/x", uid=0)
    assert "Read-only file system" in refused.stderr
    assert machine.run(*into, f"{strange.inside}/x").returncode == 0
    strange.service("uninstall")
    assert machine.run("systemctl", "is-active", unit).stdout.strip() == "inactive"
    assert not [*machine.root.glob(f"etc/systemd/system/**/{unit}")]
    assert len(retraining.trained(strange.work)) == 1
