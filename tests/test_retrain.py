"""A finished study is trained, once, and its model appears in its place."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest

from artifact_janitor import announcing, clock, handing_over, state
from artifact_janitor.apply import retrain
from artifact_janitor.core.model import is_within
from artifact_janitor.daemon import apart
from artifact_janitor.executors import local
from artifact_janitor.handing_over import Sight
from artifact_janitor.render import daemon as render
from artifact_janitor.sweep import hand_over
from tests.real import retraining, wandb_runs
from tests.real.command import Answer
from tests.real.disks import needs_root, small_disk
from tests.real.models import FINAL
from tests.real.retraining import (
    BEST,
    GOOD,
    NAME,
    SAVES,
    STUDY,
    TELLS,
    TRAINER,
    WAITS,
    backdate,
    better,
    executor,
    handles,
    over,
    place,
    quiet,
    set_back,
    trained,
    trains,
    until,
)
from tests.real.small import Small

MODEL = "models/hpo_derived/eurusd/final_model_mlp.pth"
SIDECAR = "models/hpo_derived/eurusd/final_model_mlp.json"


@pytest.fixture(autouse=True)
def spared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results take seconds, and have tests of their own."""
    if "results" not in request.node.name:
        monkeypatch.setattr(announcing, "report", lambda *_, **__: [])


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Small]:
    """In a folder with a name that shells and careless programs trip over."""
    root = tmp_path / os.fsdecode(b"a b\xff{out}$(x)")
    root.mkdir()
    work = Small(root)
    place(work)
    trains(work)
    yield work
    quiet(work)


def run(work: Small, *args: str) -> Answer:
    """A sweep, once nothing runs any more."""
    over(work)
    return work.janitor("run", "--yes", *args)


def rows(answer: Answer) -> list[tuple[str, str, str]]:
    """What was done, or would be: the kind of step, the study, the outcome."""
    return [(row["do"], row["study"], row.get("outcome", "")) for row in answer.rows("steps")]


def notes(work: Small) -> str:
    return "\n".join(work.janitor("plan").facts["notes"])


def states(work: Small) -> list[str]:
    return [each.state for each in retraining.rows(work)]


def sidecar(work: Small) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((work.root / SIDECAR).read_text())
    return found


def test_from_a_study_to_a_model_and_back(work: Small) -> None:
    """Trained once, published once; undone it stays undone until a person asks."""
    before = (work.root / STUDY).read_bytes(), sorted(os.listdir(work.root / "hpo_studies"))
    (row,) = work.janitor("plan").rows("steps")
    assert (row["do"], row["kind"], row["path"]) == ("retrain", "study", STUDY)
    assert (row["study"], row["model_type"], row["mode"], row["trial"]) == (
        NAME,
        "mlp",
        "replay",
        2,
    )
    assert not trained(work)
    assert rows(run(work)) == [("retrain", NAME, "done")]
    over(work)
    (row,) = work.janitor("plan").rows("steps")
    assert (row["do"], row["kind"], row["path"]) == ("publish", "model", MODEL)
    assert "reached 0.75; trial 2 had 0.75" in row["reasons"][0]
    found = run(work)
    assert rows(found) == [("publish", NAME, "done")]
    assert (work.root / MODEL).read_bytes() == (work.root / "model.pth").read_bytes()
    assert sidecar(work)["key"] == trained(work)[0] == row["key"]
    assert rows(run(work)) == []
    assert work.janitor("status").facts["jobs"][0]["state"] == "published"
    assert work.janitor("undo", found.facts["sweep"]).code == 0
    assert not work.there(MODEL)
    assert rows(run(work)) == []
    assert "its publication was undone → janitor retrain eurusd/mlp" in notes(work)
    asked = work.janitor("retrain", "eurusd/mlp", "--wait")
    assert asked.code == 0, asked
    assert asked.facts["jobs"][0]["state"] == "published"
    assert work.there(MODEL, SIDECAR)
    assert len(trained(work)) == 2
    after = (work.root / STUDY).read_bytes(), sorted(os.listdir(work.root / "hpo_studies"))
    assert after == before


