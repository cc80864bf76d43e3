"""Every model once, with its copies, and where it comes from."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from artifact_janitor import announcing, lineage
from artifact_janitor.core.lineage import Around, File, Model, models
from artifact_janitor.observe import digests
from tests.real import retraining, wandb_runs
from tests.real.milestones import MODEL, NO_TORCH, RUN, meta, promoted, put, workspace
from tests.real.small import FREE, PURGING, Small

PUBLISHED = "models/hpo_derived/eurusd/final_model_mlp.pth"
TRAINED = "training/runs/first/final_model_mlp.pth"
BY_HAND = "models/manual_runs/first/final_model_mlp.pth"


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return workspace(tmp_path)


def listed(work: Small, *args: str) -> dict[str, dict[str, Any]]:
    """The models by the path that came furthest; no file is in two of them."""
    answer = work.janitor("models", *args)
    assert answer.code == 0, answer
    files = [file["path"] for each in answer.rows("models") for file in each["files"]]
    assert len({*files}) == len(files)
    return {each["path"]: each for each in answer.rows("models")}


def test_from_a_study_to_a_milestone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it by the real commands: trained, published, promoted."""
    monkeypatch.setattr(announcing, "report", lambda *_, **__: [])
    work = Small(tmp_path)
    retraining.place(work)
    retraining.trains(work)
    try:
        assert work.janitor("run", "--yes", "--wait").code == 0
    finally:
        retraining.quiet(work)
    promoted(work, PUBLISHED, "--name", "champion", "--note", "the best so far")
    (found,) = listed(work).values()
    assert (found["path"], found["stage"]) == ("best_models/champion.pt", "milestone")
    assert (found["study"], found["trial"], found["model_type"]) == ("eurusd_mlp", 2, "mlp")
    assert found["metric"] == {"name": "value", "value": retraining.BEST}
    assert (found["chosen"], found["note"], found["copies"]) == (True, "the best so far", 2)
    assert [file["state"] for file in found["files"]] == ["verified", "verified"]
    assert meta(work, "champion")["trial"] == 2
    said = work.said("models")
    assert f"eurusd_mlp #2 → {PUBLISHED}" in said
    assert "★ champion  mlp" in said


def test_copies_are_one_model(work: Small) -> None:
    put(work, "other", TRAINED)
    put(work, "other", BY_HAND)
    work.write(BY_HAND.replace(".pth", ".json"), '{"run": "manual:first", "model_type": "mlp"}')
    os.link(work.root / MODEL, work.root / f"{RUN}/models/best_again.pt")
    found = listed(work)
    assert found.keys() == {BY_HAND, MODEL} or found.keys() == {
        BY_HAND,
        f"{RUN}/models/best_again.pt",
    }
    copied = found.pop(BY_HAND)
    assert [file["path"] for file in copied["files"]] == [BY_HAND, TRAINED]
    assert (copied["copies"], copied["run"], copied["run_is"]) == (
        2,
        "training/runs/first",
        "there",
    )
    (linked,) = found.values()
    assert (linked["copies"], len(linked["files"])) == (1, 2), "a hard link is no copy"


def test_models_of_one_size_are_told_apart(work: Small) -> None:
    """Those of one architecture have one size; only copies are read in full."""
    put(work, "other", TRAINED)
    content = (work.root / TRAINED).read_bytes()
    middle = len(content) // 2
    bent = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    work.write("training/runs/bent/final_model_mlp.pth", bent)
    assert TRAINED in listed(work)
    assert "training/runs/bent/final_model_mlp.pth" in listed(work)


