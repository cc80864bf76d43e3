"""The service under a real systemd, which tests/real/machine.py boots."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.real import retraining, wandb_runs
from tests.real.account import ORDINARY, SOURCE, Account
from tests.real.machine import GUEST, GUEST_ID, OWNER, Machine, booted, until
from tests.real.retraining import GOOD, TRAINER, WAITS
from tests.real.small import FREE, Small

pytestmark = pytest.mark.timeout(1800)
"""More than the patience of what waits for a machine in a machine."""
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
        self.installed: int | None = None
        self.inside = f"/srv/{name}"
        self.work = Small(machine.root / "srv" / name)
        self.work.root.mkdir()
        self.work.configure(config)

    def given(self) -> None:
        """To whom it shall belong."""
        Account(self.uid, sys.executable).owns(self.work.root)

    def service(self, *words: str, uid: int = 0) -> dict[str, object]:
        self.given()
        self.installed = {"install": uid, "uninstall": None}.get(words[0], self.installed)
        said = self.machine.janitor("service", *words, "--json", uid=uid, cwd=self.inside)
        found: dict[str, object] = json.loads(said)["data"]
        return found

    def install(self, *words: str, uid: int = 0) -> str:
        """The unit that was started."""
        done = self.service("install", *words, uid=uid)
        assert done["to_type"] == []
        units = done["names"]
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


@contextmanager
def place(machine: Machine, name: str, uid: int = ORDINARY, config: str = FREE) -> Iterator[Place]:
    """A workspace that has no service any more at the end, whatever became of it."""
    found = Place(machine, name, uid, config)
    try:
        yield found
    finally:
        (found.work.root / "go").touch()
        for each in (machine.root / "etc/systemd/system").glob(f"*@{found.work.root.name}.*.d"):
            shutil.rmtree(each)
        if found.installed is not None:
            found.service("uninstall", uid=found.installed)


@pytest.fixture
def strange(machine: Machine) -> Iterator[Place]:
    """A workspace whose name a careless unit would misread."""
    with place(machine, 'a "b" %n $HOME Ü\\') as found:
        yield found


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


# ------------------------------------------------------------ the long ones


def drop_in(machine: Machine, unit: str, text: str) -> None:
    """Lines of a person's own, as ``systemctl edit`` writes them."""
    folder = machine.root / f"etc/systemd/system/{unit}.d"
    folder.mkdir(exist_ok=True)
    (folder / "override.conf").write_text(text)
    machine.said("systemctl", "daemon-reload")


@pytest.mark.proof
def test_one_that_hangs_is_killed_and_started_again(machine: Machine) -> None:
    with place(machine, "hangs") as here:
        unit = here.install()
        drop_in(machine, unit, "[Service]\nWatchdogSec=10s\nRestartSec=1s\n")
        machine.said("systemctl", "restart", unit)
        main = machine.show(unit, "MainPID")
        machine.said("kill", "-STOP", main)
        here.until(lambda: int(machine.show(unit, "NRestarts")) > 0)
        here.until(lambda: machine.show(unit, "ActiveState") == "active")
        assert machine.show(unit, "MainPID") != main
        assert "Watchdog timeout" in machine.journal("-u", unit)
        assert not here.standing()["edited"]  # a drop-in is where one's own lines belong


@pytest.mark.proof
def test_reload(machine: Machine) -> None:
    """A bad configuration leaves the one before in force, and the service up."""
    with place(machine, "reloads") as here:
        unit = here.install()
        main = machine.show(unit, "MainPID")
        here.work.configure("[nonsense]\n")
        machine.said("systemctl", "reload", unit)
        here.until(lambda: "the configuration before stays" in machine.journal("-u", unit))
        here.work.configure(FREE)
        machine.said("systemctl", "reload", unit)
        here.until(lambda: "read the configuration" in machine.journal("-u", unit))
        here.until(lambda: machine.show(unit, "SubState") == "running")
        assert machine.show(unit, "ActiveState") == "active"
        assert machine.show(unit, "MainPID") == main


@pytest.mark.proof
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_end_in_the_middle_of_an_archive(machine: Machine, how: str) -> None:
    """A stop ends after the archive at hand, a kill at once: nothing is lost, and the rest follows
    with the next start."""
    config = NOW.replace('7d"\n', '7d"\nthen = "archive"\n', 1)
    with place(machine, f"archives-{how}", config=config) as here:
        work = here.work
        runs = [work.hydra(30 + number) for number in range(3)]
        for number, run in enumerate(runs):
            work.write(f"{run}/bulk", os.urandom(48 << 20), days=30 + number)
            wandb_runs.backdate(work.root / run, 30 + number)
        store = work.root / ".janitor/archive"
        unit = here.install()
        here.until(lambda: store.exists() and any(store.iterdir()))
        sweeps = machine.said("pgrep", "--full", "daemon.apart retention").split()
        assert machine.said("ps", "-o", "ni=", "-p", sweeps[0]).strip() == "10"
        if how == "stop":
            machine.said("systemctl", "stop", unit)
            assert machine.show(unit, "Result") == "success"
            whole = len([*store.glob("*.tar.zst")])
            assert sum(work.there(run) for run in runs) == 3 - whole
            machine.said("systemctl", "start", unit)
        else:
            machine.said("systemctl", "kill", "--signal=KILL", unit)
            here.until(lambda: int(machine.show(unit, "NRestarts")) > 0)
        here.until(lambda: not any(work.there(run) for run in runs))
        verified = machine.janitor("verify", "--json", uid=ORDINARY, cwd=here.inside)
        assert json.loads(verified)["ok"]
        assert len([*store.glob("*.tar.zst")]) == 3
        assert not [each for each in store.iterdir() if each.name.endswith(".new")]


