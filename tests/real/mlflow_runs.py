"""Runs, models and experiments made by the real MLflow, which lives in a process of its own.

MLflow takes seconds to start and to make its database, so one process serves all tests,
and the empty database is made once and copied. Records hold absolute paths: a project is
built where it stays.
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.real.account import clean_environment
from tests.real.small import FREE, PURGING, Small, done
from tests.real.wandb_runs import backdate

_POLICY = '\n[[policy]]\nkind = "mlflow-run"\nkeep_within = "7d"\n'
MLRUNS = FREE + _POLICY
PURGE = PURGING + _POLICY

_SERVE = """
import json, logging, os, sys
import mlflow
logging.disable(logging.WARNING)
for line in sys.stdin:
    asked = json.loads(line)
    os.chdir(asked["root"])
    uri = {"sqlite": f"sqlite:///{asked['root']}/{asked['db']}",
           "file": f"file://{asked['root']}/mlruns"}[asked["store"]]
    mlflow.set_tracking_uri(uri)
    names = {"mlflow": mlflow, "client": mlflow.MlflowClient(uri), "answer": None}
    try:
        exec(asked["code"], names | asked["values"], out := dict(names, **asked["values"]))
        print(json.dumps(out["answer"]), flush=True)
    except Exception as error:
        print(json.dumps({"error": repr(error)}), flush=True)
    finally:  # whoever asked may unmount the disk
        os.chdir("/")
"""

_LIVE = """
import os, sys, time
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("live")
with mlflow.start_run() as run:
    open("weights.bin", "wb").write(b"w" * 10_000)
    mlflow.log_artifact("weights.bin")
    mlflow.log_metric("loss", 1.0)
    print(run.info.run_id, flush=True)
    time.sleep(600)
