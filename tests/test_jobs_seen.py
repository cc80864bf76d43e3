"""What is asked of a training, what is seen of it, and what its model's sidecar tells."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from artifact_janitor.apply import retrain
from artifact_janitor.apply.ground import Ground
from artifact_janitor.apply.retrain import JOBS, Order, argv
from artifact_janitor.core.jobs import Job
from artifact_janitor.core.study import Trial
from artifact_janitor.core.trainer import Retrain
from artifact_janitor.errors import StepFailed
from artifact_janitor.executors import OUT, Handle
from artifact_janitor.executors.local import Local
from artifact_janitor.observe import jobs as observed
from artifact_janitor.observe import study_copy
from artifact_janitor.observe.jobs import Progress
from artifact_janitor.units import HOUR, SECOND
from tests.core.test_handover import WANTED, job
from tests.real import jobs
from tests.real.disks import needs_root
from tests.real.models import FINAL, built
from tests.real.retraining import BEST, NAME, over, place, quiet, rows, study, trains
from tests.real.small import Small

# ---------------------------------------------------------------- how far it is


def told(tmp_path: Path, text: str | bytes) -> Progress | None:
    file = tmp_path / OUT / "progress.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(file, ns=(5, 5))
    return observed.progress(Handle("0" * 16, tmp_path))


EPOCH = '{"epoch": 3, "epochs": 9, "metric": 0.5, "name": "f1"}\n'
LONG = "n" * 99
THIRD = Progress(3, 9, 0.5, "f1", 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ('{"epoch": 1}\n' + EPOCH, THIRD),
        (EPOCH + '{"epoch": 4}', THIRD),
        (EPOCH + '[]\nnull\n{}\n{"epoch": "4"}\n{"epoch": true}\n{"epoch": -1}\n', THIRD),
        (f'{EPOCH}{{"epoch": {1 << 53}}}\n', THIRD),
        (EPOCH.encode() + b'{"epoch": 4, "name": "\xff"}\n' + b"[" * 60_000 + b"\n", THIRD),
        (b"x" * (64 << 10) + b"\n" + EPOCH.encode(), THIRD),
        (EPOCH + "x" * (64 << 10) + "\n", None),
        ('{"epoch": 0, "epochs": false, "metric": true, "name": 7}\n', (0, None, None, "metric")),
        ('{"epoch": 0, "metric": NaN, "name": "a\\u001b[2J"}\n', (0, None, None, "metric")),
        (f'{{"epoch": 0, "metric": {10**400}, "name": ""}}\n', (0, None, None, "metric")),
        (f'{{"epoch": 0, "metric": "1", "name": "{LONG}"}}\n', (0, None, None, "n" * 80)),
    ],
)
def test_how_far_a_training_is(
    tmp_path: Path, text: str | bytes, expected: Progress | tuple[object, ...] | None
) -> None:
    """By its last whole line that makes sense; nothing that it writes can do harm."""
    wanted = Progress(*expected, 5) if isinstance(expected, tuple) else expected  # type: ignore[arg-type]
    assert told(tmp_path, text) == wanted


def test_a_progress_that_is_no_file_tells_nothing(tmp_path: Path) -> None:
    place = tmp_path / OUT / "progress.jsonl"
    place.parent.mkdir()
    assert observed.progress(Handle("0" * 16, tmp_path)) is None
    os.mkfifo(place)
    assert observed.progress(Handle("0" * 16, tmp_path)) is None
    place.unlink()
    (tmp_path / "elsewhere").write_text(EPOCH)
    place.symlink_to(tmp_path / "elsewhere")
    assert observed.progress(Handle("0" * 16, tmp_path)) is None


@pytest.mark.parametrize(
    ("epoch", "epochs", "at", "left"),
    [
        (10, 40, 110, 300),
        (40, 40, 110, 0),
        (0, 40, 110, None),
        (41, 40, 110, None),
        (10, None, 110, None),
        (10, 0, 110, None),
        (10, 40, 10, None),
    ],
)
def test_how_long_it_will_take(epoch: int, epochs: int | None, at: int, left: int | None) -> None:
    assert Progress(epoch, epochs, None, "f1", at).left(10) == left


# ---------------------------------------------------------------- how it stands


def seen(local: Local, **how: object) -> tuple[str, str, float | None]:
    (found,) = observed.live([job(token="0123456789abcdef", **how)], local)  # type: ignore[arg-type]
    return found.live, found.live_why, found.metric


def test_what_is_seen_of_a_job(tmp_path: Path) -> None:
    local = Local(tmp_path)
    gone = "its folder in .janitor/jobs is gone"
    assert seen(local, state="intended") == ("PENDING", gone, None)
    assert seen(local, state="submitted") == ("GONE", gone, None)
    assert seen(local, state="published") == ("", "", None), "nobody asks what is over"
    tells = 'open("out/result.json", "w").write(\'{"metric": 0.5}\')'
    handle = local.submit(jobs.job(tmp_path, tells))
    with jobs.buried(local, handle):
        jobs.settled(local, handle)
        assert seen(local, state="submitted") == ("SUCCEEDED", "", 0.5)
        for text in ("[]", "", '{"metric": "x"}', '{"metric": Infinity}', '{"metric": true}'):
            (handle.folder / OUT / "result.json").write_text(text)
            assert seen(local, state="submitted")[2] is None


def test_what_failed_reached_nothing_whatever_it_says(tmp_path: Path) -> None:
    local = Local(tmp_path)
    tells = 'open("out/result.json", "w").write(\'{"metric": 0.5}\'); raise SystemExit(3)'
    handle = local.submit(jobs.job(tmp_path, tells))
    with jobs.buried(local, handle):
        jobs.settled(local, handle)
        assert seen(local, state="submitted") == ("FAILED", "it ended with exit 3", None)


@pytest.mark.parametrize("state", ["superseded", "cancelled"])
def test_what_is_being_ended_is_still_looked_at(tmp_path: Path, state: str) -> None:
    """As long as it runs it takes a place among the trainings at once."""
    local = Local(tmp_path)
    handle = local.submit(jobs.job(tmp_path, "import time; time.sleep(60)"))
    with jobs.buried(local, handle):
        assert seen(local, state=state)[0] == "RUNNING"


def test_which_models_are_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "hpo_derived" / "eurusd"
    folder.mkdir(parents=True)

    def sidecar(name: str, text: str, model: bool = True) -> None:
        (folder / name).write_text(text)
        if model:
            (folder / name).with_suffix(".pth").touch()

    sidecar("final_model_mlp.json", '{"key": "a"}')
    sidecar("final_model_gru.json", '{"key": "no model"}', model=False)
    sidecar("final_model_gone.json", '{"key": 7}')
    sidecar("final_model_list.json", "[]")
    sidecar("final_model_deep.json", "[" * 100_000)
    sidecar("final_model_huge.json", f'{{"pad": "{" " * (1 << 20)}", "key": "huge"}}')
    sidecar("other.json", '{"key": "another file"}')
    (folder / "final_model_link.json").symlink_to(folder / "final_model_mlp.json")
    (folder / "final_model_link.pth").touch()
    (folder / "final_model_dir.json").mkdir()
    assert observed.in_place(tmp_path, "models") == {"a"}


# ---------------------------------------------------------------- what is asked


def words(*command: str, python: str | None = None) -> list[str]:
    row = Retrain(command=command, python=python)
    return argv(row, Path("/w/{out}/request.json"), Path("/w/{request}/out"))


def test_the_words_of_a_command() -> None:
    """What a folder is called is never taken for a placeholder."""
    assert words("train", "{request}", "--out={out}!") == [
        "train", "/w/{out}/request.json", "--out=/w/{request}/out!"
    ]  # fmt: skip
    assert words("{out}{request}") == ["/w/{request}/out/w/{out}/request.json"]
    assert words("python", "-V", python="/opt/python")[0] == "/opt/python"
    assert words("python3", "-V", python="/opt/python")[0] == "/opt/python"
    assert words("./train", "python", python="/opt/python") == ["./train", "python"]
    assert words("python", "-V")[0] == "python"
    calls = argv(Retrain(function="a.b:c", python="/opt/python"), Path("/r"), Path("/o"))
    assert (calls[0], calls[-3:]) == ("/opt/python", ["a.b:c", "/r", "/o"])
    assert argv(Retrain(function="a.b:c"), Path("/r"), Path("/o"))[0] in ("python", "python3")


def called(folder: Path, function: str, source: str) -> dict[str, object]:
    """What comes of a function of the user's."""
    (folder / "mine.py").write_text(source)
    out = folder / OUT
    out.mkdir()
    (folder / "request.json").write_text('{"metric": 0.25}')
    row = Retrain(function=function, python=sys.executable)
    env = {**os.environ, "PYTHONPATH": str(folder)}
    subprocess.run(argv(row, folder / "request.json", out), check=True, cwd=folder, env=env)
    result = out / "result.json"
    found: dict[str, object] = json.loads(result.read_text()) if result.exists() else {}
    return found