def test_the_same_bytes_again_count_as_published(work: Small) -> None:
    """A better trial, and its training makes what is there already."""
    assert rows(run(work)) == [("retrain", NAME, "done")]
    assert rows(run(work)) == [("publish", NAME, "done")]
    better(work, 0.8)
    backdate(work.root / STUDY, 1)
    assert rows(run(work)) == [("retrain", NAME, "done")]
    over(work)
    before = (work.root / SIDECAR).read_bytes()
    with closing(work.journal()) as journal:
        sight = handing_over.look(work.settings, journal, clock.read())
    report = hand_over(work.settings, sight, sight.handover.steps, "watch", by_person=False)
    assert render.swept(report) == f"published already: {MODEL}", "there is nothing to take back"
    assert states(work) == ["published", "published"]
    assert (work.root / SIDECAR).read_bytes() == before
    assert (rows(run(work)), "eurusd" in notes(work)) == ([], False)
    os.unlink(work.root / MODEL)
    assert "its model was published, and is gone since" in notes(work)


def test_a_study_that_is_trained_stands_in_a_plan_once(work: Small) -> None:
    """Among the steps: with its bytes, and no longer among what is kept."""
    place(work, "hpo_studies/two.db", ("a_mlp", "b_lstm"))
    place(work, "hpo_studies/later.db", ("no type",))
    trains(work, more="parallel = 9\n")
    plan = work.janitor("plan")
    told = [(row["do"], row["path"], row["bytes"]) for row in plan.rows("steps")]
    sizes = {path: (work.root / path).stat().st_blocks * 512 for _, path, _ in told}
    two = "hpo_studies/two.db"
    assert sorted(told) == sorted(
        [("retrain", STUDY, sizes[STUDY]), ("retrain", two, sizes[two]), ("retrain", two, 0)]
    )
    assert [row["path"] for row in plan.rows("kept")] == ["hpo_studies/later.db"]
    assert all(row["frees"] == row["frees_now"] == 0 for row in plan.rows("steps"))


def test_the_sidecar_tells_where_a_model_comes_from(work: Small) -> None:
    work.janitor("run", "--yes", "--wait")
    told = sidecar(work)
    assert told["metric"] == {"name": "value", "value": BEST, "best": BEST}
    assert (told["study"], told["study_path"], told["trial"]) == (NAME, STUDY, 2)
    assert (told["params"], told["mode"], told["model_type"]) == ({"x": 0.75}, "replay", "mlp")
    assert (told["seed"], told["epochs"], told["data_sha256"]) == (42, 2, "a" * 64)
    assert told["job"] == handles(work)[0].token
    assert told["trained_at"][:19] <= told["published_at"][:19]


def without_results(answer: Answer) -> list[str]:
    """What is noted where no results could be written."""
    return [note for note in answer.facts["notes"] if "no results" in note]


def test_results_come_with_the_model(work: Small) -> None:
    answer = work.janitor("run", "--yes", "--wait")
    assert (answer.code, without_results(answer)) == (0, [])
    told = json.loads((work.root / "hpo_results/hpo_results_mlp.json").read_text())
    assert (told["study"], told["best"][0]["number"]) == (NAME, 2)
    assert work.there("hpo_results/eurusd/mlp_visualizations/slice.png")


def dies() -> None:
    """Where results would be written: the model is in its place by then."""
    announcing.report = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]


def test_results_that_a_killed_janitor_did_not_write_come_with_the_next(work: Small) -> None:
    work.janitor("run", "--yes")
    over(work)
    assert work.start("run", "--yes", first=dies).wait() == -signal.SIGKILL
    assert work.there(MODEL)
    assert not work.there("hpo_results")
    answer = work.janitor("run", "--yes")
    assert answer.rows("steps") == [], "the model is not published again"
    assert without_results(answer) == []
    assert work.there("hpo_results/hpo_results_mlp.json")
    before = (work.root / "hpo_results/hpo_results_mlp.json").stat().st_mtime_ns
    work.janitor("run", "--yes")
    assert (work.root / "hpo_results/hpo_results_mlp.json").stat().st_mtime_ns == before


