"""Days of a busy project in minutes, and whether the janitor did all that it should, and no more.

    python -m tests.busy.replay --days 10 --rate 720
    python -m tests.busy.replay --days 10 --rate 720 --kills 100 --seed 2

People run real Hydra, W&B, torch and Optuna; the daemon watches; its calendar and theirs goes
`rate` times as fast as the machine's. Whoever judges stands outside: a ledger of every file
with its digest, the inodes of all that is live, and Optuna's own word about each study.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from artifact_janitor.units import DAY
from tests.busy.fast import Calendar, calendar
from tests.busy.ledger import Ledger, account, books, twice
from tests.busy.people import Act, People, Program, acts
from tests.busy.programs import FILES
from tests.busy.watched import Daemon
from tests.real import models
from tests.real.account import SOURCE, clean_environment
from tests.real.small import Small
from tests.real.wandb_stub import WandbStub

CONFIG = """\
[[policy]]
kind = "hydra-run"
keep_last = 2
keep_within = "1d"
then = "archive"

[[policy]]
kind = "hydra-sweep"
keep_within = "1d"

[[policy]]
kind = "checkpoint"
keep_last = 1
keep_within = "18h"

[[policy]]
kind = "training-run"
keep_within = "2d"
then = "archive"

[[policy]]
kind = "wandb-run"
keep_within = "1d"

[[policy]]
kind = "log"
keep_within = "18h"
then = "compress"

[safety]
grace = "12h"
trash_keep = "1d"
max_share = 1.0

[schedule]
retention = "0 */4 * * *"
purge = "30 */6 * * *"
verify = "0 5 * * *"

[[retrain]]
command = ["PYTHON", "trainer.py", "{request}", "{out}"]
python = "none-here"
model_type = "(?P<model_type>mlp)$"
quiet = "1h"
"""
TURN = 0.1
"""Seconds between two looks at everything."""
SETTLE = 120.0
"""Seconds that the last studies have to become models."""
POOL = """
import sys, torch
for number in range(int(sys.argv[1])):
    model = {"w": torch.full((30, 30), float(number))}
    told = {"config": {"name": "mlp"}, "scalers": {}, "meta": {"number": number}}
    whole = {"format": "artifact-janitor/model/1", "state_dict": model, **told}
    torch.save(whole, f"pool/{number:03}.pth")