def test_a_function_says_what_it_reached(tmp_path: Path) -> None:
    source = (
        "import sys\nclass Of:\n  class Mine:\n    @staticmethod\n    def train(request, out):\n"
        "      return {'metric': request['metric'], 'argv': sys.argv[1::2], 'out': out}\n"
    )
    found = called(tmp_path, "mine:Of.Mine.train", source)
    assert found == {"metric": 0.25, "argv": ["--request", "--out"], "out": str(tmp_path / OUT)}


@pytest.mark.parametrize(
    ("said", "result"), [("{'metric': 1}", {"metric": 2}), ("None", {"metric": 2})]
)
def test_what_a_function_wrote_itself_counts(tmp_path: Path, said: str, result: object) -> None:
    writes = "open(out + '/result.json', 'w').write('{\"metric\": 2}')"
    source = f"def train(request, out):\n  {writes}\n  return {said}\n"
    assert called(tmp_path, "mine:train", source) == result


def test_a_function_that_says_nothing(tmp_path: Path) -> None:
    assert called(tmp_path, "mine:train", "def train(request, out):\n  return 0.5\n") == {}


# ---------------------------------------------------------------- how it is prepared

TRIAL = Trial(
    143,
    144,
    (0.713, float("inf")),
    {"lr": 0.1, "n": (1, 2)},
    {"seed": 42, "why": {"loss": float("-inf")}},
)