def test_results_that_could_not_be_written_are_tried_again(work: Small) -> None:
    """Why is said once, and they are not listed as done; those of a later training stay."""
    work.janitor("run", "--yes")
    over(work)
    with closing(work.journal()) as journal:
        sight = handing_over.look(work.settings, journal, clock.read())
    hand_over(work.settings, sight, sight.handover.steps, "watch", by_person=False)
    copy = retrain.snapshot_of(work.root, handles(work)[0].token)
    copy.rename(copy.with_suffix(".away"))
    ended = tell(work, stop=lambda: True)
    assert (ended["did"], ended["notes"], ended["locked"]) == ("", [], True)
    for words in ("eurusd/mlp: no results were written: ", ""):
        found = tell(work)
        assert (" ".join(found["notes"])[: len(words)], found["did"]) == (words, "")
        assert found["again"] > clock.read().wall
    copy.with_suffix(".away").rename(copy)
    better(work, 0.8)
    backdate(work.root / STUDY, 1)
    work.janitor("run", "--yes", "--wait")
    told = work.root / "hpo_results/hpo_results_mlp.json"
    assert json.loads(told.read_text())["best"][0]["number"] == 4
    before = told.stat().st_mtime_ns
    set_back(work, "next_try = 1")
    assert tell(work)["did"] == "eurusd/mlp", "the first of them, of which nothing is left to say"
    assert told.stat().st_mtime_ns == before


