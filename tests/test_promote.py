"""A model becomes a milestone: verified, never over another, and taken back by undo."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from artifact_janitor.apply import copies
from artifact_janitor.core import milestone
from artifact_janitor.core.plan import Step
from artifact_janitor.looking import look
from artifact_janitor.units import DAY
from tests.real import models
from tests.real.disks import disk, needs_root, small_disk
from tests.real.milestones import (
    BEST,
    MODEL,
    NO_TORCH,
    RUN,
    TORCH,
    error,
    git,
    meta,
    promoted,
    put,
    workspace,
)
from tests.real.models import BAD
from tests.real.publications import one
from tests.real.small import FREE, PURGING, Small, why
from tests.real.snapshot import difference, snapshot

NAME = "2026-08-13_11-00-00_best_model"
"""What a model of the run is called of which nobody says how."""


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return workspace(tmp_path)


def nothing_done(work: Small, *args: str, code: int = 1) -> str:
    """The command fails, says one error, and leaves all as it was."""
    before = snapshot(work.root / "best_models")
    answer = work.janitor(*args)
    assert (answer.code, len(answer.said["errors"])) == (code, 1), answer
    assert difference(before, snapshot(work.root / "best_models")) == []
    assert (work.leftovers(), work.trash()) == ([], [])
    return error(answer)


# ------------------------------------------------------------ promote


def test_a_model_of_a_run_becomes_a_milestone(work: Small) -> None:
    work.configure(BEST + TORCH)
    git(work, "init", "--quiet")
    git(work, "add", "config.toml")
    git(work, "commit", "--quiet", "-m", "one")
    answer = promoted(work, MODEL, "--name", "champion", "--note", "beat the baseline")
    assert answer.facts["outcome"] == "promoted"
    assert answer.facts["path"] == "best_models/champion.pt"
    model = work.root / "best_models/champion.pt"
    assert model.read_bytes() == (work.root / MODEL).read_bytes()
    told = meta(work, "champion")
    assert told == answer.facts["meta"]
    assert told["format"] == "artifact-janitor/milestone/1"
    assert (told["name"], told["chosen"], told["note"]) == ("champion", True, "beat the baseline")
    assert told["sha256"] == sha256(model.read_bytes()).hexdigest()
    assert told["bytes"] == model.stat().st_size
    assert (told["source"], told["run"]) == (MODEL, {"path": RUN, "kind": "hydra-run"})
    assert told["metric"] == {"name": "val_f1", "value": 0.71}
    assert told["metrics"] == {"val_f1": 0.71, "loss": 0.3}
    config = (work.root / RUN / ".hydra/config.yaml").read_bytes()
    assert told["config"]["file"] == ".hydra/config.yaml"
    assert told["config"]["text"].encode() == config
    assert told["config"]["sha256"] == sha256(config).hexdigest()
    assert told["git_head"] == git(work, "rev-parse", "HEAD")
    assert told["verified"] == ["checksums", "opcodes", "weights_only"]
    assert told["promoted_at"].endswith("+00:00")
    assert work.leftovers() == []
    commands = [each["command"] for each in work.janitor("history").rows("sweeps")]
    assert commands == ["rule", "promote"]
    assert all(each["ended"] for each in work.janitor("history").rows("sweeps"))


def test_what_nobody_knows_is_not_invented(work: Small) -> None:
    put(work, "other", "stray.pt")
    promoted(work, "stray.pt")
    told = meta(work, "stray")
    absent = ("run", "study", "trial", "metric", "config")
    assert [told[key] for key in absent] == [None] * 5
    assert (told["git_commit"], told["git_head"], told["note"]) == ("", "", "")
    assert told["verified"] == ["checksums", "opcodes"]


def test_a_published_model_tells_its_study(work: Small) -> None:
    one(work, "other")
    promoted(work, "models/hpo_derived/eurusd/final_model_mlp.pth")
    told = meta(work, "eurusd_mlp")
    assert (told["study"], told["trial"], told["model_type"]) == ("eurusd_mlp", 4, "mlp")
    assert told["params"] == {"lr": 0.1}
    kept = why(work.janitor("plan"), "models/hpo_derived/eurusd")
    assert "best_models/eurusd_mlp_meta.json names it" in kept


def test_a_sidecar_of_another_model_is_not_believed(work: Small) -> None:
    one(work, "other")
    put(work, "plain", "models/hpo_derived/eurusd/final_model_mlp.pth")
    answer = promoted(work, "models/hpo_derived/eurusd/final_model_mlp.pth")
    assert "not believed" in str(answer.facts["notes"])
    assert meta(work, "eurusd_mlp")["study"] is None


def test_the_model_of_a_run_by_hand_leads_to_its_run(work: Small) -> None:
    put(work, "rich", "training/runs/first/final_model_mlp.pth")
    sidecar = {"run": "manual:first", "model_type": "mlp", "metrics": {"val_f1": 0.5}}
    put(work, "rich", "models/manual_runs/first/final_model_mlp.pth")
    work.write("models/manual_runs/first/final_model_mlp.json", json.dumps(sidecar))
    promoted(work, "models/manual_runs/first/final_model_mlp.pth")
    told = meta(work, "first_mlp")
    assert told["run"] == {"path": "training/runs/first", "kind": "training-run"}
    assert (told["metrics"], told["model_type"]) == ({"val_f1": 0.5}, "mlp")


# ------------------------------------------------------------ S5


def test_a_milestone_keeps_its_run(tmp_path: Path) -> None:
    work = workspace(tmp_path, days=90)
    assert RUN in [each["path"] for each in work.janitor("plan").rows("steps")]
    promoted(work, MODEL, "--name", "champion")
    assert work.janitor("plan").rows("steps") == []
    assert "best_models/champion_meta.json names it" in why(work.janitor("plan"), RUN)
    unit = work.janitor("why", "best_models/champion.pt").rows("units")[0]
    assert unit["kept"]
    assert "a chosen milestone: never removed" in unit["reasons"]
    assert work.janitor("demote", "champion").code == 0
    assert work.janitor("plan").rows("steps") == [], "its milestone still names it"
    os.unlink(tmp_path / "best_models/champion_meta.json")
    assert RUN in [each["path"] for each in work.janitor("plan").rows("steps")]


def test_a_run_whose_name_is_no_text_is_kept_too(tmp_path: Path) -> None:
    work = workspace(tmp_path, days=90)
    odd = "outputs/2026-08-13/\udcff\udc80"
    os.rename(work.root / RUN, os.fsencode(work.root / odd))
    promoted(work, f"{odd}/models/best_model.pt", "--name", "odd")
    assert meta(work, "odd")["run"]["path"] == odd
    assert meta(work, "odd")["source"] == f"{odd}/models/best_model.pt"
    assert work.janitor("plan").rows("steps") == []


# ------------------------------------------------------------ names


BAD_NAMES = ("../x", "a/b", ".x", "two words", "-x", "ü\n", "a*", "a,", "\udcff", "n" * 246, ".pt")


def test_names_that_can_not_be_are_refused(work: Small) -> None:
    for name in BAD_NAMES:
        said = nothing_done(work, "promote", MODEL, f"--name={name}", code=2)
        assert "is no name for a milestone" in said
        assert milestone.objection(said.rpartition("--name ")[2]) == ""


def test_other_names_can_be(work: Small) -> None:
    for name in ("n" * 245, "modèle_1", "v1.2", "a.pt"):
        promoted(work, MODEL, f"--name={name}")
        stem = name.removesuffix(".pt")
        assert meta(work, stem)["name"] == stem
        unit = work.janitor("why", f"best_models/{stem}.pt").rows("units")[0]
        assert unit["files"] == 2, "the milestone, and what tells of it"
        assert work.janitor("undo").code == 0


def test_nothing_is_overwritten(work: Small) -> None:
    for number, suffix in enumerate((".pt", "_meta.json", ".onnx")):
        work.write(f"best_models/champion{number}{suffix}", b"somebody's")
        said = nothing_done(work, "promote", MODEL, "--name", f"champion{number}")
        assert f"none is ever overwritten → --name champion{number}-2" in said
    promoted(work, MODEL, "--name", "champion1-2")


def test_the_same_model_is_promoted_once(work: Small) -> None:
    promoted(work)
    before = snapshot(work.root / "best_models")
    copy = put(work, "plain", "outputs/copy.pt")
    for source in (MODEL, "outputs/copy.pt", f"best_models/{NAME}.pt"):
        answer = promoted(work, source, "--name", "other")
        assert (answer.facts["outcome"], answer.facts["path"]) == (
            "same",
            f"best_models/{NAME}.pt",
        )
    assert difference(before, snapshot(work.root / "best_models")) == []
    assert len(work.janitor("history").rows("sweeps")) == 1
    middle = copy.stat().st_size // 2
    copy.write_bytes(copy.read_bytes()[:middle] + b"x" + copy.read_bytes()[middle + 1 :])
    assert "damaged" in nothing_done(work, "promote", "outputs/copy.pt")


# ------------------------------------------------------------ sources


def test_what_is_no_safe_model_is_refused(work: Small) -> None:
    for name in BAD.keys() - {"missing", "strange"}:
        put(work, name, MODEL)
        said = nothing_done(work, "promote", MODEL)
        assert f"{MODEL} is not promoted: " in said
        assert BAD[name] in said
        assert not (models.built() / "sprung").exists()
    assert not work.there("best_models"), "a folder that was made for nothing is none"
    put(work, "strange", MODEL)
    promoted(work)  # of no format of ours, and safe


def test_torch_itself_is_asked(work: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks right to us, and does not load: a storage that lies about its type."""
    work.configure(FREE + TORCH)
    whole = (work.root / MODEL).read_bytes()
    assert whole.count(b"FloatStorage") == 1
    (work.root / MODEL).write_bytes(_with_crc(work.root / MODEL))
    assert "torch does not load it" in nothing_done(work, "promote", MODEL)