def order(about: Job, **how: object) -> Order:
    found = Order(
        about,
        TRIAL,
        ("maximize", "minimize"),
        Retrain(command=("true",), deadline=2 * HOUR),
        partial(study_copy.copy, study("study.db", NAME)),
        (2, "loss"),
    )
    return replace(found, **how)  # type: ignore[arg-type]


def prepared(root: Path, how: Order) -> Path:
    """Its folder; the job is over when this returns."""
    (root / ".janitor").mkdir(exist_ok=True)
    os.chown(root / ".janitor", root.stat().st_uid, root.stat().st_gid)
    local = Local(root / JOBS)
    retrain.submit(Ground(root, []), local, how, 1_700_000_000 * SECOND)
    handle = local.find(how.job.token)
    assert handle
    with jobs.buried(local, handle):
        jobs.settled(local, handle)
    return handle.folder


def test_what_is_asked_in_full(tmp_path: Path) -> None:
    folder = prepared(tmp_path, order(job(study="a\ud800\n")))
    asked = json.loads((folder / "request.json").read_text("ascii"))
    end = datetime.fromtimestamp(1_700_000_000 + 7200, UTC).isoformat(timespec="seconds")
    assert asked == {
        "schema": 1,
        "key": "key",
        "study": "a\ud800\n",
        "study_path": WANTED.path,
        "model_type": "lstm",
        "directions": ["maximize", "minimize"],
        "objective": {"number": 2, "name": "loss"},
        "mode": "refit",
        "trial": {
            "number": 143,
            "values": [0.713, "inf"],
            "params": {"lr": 0.1, "n": [1, 2]},
            "user_attrs": {"seed": 42, "why": {"loss": "-inf"}},
            "seed": 42,
        },
        "snapshot": str(folder / "snapshot.db"),
        "deadline": end,
        "out": str(folder / OUT),
    }
    assert json.loads((folder / "job.json").read_bytes())["deadline"] == 7200
    modes = {
        name: stat.S_IMODE((folder / name).stat().st_mode)
        for name in ("request.json", "snapshot.db")
    }
    assert set(modes.values()) == {0o600}, "a study may hold what is nobody else's business"
    assert retrain.snapshot_of(tmp_path, job().token) == folder / "snapshot.db"
    (folder / "snapshot.db-journal").touch()
    (folder / "snapshot.aside").touch()
    assert retrain.snapshot_of(tmp_path, job().token) == folder / "snapshot.db"