def tell(work: Small, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """As the daemon has it done, in a program of its own."""
    return apart._results(work.settings, lambda *_: None, stop)


@pytest.mark.parametrize("works_again", [True, False])
def test_mlflow_is_told_again_when_it_could_not_be(work: Small, works_again: bool) -> None:
    """At later sweeps, a few times; the model is in its place all the while."""
    mlflow = work.write("mlflow.db", b"SQLite format 3\0" + bytes(200))
    work.janitor("run", "--yes")
    over(work)
    assert told(work.janitor("run", "--yes")) == "tried again in 5 min"
    assert work.there(MODEL)
    assert told(work.janitor("run", "--yes")) == "", "not before its time"
    for words in () if works_again else ("tried again in 1 h", "tried again in 6 h"):
        set_back(work, "next_try = 1")
        assert told(work.janitor("run", "--yes")) == words
    set_back(work, "next_try = 1")
    if works_again:
        mlflow.unlink()
    said = told(work.janitor("run", "--yes"))
    assert said == ("" if works_again else "not tried again")
    set_back(work, "next_try = 1")
    mlflow.touch()
    assert told(work.janitor("run", "--yes")) == ""


def told(answer: Answer) -> str:
    """The end of what is noted of MLflow."""
    assert answer.code == 0, answer
    said = [note for note in answer.facts["notes"] if note.startswith("MLflow: ")]
    return said[0].rpartition("; ")[2] if said else ""


def test_run_waits_when_asked_to(work: Small) -> None:
    found = work.janitor("run", "--yes", "--wait")
    assert found.code == 0, found
    assert found.facts["jobs"][0]["state"] == "published"
    assert work.there(MODEL)
    (first,) = handles(work)
    set_back(work, "ended = 1")
    better(work, 0.9)
    assert rows(run(work)) == [("retrain", NAME, "done")]
    assert not first.folder.exists()  # what it left was kept for as long as the trash


WORSE = (
    GOOD + 'found["metric"] = 0.3\njson.dump(found, open(os.path.join(out, "result.json"), "w"))'
)


def test_what_is_rejected_leaves_the_model_that_is_there(work: Small) -> None:
    """And is said with both numbers, not trained again, and no error of the sweep."""
    work.janitor("run", "--yes", "--wait")
    there = (work.root / MODEL).read_bytes(), sidecar(work)
    better(work, 0.9)
    trains(work, WORSE, 'mode = "refit"\ntolerance = 0.0\n')
    run(work)
    found = run(work)
    assert found.code == 0
    assert rows(found) == [("publish", NAME, "skipped")]
    why = found.rows("steps")[0]["why"]
    assert why.startswith("REJECTED: value 0.3, the best trial had 0.9")
    assert rows(run(work)) == []
    assert why.removeprefix("REJECTED: ") in notes(work)
    assert ((work.root / MODEL).read_bytes(), sidecar(work)) == there


LINK = 'os.symlink(os.path.abspath("model.pth"), out + "/final_model_mlp.pth")'


@pytest.mark.parametrize(
    ("program", "state", "why"),
    [
        (TRAINER, "failed", "left no out/result.json"),
        (TRAINER + SAVES + "raise SystemExit(3)", "failed", "exit 3"),
        (TRAINER + TELLS, "rejected", "left no final_model_mlp.pth"),
        (GOOD + 'open(os.path.join(out, "result.json"), "w").write("{")', "rejected", "no JSON"),
        (GOOD.replace("metric = request", "metric = 0 * float('inf') # "), "rejected", "nan"),
        (GOOD + 'os.truncate(out + "/final_model_mlp.pth", 900)', "rejected", "cut short"),
        (TRAINER + TELLS + LINK, "rejected", "left no final_model_mlp.pth"),
    ],
)
def test_a_trainer_that_does_not_do_as_told(
    work: Small, program: str, state: str, why: str
) -> None:
    trains(work, program)
    run(work)
    found = run(work)
    run(work)
    (job,) = retraining.rows(work)
    said = job.why + "".join(row["why"] for row in found.rows("steps"))
    assert (job.state, why in said) == (state, True), said
    assert not work.there(MODEL)
    assert not work.there("models") or not [*(work.root / "models").rglob("*.pth")]
    assert len(trained(work)) == 1


def test_three_attempts_and_then_a_person_is_asked(work: Small) -> None:
    trains(work, TRAINER + "raise SystemExit(1)")
    for count in (1, 2, 3):
        assert rows(run(work)) == [("retrain", NAME, "done")]
        assert rows(run(work)) == []
        assert states(work) == ["failed"] * count
        assert len(trained(work)) == count
        assert "tried again in" in notes(work) or count == 3
        set_back(work, "next_try = 1")
    assert rows(run(work)) == []
    assert "failed 3 times, the last time: it ended with exit 1 → janitor retrain" in notes(work)
    asked = work.janitor("retrain", NAME, "--wait")
    assert asked.code == 3
    assert len(trained(work)) == 4
    set_back(work, "next_try = 1")
    assert rows(run(work)) == [("retrain", NAME, "done")]


def test_a_trainer_may_ask_to_be_called_later(work: Small) -> None:
    trains(work, TRAINER + "raise SystemExit(75)")
    for _ in range(4):
        assert rows(run(work)) == [("retrain", NAME, "done")]
        assert rows(run(work)) == []
        assert "it asked to be tried again later (exit 75); tried again in" in notes(work)
        set_back(work, "next_try = 1")
    assert states(work) == ["later"] * 4


def test_a_better_trial_supersedes_what_is_trained(work: Small) -> None:
    """Its training is ended; a result that came before is not published."""
    trains(work, TRAINER + WAITS + SAVES + TELLS)
    work.janitor("run", "--yes")
    (first,) = handles(work)
    until(lambda: trained(work))
    better(work, 0.8)
    assert "waits: 1 training is running (parallel = 1)" in notes(work)
    assert rows(work.janitor("run", "--yes")) == []
    assert states(work) == ["superseded"]
    until(lambda: executor(work).status(first).state == "CANCELLED")
    assert rows(run(work)) == [("retrain", NAME, "done")]
    (work.root / "go").touch()
    over(work)
    better(work, 0.85)
    assert rows(run(work)) == [("retrain", NAME, "done")]
    assert rows(run(work)) == [("publish", NAME, "done")]
    assert states(work) == ["superseded", "superseded", "published"]
    assert sidecar(work)["metric"]["best"] == 0.85


def no_log() -> None:
    """As on a disk that has no inode left when the log of a job is made."""

    def full(folder: Path) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "log.txt"))

    local.open_log = full


def test_a_training_that_could_not_begin_keeps_no_other_from_it(work: Small) -> None:
    assert rows(work.janitor("run", "--yes", first=no_log)) == [("retrain", NAME, "failed")]
    assert states(work) == ["later"]
    set_back(work, "next_try = 1")
    found = work.janitor("run", "--yes", "--wait")
    assert found.code == 0, found
    assert states(work) == ["later", "published"]
    assert len(trained(work)) == 1