def _with_crc(path: Path) -> bytes:
    """The same zip, whose pickle names a class that torch does not have."""
    import io
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as new:
        for each in old.infolist():
            body = old.read(each)
            if each.filename.endswith("data.pkl"):
                body = body.replace(b"ctorch\nFloatStorage", b"ctorch\nZloatStorage")
            new.writestr(each, body)
    return made.getvalue()


def test_sources_that_are_none(work: Small, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "model.pt"
    shutil.copy(work.root / MODEL, outside)
    (work.root / "out.pt").symlink_to(outside)
    (work.root / "nowhere.pt").symlink_to("gone.pt")
    os.mkfifo(work.root / "pipe.pt")
    assert "there is no nothing.pt" in nothing_done(work, "promote", "nothing.pt", code=2)
    assert "lies outside" in nothing_done(work, "promote", str(outside), code=2)
    assert "lies outside" in nothing_done(work, "promote", "out.pt", code=2)
    assert "leads nowhere" in nothing_done(work, "promote", "nowhere.pt", code=2)
    assert "can't be read" in nothing_done(work, "promote", "pipe.pt")
    said = nothing_done(work, "promote", RUN, code=2)
    assert f"is a folder → name a model in it: {MODEL}" in said
    put(work, "plain", ".janitor/trash/x/model.pt")
    answer = work.janitor("promote", ".janitor/trash/x/model.pt")
    assert "the janitor's own folder" in error(answer)


def test_a_link_stands_for_what_it_leads_to(work: Small) -> None:
    (work.root / RUN / "last.ckpt").symlink_to("models/best_model.pt")
    promoted(work, f"{RUN}/last.ckpt")
    assert meta(work, NAME)["source"] == MODEL
    assert not (work.root / f"best_models/{NAME}.pt").is_symlink()


def test_a_copy_shares_no_inode_with_its_source(work: Small) -> None:
    os.link(work.root / MODEL, work.root / RUN / "again.pt")
    promoted(work, MODEL, "--name", "a")
    before = (work.root / "best_models/a.pt").read_bytes()
    (work.root / MODEL).write_bytes(b"overwritten")
    assert (work.root / "best_models/a.pt").read_bytes() == before


def test_what_is_being_written_is_left_alone(work: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(work.root / MODEL, "ab"):
        assert "open for writing" in nothing_done(work, "promote", MODEL)
    copied = copies._copied

    def while_it_grows(source: int, *rest: int) -> str:
        with open(work.root / MODEL, "ab") as file:
            file.write(b"more")
        return copied(source, *rest)

    monkeypatch.setattr(copies, "_copied", while_it_grows)
    assert "written to while it was copied" in nothing_done(work, "promote", MODEL)


@needs_root
def test_the_model_of_somebody_else(work: Small) -> None:
    work.handed_to(1234)
    os.chown(work.root / MODEL, 0, 0)
    (work.root / MODEL).chmod(0o600)
    answer = work.janitor("promote", MODEL, uid=1234)
    assert answer.code == 1
    assert "can't be read: Permission denied" in error(answer)
    (work.root / MODEL).chmod(0o644)
    promoted(work, MODEL, uid=1234)
    shutil.rmtree(work.root / "best_models")
    promoted(work)
    for path in ("best_models", f"best_models/{NAME}.pt", f"best_models/{NAME}_meta.json"):
        assert (work.root / path).stat().st_uid == 1234, "whoever owns the workspace can undo it"


@needs_root
def test_a_full_disk_leaves_nothing_half_done(tmp_path: Path) -> None:
    with small_disk(tmp_path / "best_models", "size=12k"):
        work = workspace(tmp_path)
        (work.root / "best_models/full").write_bytes(bytes(8 << 10))
        answer = work.janitor("promote", MODEL)
        assert answer.code == 1
        assert "make space" in error(answer)
        assert os.listdir(work.root / "best_models") == ["full"]
        (work.root / "best_models/full").unlink()


@needs_root
def test_milestones_may_lie_on_a_disk_of_their_own(tmp_path: Path) -> None:
    with disk("ext4", tmp_path / "best_models", 64):
        work = workspace(tmp_path)
        promoted(work)
        assert work.janitor("undo").code == 0
        assert not work.there(f"best_models/{NAME}.pt")
        assert [path for path in work.trash() if path.endswith(".pt")]
        work.configure(PURGING)
        assert work.janitor("run", "--yes").code == 0
        assert work.trash() == []


def test_another_janitor_is_waited_for(work: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    promoted(work, MODEL, "--name", "first")
    put(work, "other", MODEL)
    monkeypatch.setattr("artifact_janitor.state.PATIENCE", 0.1)
    with open(work.root / ".janitor/lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another janitor" in nothing_done(work, "promote", MODEL, code=5)


# ------------------------------------------------------------ demote


def test_demote_lets_go_of_the_rule_and_of_nothing_else(work: Small) -> None:
    promoted(work, MODEL, "--name", "champion")
    file = work.root / "best_models/champion_meta.json"
    file.write_text(json.dumps(meta(work, "champion") | {"mine": "a word of my own"}))
    before, text = snapshot(work.root / "best_models"), file.read_text()
    answer = work.janitor("demote", "champion")
    assert (answer.code, answer.facts["outcome"]) == (0, "demoted")
    told = meta(work, "champion")
    assert (told["chosen"], told["mine"]) == (False, "a word of my own")
    assert told["run"]["path"] == RUN
    changed = difference(before, snapshot(work.root / "best_models"))
    assert all("champion.pt" not in each for each in changed)
    assert work.janitor("demote", "best_models/champion.pt").facts["outcome"] == "same"
    assert work.janitor("undo").code == 0
    assert file.read_text() == text


def test_what_was_demoted_is_chosen_again(work: Small) -> None:
    promoted(work, MODEL, "--name", "champion", "--note", "first")
    assert work.janitor("demote", "champion").code == 0
    answer = promoted(work, MODEL, "--note", "better than I thought")
    assert (answer.facts["outcome"], answer.facts["path"]) == ("chosen", "best_models/champion.pt")
    assert (meta(work, "champion")["chosen"], meta(work, "champion")["note"]) == (
        True,
        "better than I thought",
    )
    assert work.janitor("undo").code == 0
    assert meta(work, "champion")["chosen"] is False


def test_what_somebody_put_there_by_hand_can_be_chosen(work: Small) -> None:
    put(work, "other", "best_models/mine.pt")
    assert work.janitor("demote", "mine").facts["outcome"] == "same"
    work.write("best_models/mine_meta.json", '{"author": "me", "chosen": "maybe"}')
    assert promoted(work, "best_models/mine.pt").facts["outcome"] == "chosen"
    told = meta(work, "mine")
    assert (told["author"], told["chosen"]) == ("me", True)
    assert work.janitor("undo").code == 0
    assert meta(work, "mine") == {"author": "me", "chosen": "maybe"}
    os.unlink(work.root / "best_models/mine_meta.json")
    promoted(work, "best_models/mine.pt")
    assert work.janitor("undo").code == 0
    assert work.there("best_models/mine.pt")
    assert not work.there("best_models/mine_meta.json")
    put(work, "trap", "best_models/trap.pt")
    answer = work.janitor("promote", "best_models/trap.pt")
    assert (answer.code, not (models.built() / "sprung").exists()) == (1, True)
    assert not work.there("best_models/trap_meta.json")


def test_what_can_not_be_demoted(work: Small) -> None:
    assert "there is no milestone" in nothing_done(work, "demote", "nobody", code=2)
    assert "is no milestone" in nothing_done(work, "demote", MODEL, code=2)
    put(work, "other", "best_models/mine.pt")
    for text in ("no JSON", "[1]", '{"chosen"', '{"chosen": true, "loss": NaN}', '{"x": 1e999}'):
        work.write("best_models/mine_meta.json", text)
        assert "mine_meta.json" in nothing_done(work, "demote", "mine")
    os.unlink(work.root / "best_models/mine_meta.json")
    (work.root / "elsewhere.json").write_text('{"chosen": true}')
    (work.root / "best_models/mine_meta.json").symlink_to("../elsewhere.json")
    assert "can't be read" in nothing_done(work, "demote", "mine")


# ------------------------------------------------------------ Git


def is_ignored(work: Small, path: str) -> bool:
    """By Git's own word."""
    asked = ["git", "check-ignore", "--quiet", path]
    return subprocess.run(asked, cwd=work.root, check=False).returncode == 0


def test_git_keeps_what_is_chosen_and_nothing_else(work: Small) -> None:
    git(work, "init", "--quiet")
    put(work, "other", "best_models/another.pt")
    assert promoted(work, MODEL, "--name", "champion").facts["gitignore"] == "done"
    model, meta_file = "best_models/champion.pt", "best_models/champion_meta.json"
    assert not is_ignored(work, model)
    assert not is_ignored(work, meta_file)
    assert is_ignored(work, "best_models/another.pt")
    assert work.janitor("demote", "champion").facts["gitignore"] == "done"
    assert is_ignored(work, model)
    assert not is_ignored(work, meta_file)
    assert work.janitor("undo").code == 0
    assert not is_ignored(work, model)
    assert work.janitor("undo").code == 0
    assert not work.there(model)
    assert is_ignored(work, model)
    assert work.janitor("plan").rows("steps") == [], "there is nothing left to write"


def test_without_git_it_is_said(work: Small) -> None:
    answer = promoted(work)
    assert answer.facts["gitignore"] == "none"
    assert "no Git repository here" in str(answer.facts["notes"])


def test_rules_that_can_not_be_written_hold_no_milestone_back(work: Small) -> None:
    git(work, "init", "--quiet")
    work.write(".gitignore", "<<<<<<< ours\n")
    answer = promoted(work, MODEL, "--name", "champion")
    assert answer.facts["gitignore"] == "refused"
    assert "merge" in str(answer.facts["notes"])
    assert work.there("best_models/champion.pt")
    (work.root / ".gitignore").unlink()
    assert [row["do"] for row in work.janitor("plan").rows("steps")] == ["gitignore"]
    assert work.janitor("run", "--yes").code == 0
    assert not is_ignored(work, "best_models/champion.pt"), "the next sweep lets Git follow"


# ------------------------------------------------------------ undo


def test_undo_takes_a_promotion_back(work: Small) -> None:
    before = snapshot(work.root / "outputs")
    promoted(work)
    assert work.janitor("undo").code == 0
    assert not work.there(f"best_models/{NAME}.pt")
    assert not work.there(f"best_models/{NAME}_meta.json")
    names = {path.rpartition("/")[2] for path in work.trash()}
    assert names == {f"{NAME}.pt", f"{NAME}_meta.json"}
    assert difference(before, snapshot(work.root / "outputs")) == []
    assert work.leftovers() == []
    promoted(work)
    assert work.janitor("undo").code == 0
    work.configure(PURGING)
    assert work.janitor("run", "--yes").code == 0
    assert work.trash() == []


@pytest.mark.parametrize("suffix", [".pt", "_meta.json"])
def test_what_was_changed_since_stays(work: Small, suffix: str) -> None:
    promoted(work)
    file = work.root / f"best_models/{NAME}{suffix}"
    content = file.read_bytes()
    os.link(file, work.root / "held")  # so that no other file gets its inode
    for how in ("written to", "replaced", "removed"):
        if how == "written to":
            file.write_bytes(content + b"\n")
        elif how == "replaced":
            work.write("best_models/new", content).rename(file)
        else:
            file.unlink()
        before = snapshot(work.root / "best_models")
        answer = work.janitor("undo")
        assert answer.code == 3, (how, answer)
        assert ("is gone" if how == "removed" else "was changed since") in str(answer.said)
        assert difference(before, snapshot(work.root / "best_models")) == []
        assert work.trash() == []


def test_what_git_tracks_stays(work: Small) -> None:
    git(work, "init", "--quiet")
    promoted(work)
    git(work, "add", "--force", f"best_models/{NAME}.pt")
    answer = work.janitor("undo")
    assert answer.code == 3
    assert f"Git tracks best_models/{NAME}.pt" in str(answer.said)
    assert work.there(f"best_models/{NAME}.pt", f"best_models/{NAME}_meta.json")
    git(work, "rm", "--cached", "--quiet", f"best_models/{NAME}.pt")
    index = work.root / ".git/index"
    text = index.read_bytes()
    index.write_bytes(b"DIRC" + bytes(40))
    assert "nobody can tell what Git tracks" in str(work.janitor("undo").said)
    index.write_bytes(text)
    assert work.janitor("undo").code == 0
    assert not work.there(f"best_models/{NAME}.pt")


def test_what_was_done_later_is_undone_first(work: Small) -> None:
    sweep = promoted(work).facts["sweep"]
    assert work.janitor("demote", NAME).code == 0
    answer = work.janitor("undo", sweep)
    assert answer.code == 3
    assert "was changed since" in str(answer.said)
    assert work.janitor("undo", "--last", "2").code == 0
    assert not work.there(f"best_models/{NAME}.pt")


def test_undo_of_a_demotion_whose_past_was_purged(work: Small) -> None:
    promoted(work)
    sweep = work.janitor("demote", NAME).facts["sweep"]
    work.configure(PURGING + NO_TORCH)
    assert work.janitor("run", "--yes").code == 0
    answer = work.janitor("undo", sweep)
    assert answer.code == 3
    assert "purged" in str(answer.said)
    assert meta(work, NAME)["chosen"] is False


def test_a_promotion_says_what_it_did(work: Small) -> None:
    said = work.said("promote", MODEL, "--name", "champion")
    assert said.startswith("promoted best_models/champion.pt")
    assert "Take it back: janitor undo" in said
    assert "is a milestone already" in work.said("promote", MODEL)
    assert "1 unit promoted" in work.said("history")
    assert "chosen no more best_models/champion.pt" in work.said("demote", "champion")
    assert "Taken back: best_models/champion.pt" in work.said("undo")
    assert sys.executable not in said


def test_a_plan_that_would_take_a_milestone_is_not_carried_out(work: Small) -> None:
    """None is ever made: if one were, the step itself would refuse."""
    promoted(work, MODEL, "--name", "champion")
    path = "best_models/champion.pt"
    seen = look(work.settings, time.time_ns() + 90 * DAY, also=[path])
    artifact = replace(seen.survey.catalogue.by_path[path], protections=())
    forged = replace(seen.plan, steps=(Step("trash", artifact, ("forged",)),))
    (outcome,) = work.run(replace(seen, plan=forged), by_person=True).outcomes
    assert outcome.outcome == "skipped"
    assert "never removed" in outcome.why
    assert work.there(path)