def test_a_job_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    """And whatever lies in its place that never became one goes."""
    left = tmp_path / JOBS / job().token
    left.mkdir(parents=True)
    (left / "request.json").write_text("half")
    (left / "snapshot.db").touch()
    row = Retrain(command=("sh", "-c", "echo once >> trained"), deadline=HOUR)
    asked = order(job(), row=row)
    folder = prepared(tmp_path, asked)
    before = (folder / "request.json").read_bytes()
    assert json.loads(before)["key"] == "key"
    retrain.submit(Ground(tmp_path, []), Local(tmp_path / JOBS), asked, 0)
    assert (folder / "request.json").read_bytes() == before
    assert (tmp_path / "trained").read_text() == "once\n"


def adopting(root: Path, model: Path) -> Order:
    trial = replace(TRIAL, user_attrs={"janitor:model": "left.pth", "janitor:seed": 7})
    return order(job(mode="adopt", model_type="mlp"), trial=trial, adopts=model)


def test_a_model_that_is_adopted_is_a_job_that_is_over(tmp_path: Path) -> None:
    folder = prepared(tmp_path, adopting(tmp_path, built() / "plain" / FINAL))
    assert (folder / OUT / FINAL).read_bytes() == (built() / "plain" / FINAL).read_bytes()
    result = json.loads((folder / OUT / "result.json").read_bytes())
    assert (result["metric"], result["seed"], result["adopted"]) == (0.713, 7, "left.pth")
    ended = json.loads((folder / "exit.json").read_bytes())
    assert (ended["code"], ended["ended"]) == (0, "2023-11-14T22:13:20+00:00")
    assert not (folder / "log.txt").exists(), "nothing was started"


def test_a_link_that_came_in_the_place_of_a_model_is_not_adopted(tmp_path: Path) -> None:
    (tmp_path / "left.pth").symlink_to(built() / "plain" / FINAL)
    with pytest.raises(StepFailed, match="can't be prepared"):
        prepared(tmp_path, adopting(tmp_path, tmp_path / "left.pth"))
    assert not [*tmp_path.rglob(FINAL)]


@needs_root
def test_all_of_a_job_belongs_to_the_owner_of_the_workspace(tmp_path: Path) -> None:
    """Whose trainings run as that user, and must be able to read what root prepared."""
    os.chown(tmp_path, 4711, 4711)
    folder = prepared(tmp_path, adopting(tmp_path, built() / "plain" / FINAL))
    made = [each for each in (folder, *folder.rglob("*")) if each.name != "cancel"]
    assert {each.name: each.stat().st_uid for each in made} == {each.name: 4711 for each in made}


# ---------------------------------------------------------------- what its sidecar tells