def test_what_comes_later_and_is_not_better_trains_nothing(work: Small) -> None:
    """Worse trials and a tie leave the key as it is; a better one is trained, once."""
    assert work.janitor("run", "--yes", "--wait").facts["jobs"][0]["state"] == "published"
    before = sidecar(work)
    for value in (0.1, BEST):
        better(work, value)
        assert rows(run(work)) == []
        assert "eurusd" not in notes(work)
    assert sidecar(work) == before
    better(work, 0.9)
    trains(work, GOOD, 'mode = "refit"\n')
    assert rows(run(work)) == [("retrain", NAME, "done")]
    assert rows(run(work)) == [("publish", NAME, "done")]
    assert rows(run(work)) == []
    assert len(trained(work)) == 2


FILLS = """
try:
    with open(os.path.join(out, "rubbish"), "wb") as file:
        while True:
            file.write(bytes(1 << 20))
finally:
    json.dump({"metric": 0.75}, open(os.path.join(out, "result.json"), "w"))
"""


@needs_root
def test_a_trainer_that_fills_the_disk_is_contained(tmp_path: Path) -> None:
    """It fails with a word; the janitor goes on, and nothing else is touched."""
    with small_disk(tmp_path / "disk", "size=80m") as root:
        work = Small(root)
        work.configure("")
        work.janitor("run", "--yes")  # which keeps some room for a day like this
        place(work)
        trains(work, TRAINER + FILLS, 'mode = "refit"\n')
        assert work.janitor("run", "--yes").code == 0
        (token,) = os.listdir(root / ".janitor" / "jobs")
        handle = executor(work).find(token)
        assert handle
        until(lambda: executor(work).status(handle).is_over)
        assert shutil.disk_usage(root).free < 1 << 20
        found = work.janitor("run", "--yes")
        assert found.code == 0, found
        said = "".join(found.facts["notes"])
        assert re.search(r"eurusd/mlp: it ended with exit \d+; tried again in", said)
        (handle.folder / "out" / "rubbish").unlink()
        assert states(work) == ["failed"]
        assert not work.there("models")
        quiet(work)


def test_first_start_on_an_old_project(work: Small) -> None:
    place(work, age=24 * 30)
    assert rows(run(work)) == []
    assert "finished 30 days before the janitor first saw it (max_age 7 days)" in notes(work)
    assert rows(run(work)) == []
    assert work.janitor("retrain", "eurusd").code == 0
    assert rows(run(work)) == [("publish", NAME, "done")]


def test_many_studies_in_one_file_and_hostile_names(work: Small) -> None:
    """No name leads anywhere, and so many run at once as may."""
    names = ("../../etc/x_mlp", "a\nb_lstm", "n" * 600 + "_gru", "no type", "other_mlp")
    place(work, "hpo_studies/many.db", names)
    trains(work, TRAINER + WAITS + SAVES + TELLS, "parallel = 3\n")
    (work.root / STUDY).unlink()
    found = work.janitor("run", "--yes")
    assert [row["outcome"] for row in found.rows("steps")] == ["done"] * 3
    assert notes(work).count("waits: 3 trainings are running (parallel = 3)") == 1
    assert "no type: what kind of model is it?" in notes(work)
    (work.root / "go").touch()
    run(work)
    run(work)
    made = [
        each.relative_to(work.root / "models") for each in (work.root / "models").rglob("*.pth")
    ]
    assert len(made) == 4
    assert {each.parts[0] for each in made} == {"hpo_derived"}
    assert all(len(each.parts) == 3 and str(each).isascii() for each in made)
    assert len({*trained(work)}) == len(trained(work)) == 4
    keys = {
        json.loads(each.read_text())["study"] for each in (work.root / "models").rglob("*.json")
    }
    assert keys == {*names} - {"no type"}


def test_a_study_in_a_journal_file(work: Small) -> None:
    (work.root / STUDY).unlink()
    place(work, "hpo_studies/eurusd.log")
    trains(work, GOOD, 'mode = "refit"\n')
    assert work.janitor("run", "--yes", "--wait").facts["jobs"][0]["state"] == "published"
    copy = handles(work)[0].folder / "snapshot.log"
    assert copy.read_bytes() == (work.root / "hpo_studies/eurusd.log").read_bytes()