"""


class MlflowError(RuntimeError):
    """What MLflow raised."""


class _Server:
    def __init__(self) -> None:
        self.home = tempfile.TemporaryDirectory(prefix="mlflow-")
        self.process = _start(["-c", _SERVE], Path(self.home.name))

    def __del__(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def ask(self, **what: Any) -> Any:
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise MlflowError(answer["error"])
        return answer


def _start(args: list[str], home: Path, cwd: Path | None = None) -> subprocess.Popen[str]:
    env = clean_environment(home) | {"MLFLOW_ALLOW_FILE_STORE": "true"}
    env["MLFLOW_DISABLE_TELEMETRY"] = env["DO_NOT_TRACK"] = "true"
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *args],
        cwd=cwd or home,
        env=env,
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@cache
def _server() -> _Server:
    return _Server()


@cache
def _empty() -> Path:
    """A database without a run, as MLflow makes it."""
    home = Path(_server().home.name)
    _server().ask(
        root=str(home), store="sqlite", db="empty.db", code="client.search_runs(['0'])", values={}
    )
    return home / "empty.db"


@dataclass(frozen=True)
class Project:
    """What MLflow logs in a workspace at `root`; paths are relative to it."""

    root: Path
    store: str = "sqlite"
    db: str = "mlflow.db"

    @classmethod
    def with_database(cls, root: Path, mode: str = "DELETE", db: str = "mlflow.db") -> Project:
        """`mode` is SQLite's journal mode."""
        (root / db).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_empty(), root / db)
        found = cls(root, db=db)
        found.sql(f"PRAGMA journal_mode = {mode}")
        return found

    def ask(self, code: str, **values: Any) -> Any:
        """Run a program in MLflow's process, with `mlflow` and a `client`; its `answer`."""
        where = {"root": str(self.root), "store": self.store, "db": self.db}
        return _server().ask(**where, code=textwrap.dedent(code), values=values)

    def run(
        self, days: float = 30, *, deleted: bool = True, status: str = "FINISHED", **more: str
    ) -> str:
        """A run that logged a file, a metric, a parameter and a tag `days` ago, and was
        deleted then. `more`: the experiment's name, the parent's ID."""
        made: dict[str, str] = self.ask(
            """
            found = client.get_experiment_by_name(more.get("experiment", "x"))
            where = found.experiment_id if found else client.create_experiment(
                more.get("experiment", "x"), artifact_location=more.get("location"))
            tags = {"mlflow.parentRunId": more["parent"]} if "parent" in more else {}
            run = client.create_run(where, tags=tags)
            ID = run.info.run_id
            for step in range(3):
                client.log_metric(ID, "loss", 1 / (step + 1), step=step)
            client.log_param(ID, "lr", "0.1")
            client.set_tag(ID, "who", "me")
            client.log_text(ID, "text " * 1000, "notes/report.txt")
            if status:
                client.set_terminated(ID, status)
            answer = {"id": ID, "uri": run.info.artifact_uri}
            """,
            more=more,
            status=status if status != "RUNNING" else "",
        )
        uri = made["uri"]
        path = Path(unquote(urlsplit(uri).path) if uri.startswith("file:") else uri).parent
        if deleted:
            self.delete(made["id"])
        self.age(path, days)
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def delete(self, run_id: str) -> None:
        self.ask("client.delete_run(ID)", ID=run_id)

    def age(self, folder: Path, days: float) -> None:
        """As if it had been logged, and deleted where it was, so long ago."""
        if self.store == "sqlite":
            past = "UPDATE runs SET deleted_time = deleted_time - ? * 86400000 WHERE run_uuid = ?"
            self.sql(past, days, folder.name)
        elif (meta := folder / "meta.yaml").exists():
            lines = meta.read_text().splitlines()
            meta.write_text("".join(f"{_older(line, days)}\n" for line in lines))
        backdate(folder, days)

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.root / self.db, isolation_level=None, timeout=30)) as db:
            return db.execute(query, values).fetchall()

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """The whole database."""
        tables = self.sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name: self.sql(f'SELECT * FROM "{name}"') for (name,) in tables}  # noqa: S608

    def known(self) -> dict[str, str]:
        """All runs that MLflow knows, with their stage."""
        found: dict[str, str] = self.ask(
            """
            from mlflow.entities import ViewType
            where = [each.experiment_id for each in
                     client.search_experiments(view_type=ViewType.ALL)]
            runs = client.search_runs(where, run_view_type=ViewType.ALL)
            answer = {each.info.run_id: each.info.lifecycle_stage for each in runs}
            """
        )
        return found

    def all_of(self, run_id: str) -> dict[str, Any]:
        """What MLflow shows of one run: metrics with their history, params, tags, artifacts."""
        found: dict[str, Any] = self.ask(
            """
            run = client.get_run(ID)
            history = {key: [(m.step, m.value) for m in client.get_metric_history(ID, key)]
                       for key in run.data.metrics}
            files = [each.path for each in client.list_artifacts(ID)]
            answer = [history, run.data.params, run.data.tags, files, run.info.status]
            """,
            ID=run_id,
        )
        return found


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


def to_trash(work: Small, project: Project, **more: str) -> str:
    """A run in the trash, which the next sweep would purge."""
    run = project.run(30, **more)
    assert run in done(work.janitor("run", "--yes"))
    work.configure(PURGE)
    return run


def _older(line: str, days: float) -> str:
    key, _, value = line.partition(": ")
    is_time = key == "deleted_time" and value.isdecimal()
    return f"{key}: {int(value) - int(days * 86_400_000)}" if is_time else line


def live(root: Path) -> tuple[subprocess.Popen[str], str]:
    """A program that trains in a workspace with a database, and its run's ID."""
    home = Path(_server().home.name)
    running = _start(["-c", _LIVE], home, root)
    assert running.stdout is not None
    return running, running.stdout.readline().strip()


def kill(running: subprocess.Popen[str]) -> None:
    running.send_signal(signal.SIGKILL)
    running.wait()