_TWO = """
import sys, optuna
optuna.logging.disable_default_handler()
storage = f"sqlite:///{sys.argv[1]}"
directions = ["maximize", "minimize"]
study = optuna.create_study(storage=storage, study_name="eurusd_mlp", directions=directions)
study.set_metric_names(["f1", "loss"])
for x in (0.25, 0.5, 0.75, 0.9):
    study.enqueue_trial({"x": x})
study.optimize(lambda t: ((x := t.suggest_float("x", 0, 1)), (x - 0.5) ** 2 + 1), n_trials=4)
"""
REACHES = """
import json, os, shutil, sys
request, out = json.load(open(sys.argv[1])), sys.argv[2]
shutil.copy("model.pth", os.path.join(out, f"final_model_{request['model_type']}.pth"))
said = {"metric": float(open("reaches").read()), "seed": 99, "epochs": 12}
said |= {"data_sha256": "b" * 64, "git_commit": "c0ffee1"}
json.dump(said, open(os.path.join(out, "result.json"), "w"))
"""
TWO = 'mode = "refit"\nobjective = "loss"\ntolerance = 0.5\n'


def offered(work: Small, reached: float) -> list[str]:
    (work.root / "reaches").write_text(str(reached))
    try:
        assert work.janitor("run", "--yes").code == 0
        over(work)
        assert work.janitor("run", "--yes").code == 0
    finally:
        quiet(work)
    return [each.state for each in rows(work)]


@pytest.fixture(scope="module")
def two_objectives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("two") / "eurusd.db"
    subprocess.run([sys.executable, "-c", _TWO, path], check=True, timeout=120)
    return path


def test_a_refit_is_held_against_the_objective_that_was_chosen(
    two_objectives: Path, tmp_path: Path
) -> None:
    """Less is better, the best is 1, the median 1.0625: half of the distance is allowed."""
    for reached, state in ((1.04, "rejected"), (1.03, "published")):
        work = Small(tmp_path / state)
        (work.root / "hpo_studies").mkdir(parents=True)
        os.link(two_objectives, work.root / "hpo_studies" / "eurusd.db")
        os.utime(two_objectives, (os.path.getmtime(two_objectives) - 3600,) * 2)
        trains(work, REACHES, TWO)
        assert offered(work, reached) == [state]
        with closing(work.journal()) as journal:
            (step,) = [
                e for s in journal.sweeps() for e in journal.steps(s.id) if e.do == "publish"
            ]
        assert "loss" in step.why + str(step.reasons)
    told = json.loads((work.root / "models/hpo_derived/eurusd/final_model_mlp.json").read_text())
    assert told["metric"] == {"name": "loss", "value": 1.03, "best": 1.0}
    assert (told["study"], told["study_path"]) == ("eurusd_mlp", "hpo_studies/eurusd.db")
    assert (told["trial"], told["params"], told["mode"]) == (1, {"x": 0.5}, "refit")
    assert (told["seed"], told["epochs"]) == (99, 12)
    assert (told["data_sha256"], told["git_commit"]) == ("b" * 64, "c0ffee1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("request.json", None),
        ("request.json", "{"),
        ("request.json", "[]"),
        ("request.json", '{"objective": {}}'),
        ("exit.json", "{}"),
    ],
)
def test_a_request_that_is_lost_fails_the_step_and_no_more(
    tmp_path: Path, name: str, text: str | None
) -> None:
    """Somebody cleared away what the model is to be held against."""
    work = Small(tmp_path)
    place(work)
    trains(work, REACHES)
    (work.root / "reaches").write_text(str(BEST))
    assert work.janitor("run", "--yes").code == 0
    over(work)
    file = next((work.root / JOBS).glob(f"*/{name}"))
    file.unlink() if text is None else file.write_text(text)
    found = work.janitor("run", "--yes")
    outcomes = [(row["do"], row["outcome"]) for row in found.rows("steps")]
    assert outcomes in ([("publish", "failed")], []), found
    assert not [*(work.root / "models").rglob("*.pth")]
    quiet(work)