def with_attribute(work: Small, name: str, value: object) -> None:
    """The best trial says this of itself."""
    with closing(sqlite3.connect(work.root / STUDY)) as db:
        query = "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (3, ?, ?)"
        db.execute(query, (name, json.dumps(value)))
        db.commit()
    retraining.backdate(work.root / STUDY, 1)


def test_a_trial_that_left_its_model(work: Small) -> None:
    """It is taken as it is, and nothing is trained."""
    model = work.root / "training" / "runs" / "2" / "final_model_mlp.pth"
    model.parent.mkdir(parents=True)
    shutil.copy(work.root / "model.pth", model)
    with_attribute(work, "janitor:model", "training/runs/2/final_model_mlp.pth")
    work.configure(
        "[[retrain]]\nmode = 'adopt'\nmodel_type = '(?P<model_type>mlp)'\npython = 'none-here'\n"
    )
    assert work.janitor("run", "--yes", "--wait").facts["jobs"][0]["state"] == "published"
    assert (work.root / MODEL).read_bytes() == model.read_bytes()
    assert sidecar(work)["mode"] == "adopt"
    assert model.exists()
    assert trained(work) == []


def test_a_model_that_a_study_waits_for_is_not_cleared_away(work: Small) -> None:
    """Neither its run nor itself, until the study is handed over; what it doesn't name goes."""
    epochs = work.training(30, "training/runs/trials")
    work.training(30, "training/runs/other")
    shutil.copy(work.root / "model.pth", work.root / epochs[1])
    wandb_runs.backdate(work.root / "training/runs/trials", 30)
    with_attribute(work, "janitor:model", f"./{epochs[1]}")
    retraining.backdate(work.root / STUDY, 0)  # it may go on yet
    trains(work, GOOD, THINNING)
    found = work.janitor("plan")
    going = {row["path"] for row in found.rows("steps") if row["kind"] != "study"}
    assert "training/runs/other" in going
    assert not [path for path in going if is_within(epochs[1], path)], going
    (kept,) = (row for row in found.rows("kept") if row["path"] == epochs[1])
    assert f"trial 2 of {STUDY} left it, which is not handed over yet" in kept["reasons"]
    trains(work, GOOD, THINNING.replace("auto", "refit"))
    assert "training/runs/trials" in {row["path"] for row in work.janitor("plan").rows("steps")}
    trains(work, GOOD, THINNING)
    retraining.backdate(work.root / STUDY, 1)
    done = work.janitor("run", "--yes", "--wait", "--override-guards")
    assert done.facts["jobs"][0]["state"] == "published", done
    assert work.there(epochs[1])
    assert sidecar(work)["mode"] == "adopt"
    assert "training/runs/trials" in {row["path"] for row in work.janitor("plan").rows("steps")}


THINNING = """mode = "auto"
[[policy]]
kind = "training-run"
keep_within = "7d"
[[policy]]
kind = "checkpoint"
keep_within = "7d"
"""


@pytest.mark.parametrize(
    "said", ["../model.pth", "/etc/passwd", "missing.pth", "trainer.py", "a\0b"]
)
def test_a_model_that_is_none_is_not_adopted(work: Small, said: str) -> None:
    """Automatic goes on to the next mode; who asks for this one gets an answer."""
    shutil.copy(work.root / "model.pth", work.root.parent / "model.pth")
    with_attribute(work, "janitor:model", said)
    assert work.janitor("plan").rows("steps")[0]["mode"] == "replay"
    trains(work, GOOD, 'mode = "adopt"\n')
    assert rows(work.janitor("plan")) == []
    assert f"trial 2 names {said!r}, but" in notes(work)


FUNCTION = """
import json, os, shutil
def train(request, out):
    print("called in", os.getcwd())
    shutil.copy("model.pth", os.path.join(out, "final_model_mlp.pth"))
    return {"metric": request["trial"]["values"][0]}
"""