"""
"""Models that the trainers hand over, each another one."""
SPARE = ("plain", "other", "trained", "scaled", "rich", "shared")
"""Those that other tests made already; torch takes seconds to start."""


@dataclass
class Found:
    """What the replay says in the end. Every list in `wrong` should be empty."""

    wrong: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        return not any(self.wrong.values())


@dataclass
class Replay:
    work: Small
    calendar: Calendar
    env: dict[str, str]
    people: People
    ledger: Ledger
    daemon: Daemon
    programs: list[Program] = field(default_factory=list)
    holds: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)

    # ------------------------------------------------------------ days

    def go_on(self, plan: list[Act], days: float, kills: int) -> None:
        """Until the days are over."""
        times = sorted(self.daemon.chance.uniform(0, days * 24) for _ in range(kills))
        measured = 0.0
        while (hours := self.calendar.hours()) < days * 24 or self.programs:
            while plan and plan[0].at <= hours and not self._waits(plan[0]):
                self._begin(plan.pop(0))
            self.daemon.keep_up()
            if times and times[0] <= hours:
                times.pop(0)
                self.daemon.kill()
            elif time.monotonic() - measured > 0.5:
                measured = time.monotonic()
                self.daemon.measure()
            self._look(hours)
            time.sleep(TURN)

    def _waits(self, act: Act) -> bool:
        """Two optimizers that make one study at the same moment fail at it: Optuna's own race."""
        return act.what == "study" and any(
            each.act.args[0] == act.args[0] and not each.read()
            for each in self.programs
            if each.act.what == "study"
        )

    def _begin(self, act: Act) -> None:
        if act.what == "log":
            self._write_log(*act.args)
        elif (begun := self.people.act(act)) is not None:
            ends = act.args[-1] if act.what == "study" else 0
            begun.ends = time.monotonic() + 3 + float(str(ends)) * 4 if ends else 0.0
            self.programs.append(begun)

    def _write_log(self, day: object) -> None:
        path = f"logs/app-{day}.log"
        (self.work.root / path).parent.mkdir(exist_ok=True)
        (self.work.root / path).write_text(f"day {day}: nothing happened\n" * 5000)
        self.ledger.finished(path)

    def _look(self, hours: float) -> None:
        """At the programs, and at what they make."""
        for each in [*self.programs]:
            if each.ends and time.monotonic() > each.ends:
                each.process.kill()
            if (made := each.read()) and self._is_watched(each):
                self.ledger.begun(self._unit(made))
            if (code := each.process.poll()) is not None:
                self.programs.remove(each)
                self._over(each, code)
        self.ledger.look()

    def _is_watched(self, program: Program) -> bool:
        """A database has companions that come and go, and W&B's client files of a moment."""
        return program.act.what in ("hydra", "torch", "hold")

    def _unit(self, made: str) -> str:
        return os.path.relpath(os.path.join(self.work.root, made), self.work.root)

    def _over(self, program: Program, code: int) -> None:
        what, made = program.act.what, program.read()
        self.did[f"{what}, killed" if code == -signal.SIGKILL else what] += 1
        allowed = (0, -signal.SIGKILL) if program.ends else (0, 3, 5) if what == "by hand" else (0,)
        if code not in allowed:
            said = program.out.read_text(errors="replace")[-800:]
            self.failed.append(f"{what} {program.act.args}: exit code {code}: {said}")
        if not made:
            return
        unit = self._unit(os.path.dirname(made) if what == "sweep" else made)
        if unit in self.ledger.live:
            self.ledger.ended(unit)
        if what in ("hydra", "sweep", "wandb", "torch"):
            self.ledger.finished(unit)
        if what == "hydra":
            self.people.folders.append(unit)

    # ------------------------------------------------------------ the end

    def settle(self) -> list[dict[str, Any]]:
        """Wait until every study has its model, as far as it comes; Optuna's word of each."""
        studies = [str(each) for each in sorted(self.work.root.glob("hpo_studies/*.db"))]
        said = self._output("told.py", *studies)
        told: list[dict[str, Any]] = json.loads(said) if studies else []
        end = time.monotonic() + SETTLE
        while time.monotonic() < end and any(map(self.missed, told)):
            self.daemon.keep_up()
            time.sleep(1)
        return told

    def missed(self, study: dict[str, Any]) -> str:
        """Why a study has not the model that it should, or ""."""
        if study["best"] is None:
            return ""
        place = self.work.root / "models/hpo_derived" / Path(study["path"]).stem
        try:
            told = json.loads((place / "final_model_mlp.json").read_text())
        except OSError:
            return f"{study['name']}: no model"
        if told["trial"] != study["best"]:
            return f"{study['name']}: a model of trial {told['trial']}, best is {study['best']}"
        return ""

    def _output(self, *words: str) -> str:
        line = [sys.executable, "-W", "ignore", *words]
        done = subprocess.run(
            line, cwd=self.work.root, env=self.env, capture_output=True, text=True, timeout=600
        )
        return done.stdout

    def janitor(self, *words: str) -> dict[str, Any]:
        said = self._output("-m", "artifact_janitor", *words, "--json")
        return dict(json.loads(said)) if said else {"ok": False, "errors": ["it said nothing"]}

    def judge(self, studies: list[dict[str, Any]], code: int) -> Found:
        wrong = {
            "programs that failed": self.failed,
            "daemons that ended by themselves": self.daemon.deaths,
            "live, and touched": self.ledger.touched,
            "studies missed": [each for study in studies if (each := self.missed(study))],
            "trained twice": _repeated(self._trained()),
            "ended badly": [] if code == 0 else [f"exit code {code}"],
        }
        with closing(self.work.journal()) as journal:
            kinds = ("hydra-run", "training-run", "log", "model")
            kept = books(self.work, journal, self._unpacked(), DAY, *kinds)
            places, wrong["lost"] = account(self.ledger, kept)
            wrong["done twice"] = twice(kept)
            jobs = Counter(each.state for each in journal.jobs.all())
            steps = Counter(f"{each.do} {each.state}" for each in kept.steps)
        checks = self.janitor("doctor")["data"]["checks"]
        mine = ("journal", "lock", "trash", "archives", "studies")
        wrong["doctor"] = [
            f"{each['name']}: {each['what']}"
            for each in checks
            if each["state"] != "ok" and each["name"] in mine
        ]
        figures = {
            "studies": len(studies),
            "trainings": jobs,
            "programs": self.did,
            "files": places,
            "steps": steps,
            "kills": self.daemon.kills,
            "daemon": self.daemon.growth(),
        }
        return Found(wrong, figures)

    def _trained(self) -> list[str]:
        """The keys, once for each training that began."""
        file = self.work.root / "trained"
        return file.read_text().splitlines() if file.exists() else []

    def _unpacked(self) -> dict[str, set[str]]:
        """All archives, brought back to another place; the digests of what is in them."""
        found: dict[str, set[str]] = {}
        for each in self.janitor("archives")["data"]["archives"]:
            with tempfile.TemporaryDirectory(dir=self.work.root.parent) as place:
                self.janitor("restore", each["name"], "--to", place)
                ledger = Ledger(Path(place))
                ledger.finished(".")
                found.setdefault(each["path"], set()).update(ledger.made.values())
        return found