def test_what_was_read_is_not_read_again(work: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    promoted(work)
    assert [each["copies"] for each in listed(work).values()] == [2]

    def no_more(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(digests.hashlib, "file_digest", no_more)
    assert [each["copies"] for each in listed(work).values()] == [2]
    monkeypatch.undo()
    (milestone,) = (work.root / "best_models").glob("*.pt")
    status = milestone.stat()
    content = milestone.read_bytes()
    milestone.write_bytes(content[:-1] + b"\1")
    os.utime(milestone, ns=(status.st_atime_ns, status.st_mtime_ns))
    states = {each["state"] for each in listed(work, "--verify").values()}
    assert "changed" in states


def test_only_what_may_be_a_copy_is_read(work: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    of = digests.Hashes.of
    monkeypatch.setattr(
        digests.Hashes, "of", lambda self, path: read.append(path) or of(self, path)
    )
    put(work, "other", TRAINED)
    content = (work.root / TRAINED).read_bytes()
    work.write("training/runs/second/final_model_mlp.pth", content[:-2] + b"\1\0")
    assert len(work_lineage(work)) == 3
    assert read == [], "of one size, and no copies"
    put(work, "other", BY_HAND)
    assert len(work_lineage(work)) == 3
    assert sorted(read) == [BY_HAND, TRAINED]


def work_lineage(work: Small, *, in_full: bool = False) -> list[Model]:
    """As a call, not in a fork."""
    from artifact_janitor.looking import glance, reading

    seen = glance(work.settings, 1 << 62)
    with reading(work.settings) as journal:
        return lineage.lineage(work.settings, seen, journal, lambda *_: None, in_full=in_full)


def test_verify_tells_what_is_not_as_it_was(work: Small) -> None:
    promoted(work, MODEL, "--name", "champion")
    shutil.rmtree(work.root / RUN)
    assert listed(work)["best_models/champion.pt"]["state"] == "whole"
    assert listed(work, "--verify")["best_models/champion.pt"]["state"] == "verified"
    put(work, "other", "best_models/champion.pt")
    found = listed(work, "--verify")["best_models/champion.pt"]
    assert (found["state"], found["run"]) == ("changed", ""), "nothing is told of these bytes"
    (work.root / "best_models/champion.pt").write_bytes(b"PK\3\4 no more")
    assert listed(work)["best_models/champion.pt"]["state"] == "damaged"


def test_a_run_that_is_gone_is_told(tmp_path: Path) -> None:
    """Its configuration is known long after."""
    work = workspace(tmp_path, days=90)
    promoted(work, MODEL, "--name", "champion")
    assert listed(work)["best_models/champion.pt"]["run_is"] == "there"
    assert work.janitor("plan").code == 0
    shutil.rmtree(work.root / RUN)
    found = listed(work)["best_models/champion.pt"]
    assert (found["run"], found["run_is"], found["run_config"]) == (RUN, "gone", True)
    said = work.said("models")
    assert f"{RUN} (gone)" in said
    assert f"janitor history --config {RUN}" in said
    assert work.start("history", "--config", RUN).wait() == 0


def test_a_run_in_the_trash_or_in_an_archive_is_no_orphan(tmp_path: Path) -> None:
    work = workspace(tmp_path, days=90)
    put(work, "other", TRAINED)
    put(work, "other", BY_HAND)
    work.write(BY_HAND.replace(".pth", ".json"), '{"run": "manual:first"}')
    wandb_runs.backdate(work.root / "training/runs/first", 90)
    assert work.janitor("run", "--yes").code == 0
    assert listed(work)[BY_HAND]["run_is"] == "trash"
    assert work.janitor("undo").code == 0
    assert work.janitor("unpin", ".", "--undone").code == 0
    assert work.janitor("archive", "training/runs/first").code == 0
    work.configure(PURGING + NO_TORCH)
    assert work.janitor("run", "--yes").code == 0
    assert listed(work)[BY_HAND]["copies"] == 1, "as far as anybody read it"
    found = listed(work, "--verify")[BY_HAND]
    assert (found["run_is"], found["copies"]) == ("archived", 2), "one of them in the archive"
    assert len(found["archives"]) == 1


def test_what_a_sidecar_says_need_not_make_sense(work: Small) -> None:
    put(work, "other", BY_HAND)
    sidecar = work.root / BY_HAND.replace(".pth", ".json")
    for text in ("[]", "{", '{"run": 1, "study": [], "trial": "x", "metric": {"value": "nan"}}'):
        sidecar.write_text(text)
        found = listed(work)[BY_HAND]
        assert (found["run"], found["study"], found["trial"], found["metric"]) == (
            "",
            "",
            None,
            None,
        )
    sidecar.write_text(json.dumps({"run": {"path": "../../etc"}, "study": "a\x1b[31m\nb"}))
    assert "\x1b" not in work.said("models")
    assert listed(work)[BY_HAND]["run_is"] == "gone"
    sidecar.unlink()
    sidecar.symlink_to("/etc/passwd")
    assert listed(work)[BY_HAND]["study"] == ""


def test_what_a_person_told_of_a_milestone(work: Small) -> None:
    put(work, "other", "best_models/released.pt")
    work.write("best_models/released_meta.json", json.dumps({"run": RUN, "released": "2026-09-01"}))
    found = listed(work)["best_models/released.pt"]
    assert (found["chosen"], found["run"], found["run_is"]) == (False, RUN, "there")


def test_an_empty_workspace_is_left_empty(tmp_path: Path) -> None:
    work = Small(tmp_path)
    work.configure(FREE)
    assert listed(work) == {}
    assert "No models here" in work.said("models")
    assert os.listdir(tmp_path) == ["config.toml"]


def test_a_thousand_models(tmp_path: Path) -> None:
    """A dozen are shown, and how many there are; the newest first."""
    work = Small(tmp_path)
    work.configure(FREE)
    for number in range(30):
        work.write(f"training/runs/r{number:02}/best_model.pt", bytes([number]) * 100, days=number)
    said = work.said("models")
    assert "30 models" in said
    assert "… and 18 more (janitor models --all)" in said
    assert said.index("r00") < said.index("r01")
    assert "… and" not in work.said("models", "--all")


# ------------------------------------------------------------ the order


def file(path: str, kind: str, time: int, **more: Any) -> File:
    return File(path, path, kind, (1, hash(path)), 10, time, True, **more)  # type: ignore[arg-type]


def test_the_order_of_models() -> None:
    files = [
        file("training/runs/new", "training-run", 9),
        file("training/runs/old", "training-run", 1),
        file("models/a", "model", 2),
        file("best_models/a.pt", "milestone", 8),
        file("best_models/b.pt", "milestone", 3, told={"chosen": True}),
    ]
    found = [each.first.path for each in models(files, Around())]
    runs = ["training/runs/new", "training/runs/old"]
    assert found == ["best_models/b.pt", "best_models/a.pt", "models/a", *runs]