def test_a_function_in_the_users_python(work: Small) -> None:
    """Which is real torch's as well: it has the last word on the model."""
    work.write("project/training.py", FUNCTION)
    more = f"function = 'project.training:train'\npython = '{sys.executable}'\n"
    work.configure(f"[[retrain]]\nmodel_type = '(?P<model_type>mlp)'\n{more}")
    found = work.janitor("run", "--yes", "--wait")
    assert found.facts["jobs"][0]["state"] == "published", found
    log = (handles(work)[0].folder / "log.txt").read_bytes()
    assert log == b"called in " + os.fsencode(work.root) + b"\n"
    assert sidecar(work)["metric"]["value"] == BEST


def test_nothing_is_trained_without_a_trainer(work: Small) -> None:
    work.configure("[[retrain]]\nmodel_type = '(?P<model_type>mlp)'\n")
    found = run(work)
    assert (found.code, "trains nothing" in found.said["errors"][0]["message"]) == (2, True)
    work.configure("")
    assert rows(run(work)) == []
    asked = work.janitor("retrain", NAME)
    assert asked.code == 4
    assert "no [[retrain]] in config.toml" in asked.said["errors"][0]["message"]


def test_a_person_asks_and_cancels(work: Small) -> None:
    trains(work, TRAINER + WAITS + SAVES + TELLS)
    assert work.janitor("retrain", "nobody").code == 1
    assert work.janitor("retrain", NAME, "--mode", "best").code == 2
    assert work.janitor("retrain", NAME, "--cancel").code == 4
    assert work.janitor("retrain", NAME, "--mode", "refit").code == 0
    until(lambda: trained(work))
    again = work.janitor("retrain", NAME)
    assert (again.code, "in training already" in again.said["errors"][0]["message"]) == (4, True)
    (job,) = work.janitor("status").facts["jobs"]
    assert (job["live"], job["mode"]) == ("RUNNING", "refit")
    assert work.janitor("retrain", NAME, "--cancel").code == 0
    assert rows(run(work)) == []
    assert states(work) == ["cancelled"]
    assert "its training was cancelled: a person cancelled it → janitor retrain" in notes(work)


PROGRESS = (
    TRAINER
    + """
with open(os.path.join(out, "progress.jsonl"), "w") as file:
    file.write('noise\\n[1]\\n{"epoch": -1}\\n')
    file.write('{"epoch": 31, "epochs": 50, "metric": 0.61234, "name": "val_f1"}\\n{"epoch": 32')
"""
    + WAITS
)


def test_status_tells_how_far_it_is(work: Small) -> None:
    trains(work, PROGRESS)
    work.janitor("run", "--yes")
    until(lambda: work.janitor("status").facts["jobs"][0]["progress"])
    (job,) = work.janitor("status").facts["jobs"]
    far = {"epoch": 31, "epochs": 50, "metric": 0.61234, "name": "val_f1"}
    assert job["progress"] == far
    said = work.said("status")
    assert "jobs       eurusd/mlp  retraining, epoch 31/50, val_f1 0.6123, " in said
    assert " left" in said


def test_two_janitors_at_once_train_once(work: Small) -> None:
    running = [work.start("run", "--yes", "--json") for _ in range(3)]
    assert {each.wait() for each in running} <= {0, 5}
    over(work)
    assert len(trained(work)) == 1
    assert len(retraining.rows(work)) == 1
    running = [work.start("run", "--yes", "--json") for _ in range(3)]
    assert {each.wait() for each in running} <= {0, 5}
    assert work.there(MODEL)
    assert states(work) == ["published"]


def test_one_janitor_at_a_time_hands_over(work: Small) -> None:
    """By a lock of its own (S13)."""

    def impatient() -> None:
        state.PATIENCE = 0.1

    assert work.janitor("plan").code == 0
    ours = state.State(work.root)
    ours.prepare()
    with ours.handover():
        answer = work.janitor("run", "--yes", first=impatient)
    assert [row["outcome"] for row in answer.rows("steps")] == ["skipped"]
    assert "another janitor holds this workspace" in str(answer.rows("steps"))
    assert not retraining.rows(work)