def _repeated(lines: list[str]) -> list[str]:
    return [f"{key[:12]} {count} times" for key, count in Counter(lines).items() if count > 1]


def project(root: Path, env: dict[str, str], trainings: int) -> Small:
    """The busy project before its first day."""
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for folder in ("hpo_studies", "models/manual_runs", "pool"):
        (root / folder).mkdir(parents=True)
    if trainings <= len(SPARE):
        for name in SPARE:
            shutil.copy(models.built() / name / models.FINAL, root / "pool" / f"{name}.pth")
    else:
        line = [sys.executable, "-c", POOL, str(trainings)]
        subprocess.run(line, cwd=root, env=env, check=True)
    work = Small(root)
    work.configure(CONFIG.replace("PYTHON", sys.executable))
    return work


def replayed(
    place: Path, plan: list[Act], days: float, rate: int, kills: int = 0, seed: int = 1
) -> Found:
    """In a folder that is empty. Raises NoCompiler."""
    clean = clean_environment(place / "home") | {"PYTHONPATH": str(SOURCE)}
    for folder in ("home", "notes", "project"):
        (place / folder).mkdir()
    work = project(place / "project", clean, 2 * sum(each.what == "study" for each in plan))
    with WandbStub() as stub:
        fast = calendar(rate, place)
        quiet = {"WANDB_ERROR_REPORTING": "false", "OMP_NUM_THREADS": "1"}
        env = {**clean, **stub.environ, **quiet, **fast.environ}
        people = People(work.root, env, place / "notes", stub)
        daemon = Daemon(work.root, env, place / "daemon.log", random.Random(seed))
        replay = Replay(work, fast, env, people, Ledger(work.root), daemon)
        try:
            replay.go_on(plan, days, kills)
            told = replay.settle()
            code = daemon.end()
        finally:
            for each in (*(p.process for p in replay.programs), *filter(None, [daemon.process])):
                each.kill()
        return replay.judge(told, code)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=10)
    parser.add_argument("--rate", type=int, default=720)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--where", type=Path)
    asked = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="busy-", dir=asked.where))
    print(f"in {place}", flush=True)
    found = replayed(
        place, acts(asked.days, asked.seed), asked.days, asked.rate, asked.kills, asked.seed
    )
    for name, value in found.figures.items():
        print(f"{name}: {dict(value) if isinstance(value, dict) else value}")
    for name, each in found.wrong.items():
        print(f"{name}: {len(each)}", *each[:20], sep="\n  ")
    return 0 if found.is_well else 1


if __name__ == "__main__":
    raise SystemExit(main())