@pytest.mark.proof
def test_three_missed_nights_are_made_up_for_once(machine: Machine) -> None:
    with place(machine, "nights") as here:
        timer = here.install("--timer")
        sweep = timer.replace(".timer", ".service")
        assert here.service("status")["units"][1]["next"]  # type: ignore[index]
        drop_in(machine, timer, "[Timer]\nRandomizedDelaySec=0\n")
        machine.said("systemctl", "stop", timer)
        run = here.work.hydra(30)
        here.given()
        stamp = f"/var/lib/systemd/timers/stamp-{timer}"
        machine.said("touch", "--date=3 days ago", stamp)
        machine.said("systemctl", "start", timer)
        here.until(lambda: not here.work.there(run))
        here.until(lambda: machine.show(sweep, "ActiveState") == "inactive")
        assert machine.show(sweep, "Result") == "success"
        ran = machine.journal("-u", sweep).count("Finished ")
        assert ran == 1
        machine.said("systemctl", "restart", timer)
        assert machine.show(sweep, "ActiveState") == "inactive"


@pytest.mark.proof
def test_a_root_that_leads_elsewhere_since(machine: Machine) -> None:
    """What the unit doesn't name can't be written to, and nothing is lost; then it is named."""
    outer = machine.root / "srv/outer-runs"
    with place(machine, "leads", config=NOW) as here:
        unit = here.install()
        run = here.work.hydra(30)
        (here.work.root / "outputs").rename(outer)
        (here.work.root / "outputs").symlink_to("/srv/outer-runs")
        Account(ORDINARY, sys.executable).owns(outer)
        machine.said("systemctl", "restart", unit)
        here.until(lambda: "Read-only file system" in machine.journal("-u", unit))
        inside = run.removeprefix("outputs/")
        assert (outer / inside).exists()
        assert here.standing()["outdated"]
        here.install()
        here.until(lambda: not (outer / inside).exists())
        assert [*outer.glob(f".janitor/trash/*/outputs/{inside}")]
        assert not here.standing()["outdated"]


@pytest.mark.proof
@pytest.mark.parametrize(
    ("uid", "by", "trainers"),
    [
        (ORDINARY, ORDINARY, "user@12345.service/app.slice/janitor-job-"),
        (0, 0, "system.slice/janitor-job-"),
        (GUEST_ID, 0, "/janitor@"),
    ],
    ids=["an account's own", "root's", "without a right to units"],
)
def test_no_restart_ends_a_training(machine: Machine, uid: int, by: int, trainers: str) -> None:
    """Where it may start no units, it is in the service's own, and that is said."""
    with place(machine, f"trains-{uid}-{by}", uid) as here:
        here.trains()
        if uid == 0:  # what it made is loaded by real torch, in the janitor's own cage
            text = (here.work.root / "config.toml").read_text()
            here.work.configure(
                text.replace("python = 'none-here'", f"python = '{sys.executable}'")
            )
        done = here.service("install", uid=by)
        (unit,) = done["names"]  # type: ignore[misc]
        scope = ["--user"] if done["whose"] == "user" else []
        here.pid()
        (mine,) = [  # as the machine numbers it
            pid
            for pid in machine.said("pgrep", "-f", "trainer.py").split()
            if here.inside in os.fsdecode(machine.said("readlink", f"/proc/{pid}/cwd"))
        ]
        assert trainers in machine.said("cat", f"/proc/{mine}/cgroup")
        assert machine.run("systemctl", *scope, "restart", unit, uid=by).returncode == 0
        assert here.running(int(mine))
        assert len(here.published()) == 1
        alone = uid == GUEST_ID
        assert (f"loginctl enable-linger {GUEST}" in str(done["notes"])) == alone
        assert machine.show(unit, "KillMode", *scope, uid=by) == ("process" if alone else "mixed")
        assert machine.show(unit, "PrivateDevices", *scope, uid=by) == (
            "yes" if by == 0 and not alone else "no"
        )


# ------------------------------------------------------------ trainings in units


def contract(machine: Machine, *words: str, uid: int = 0) -> str:
    """The tests of executors, in the machine, where systemd is one of them."""
    home = "/root" if uid == 0 else f"/home/{OWNER}"
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    place = f"--rootdir={SOURCE.parent}"
    tests = f"{SOURCE.parent}/tests/test_executors.py"
    return machine.said(
        "env",
        "-C",
        SOURCE.parent,
        *program,
        place,
        f"--basetemp={home}/tests",
        *words,
        tests,
        uid=uid,
    )


def test_a_training_in_a_unit(machine: Machine) -> None:
    """One of the contract; all of it is in `make proof`."""
    assert "1 passed" in contract(machine, "-k", "systemd and outlives")


@pytest.mark.proof
@pytest.mark.parametrize("uid", [0, ORDINARY])
def test_the_contract_of_executors(machine: Machine, uid: int) -> None:
    said = contract(machine, "-k", "systemd", uid=uid)
    assert "failed" not in said
    assert "passed" in said