def test_what_another_janitor_did_meanwhile_is_left_alone(work: Small) -> None:
    """What was planned before is asked again under the lock; also what became of a job."""

    def planned() -> Sight:
        with closing(work.journal()) as journal:
            return handing_over.look(work.settings, journal, clock.read())

    def carried_out(sight: Sight) -> list[tuple[str, str]]:
        report = hand_over(work.settings, sight, sight.handover.steps, "run")
        return [(each.outcome, each.why) for each in report.outcomes]

    stale = planned()
    run(work)
    assert carried_out(stale) == [("skipped", "another janitor is at it")]
    over(work)
    stale = planned()
    run(work)
    assert carried_out(stale) == [("skipped", "another janitor is at it")]
    assert states(work) == ["published"]
    trains(work, TRAINER + "raise SystemExit(1)")
    better(work, 0.9)
    run(work)
    over(work)
    stale = planned()
    assert work.janitor("retrain", NAME, "--cancel").code == 0
    assert carried_out(stale) == []
    assert states(work) == ["published", "cancelled"]


def test_a_journal_that_is_lost_trains_nothing_twice(work: Small) -> None:
    """The folder of a job bears its key; so does the sidecar of a model."""
    trains(work, TRAINER + WAITS + SAVES + TELLS)
    work.janitor("run", "--yes")
    until(lambda: trained(work))
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (work.root / ".janitor" / name).unlink(missing_ok=True)
    assert rows(work.janitor("run", "--yes")) == []
    (work.root / "go").touch()
    assert rows(run(work)) == [("publish", NAME, "done")]
    shutil.rmtree(work.root / ".janitor")
    assert rows(run(work)) == []
    assert len(trained(work)) == 1


def test_no_guard_of_retention_holds_a_model_back(work: Small) -> None:
    """Neither a clock that jumped nor a share that is too large."""
    text = (work.root / "config.toml").read_text()
    work.configure(f'{text}[[policy]]\nkind = "hydra-run"\nkeep_within = "7d"\n')
    for number in range(12):
        work.hydra(30, f"outputs/a/{number}")
    found = work.janitor("run", "--yes")
    assert found.code == 4
    done = [row["do"] for row in found.rows("steps") if row["outcome"] == "done"]
    assert done == ["retrain"]


def test_a_runner_that_is_killed_is_one_of_three_attempts(work: Small) -> None:
    trains(work, TRAINER + WAITS + SAVES + TELLS)
    work.janitor("run", "--yes")
    until(lambda: trained(work))
    (handle,) = handles(work)
    os.kill(int((handle.folder / "lock").read_text().split()[1]), 9)
    over(work)
    assert rows(run(work)) == []
    assert states(work) == ["lost"]
    set_back(work, "next_try = 1")
    (work.root / "go").touch()
    assert rows(run(work)) == [("retrain", NAME, "done")]
    assert rows(run(work)) == [("publish", NAME, "done")]
    assert len(trained(work)) == 2


def test_a_symlink_in_place_of_the_folder_of_jobs_is_refused(work: Small, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    work.janitor("plan")
    (work.root / ".janitor").mkdir(exist_ok=True)
    (work.root / ".janitor" / "jobs").symlink_to(tmp_path / "elsewhere")
    found = work.janitor("run", "--yes")
    assert found.code != 0
    assert os.listdir(tmp_path / "elsewhere") == []
    assert trained(work) == []
    (work.root / ".janitor" / "jobs").unlink()


def test_what_is_asked_of_a_trainer(work: Small) -> None:
    """All that it needs, in a private copy; infinities are written as text."""
    with_attribute(work, "loss", float("inf"))
    run(work)
    over(work)
    (handle,) = handles(work)
    asked = json.loads((handle.folder / "request.json").read_text())
    assert set(asked) == {
        "schema", "key", "study", "study_path", "model_type", "directions", "objective", "mode",
        "trial", "snapshot", "deadline", "out",
    }  # fmt: skip
    assert asked["trial"] == {
        "number": 2,
        "values": [0.75],
        "params": {"x": 0.75},
        "user_attrs": {"seed": 42, "loss": "inf"},
        "seed": 42,
    }
    with closing(sqlite3.connect(asked["snapshot"])) as db:
        assert db.execute("SELECT study_name FROM studies").fetchall() == [(NAME,)]
    assert Path(asked["out"]).parent == handle.folder
    assert time.strptime(asked["deadline"], "%Y-%m-%dT%H:%M:%S+00:00")
    assert FINAL in os.listdir(asked["out"])
