"""A trained model takes its place, once, with its proof, and can be taken back."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from artifact_janitor.apply import copies
from artifact_janitor.apply import ground as ground_module
from artifact_janitor.apply import publish as files
from artifact_janitor.core.model import Pin
from artifact_janitor.core.plan import PUBLISH
from artifact_janitor.errors import StepFailed
from artifact_janitor.journal.formats import FORMATS, WITH_PUBLICATIONS
from artifact_janitor.sweep import mend
from tests.real import models
from tests.real.disks import disk, needs_root, small_disk
from tests.real.models import FINAL
from tests.real.publications import (
    SIDECAR,
    TARGET,
    digest,
    holds,
    offer,
    one,
    published,
    trained,
)
from tests.real.small import FREE, PURGING, Small, small, still
from tests.real.snapshot import difference, snapshot


@pytest.fixture
def work(tmp_path: Path) -> Small:
    return small(tmp_path, FREE)


def leftovers(work: Small) -> list[str]:
    return [name for name in work.leftovers() if name != "jobs"]


def test_a_model_is_published_with_its_sidecar(work: Small) -> None:
    found = one(work, python=())
    assert (found.outcome, found.why) == ("published", "")
    assert holds(work, "plain")
    told = json.loads((work.root / SIDECAR).read_text())
    assert told["key"] == "k1"
    assert told["bytes"] == (work.root / TARGET).stat().st_size
    assert (told["study"], told["trial"], told["params"]) == ("eurusd_mlp", 4, {"lr": 0.1})
    assert told["published_at"].endswith("+00:00")
    assert leftovers(work) == []
    assert work.trash() == []
    assert (work.root / trained(work)).exists(), "the training keeps what it made"


def test_the_same_model_is_published_once(work: Small) -> None:
    assert one(work).outcome == "published"
    before = snapshot(work.root / "models")
    assert one(work).outcome == "same"
    assert one(work, key="k2").outcome == "same"
    assert difference(before, snapshot(work.root / "models")) == []
    os.unlink(work.root / SIDECAR)
    assert one(work).outcome == "published"
    assert holds(work, "plain")


def test_the_model_before_comes_back_by_undo(work: Small) -> None:
    one(work)
    work.write(f"{Path(TARGET).parent}/notes.txt")
    before = snapshot(work.root / "models")
    assert one(work, "other", "k2").outcome == "published"
    assert holds(work, "other")
    assert sorted(work.trash()) == [f"pub-2/{SIDECAR}", f"pub-2/{TARGET}"]
    answer = work.janitor("undo")
    assert answer.code == 0, answer
    assert difference(before, snapshot(work.root / "models")) == [], "the folder's mtime as well"
    assert sorted(work.trash()) == [f"undo-pub-2/{SIDECAR}", f"undo-pub-2/{TARGET}"]
    assert leftovers(work) == []


def test_a_folder_that_somebody_wrote_to_since_keeps_its_mtime(work: Small) -> None:
    one(work)
    assert one(work, "other", "k2").outcome == "published"
    notes = work.write(f"{Path(TARGET).parent}/notes.txt")
    written = time.time_ns()
    os.utime(notes.parent, ns=(written, written + 1))
    assert work.janitor("undo").code == 0
    assert notes.parent.stat().st_mtime_ns > written + 1, "as undo itself left it"


def test_an_undone_publication_stays_undone_until_a_person_asks(work: Small) -> None:
    one(work)
    assert work.janitor("undo").code == 0
    assert not work.there(TARGET)
    assert not work.there(SIDECAR)
    assert not work.there("models/hpo_derived/eurusd")
    found = one(work)
    assert found.outcome == "skipped"
    assert "janitor retrain" in found.why
    assert not work.there(TARGET)
    assert one(work, "other", "k2").outcome == "published", "another trial is another thing"
    assert work.janitor("undo", "pub-2").code == 0
    assert one(work, by_person=True).outcome == "published"
    assert one(work, key="k1").outcome == "same"


def test_undo_by_the_number_of_either_step_is_the_same(work: Small) -> None:
    for number in ("pub-2.1", "pub-2.2"):
        shutil.rmtree(work.root / ".janitor", ignore_errors=True)
        shutil.rmtree(work.root / "models", ignore_errors=True)
        one(work)
        one(work, "other", "k2")
        assert work.janitor("undo", number).code == 0
        assert holds(work, "plain")
        assert work.janitor("undo", number).code == 0, "once more changes nothing"
        assert holds(work, "plain")


def test_what_was_published_later_is_undone_first(work: Small) -> None:
    one(work)
    one(work, "other", "k2")
    answer = work.janitor("undo", "pub")
    assert answer.code == 3
    assert "another model is at" in str(answer.said)
    assert holds(work, "other")
    assert work.janitor("undo", "--last", "2").code == 0
    assert not work.there(TARGET)


def test_a_purged_predecessor_can_not_come_back(work: Small) -> None:
    one(work)
    one(work, "other", "k2")
    work.configure(PURGING)
    assert work.janitor("run", "--yes").code == 0
    assert work.trash() == []
    assert holds(work, "other")
    answer = work.janitor("undo", "pub-2")
    assert answer.code == 3
    assert "purged" in str(answer.said)
    assert holds(work, "other")


def test_what_undo_took_can_be_purged(work: Small) -> None:
    one(work)
    one(work, "other", "k2")
    assert work.janitor("undo").code == 0
    work.configure(PURGING)
    assert work.janitor("run", "--yes").code == 0
    assert work.trash() == []
    assert holds(work, "plain")


def test_history_tells_of_it(work: Small) -> None:
    one(work)
    one(work, "trap", "k3")
    assert "Taken back: " + TARGET in work.said("undo", "pub")
    assert "1 unit published, and taken back" in work.said("history")
    said = work.said("history", "pub")
    assert "publish undone" in " ".join(said.split())
    assert "REJECTED: it names" in work.said("history", "pub-2")


# ------------------------------------------------------------ what is refused


@pytest.mark.parametrize("name", ["trap", "missing", "numpy"])
def test_what_is_rejected_leaves_the_model_that_is_there(work: Small, name: str) -> None:
    one(work)
    before = snapshot(work.root / "models")
    found = one(work, name, "k2")
    assert found.outcome == "rejected"
    assert models.BAD[name] in found.why
    assert difference(before, snapshot(work.root / "models")) == []
    assert leftovers(work) == []
    assert not (models.built() / "sprung").exists()


def test_torch_has_the_last_word(work: Small, tmp_path: Path) -> None:
    """A tensor beyond the end of its storage: each opcode is fine, and torch refuses it."""
    source = work.root / trained(work)
    content = source.read_bytes()
    shape = b"K\x08K\x04\x86"  # the first layer's, 8 × 4
    assert content.count(shape) == 1
    patched = content.replace(shape, b"K\x09K\x04\x86")
    rezip(source, patched)
    found = published(work, [offer(str(source.relative_to(work.root)), python=())])[0]
    assert found.outcome == "rejected"
    assert "torch does not load it" in found.why
    assert not work.there(TARGET)


def rezip(path: Path, content: bytes) -> None:
    """The same members with checksums of their own, which torch.save would have made."""
    import io
    import zipfile
    import zlib

    fixed = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if member.filename.endswith("data.pkl"):
                at = member.header_offset + 30
                at += sum(
                    int.from_bytes(content[member.header_offset + n :][:2], "little")
                    for n in (26, 28)
                )
                crc = zlib.crc32(content[at : at + member.file_size]).to_bytes(4, "little")
                old = member.CRC.to_bytes(4, "little")
                assert content.count(old) >= 1
                fixed = bytearray(bytes(fixed).replace(old, crc))
    path.write_bytes(fixed)


@pytest.mark.parametrize(
    "target",
    [
        f"models/../{FINAL}",
        f"models/hpo_derived/../../{FINAL}",
        FINAL,
        f"outputs/x/{FINAL}",
        f"/tmp/{FINAL}",
        f"models/.janitor/{FINAL}",
        f"models/{FINAL}",
        "models/hpo_derived/x/model.pt",
        f"models/hpo_derived//{FINAL}",
    ],
)
def test_models_go_to_the_models_folder_and_nowhere_else(work: Small, target: str) -> None:
    found = one(work, target=target)
    assert found.outcome == "skipped"
    assert "no place for a model" in found.why
    assert not list(work.root.glob("**/final_model_mlp.json"))
    assert not Path("/tmp", FINAL).exists()


def test_no_symlink_is_followed(work: Small, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (work.root / "models").mkdir()
    (work.root / "models" / "hpo_derived").symlink_to(elsewhere)
    assert "symlink" in one(work).why
    (work.root / "models" / "hpo_derived").unlink()
    (work.root / TARGET).parent.mkdir(parents=True)
    (work.root / TARGET).symlink_to(elsewhere / "model.pth")
    assert "is a symlink" in one(work).why
    (work.root / TARGET).unlink()
    (work.root / SIDECAR).symlink_to(elsewhere / "sidecar.json")
    assert "is a symlink" in one(work).why
    assert not any(elsewhere.iterdir())
    assert (work.root / SIDECAR).is_symlink()
    assert not work.there(TARGET)


def test_the_source_is_a_regular_file_of_its_own(work: Small, tmp_path: Path) -> None:
    source = work.root / trained(work)
    source.rename(source.with_name("real.pth"))
    source.symlink_to("real.pth")
    assert "can't be read" in published(work, [offer(f".janitor/jobs/0/out/{FINAL}")])[0].why
    source.unlink()
    os.mkfifo(source)
    assert "can't be read" in published(work, [offer(f".janitor/jobs/0/out/{FINAL}")])[0].why
    assert "can't be read" in published(work, [offer(source)])[0].why
    outside = Path(shutil.copy(models.built() / "plain" / FINAL, tmp_path))
    assert published(work, [offer(outside)])[0].outcome == "published"


def test_a_folder_in_its_place_stays(work: Small) -> None:
    work.write(f"{TARGET}/file")
    assert "no regular file" in one(work).why
    assert work.there(f"{TARGET}/file")


def test_a_pinned_model_stays_and_a_new_one_is_no_danger_to_it(work: Small) -> None:
    one(work)
    work.janitor("pin", TARGET)
    assert "janitor unpin" in one(work, "other", "k2").why
    assert holds(work, "plain")
    work.janitor("unpin", TARGET)
    work.janitor("pin", "models")
    assert "janitor unpin models" in one(work, "other", "k2").why
    target = TARGET.replace("eurusd", "gbpusd")
    assert one(work, "other", "k2", target=target).outcome == "published"


def test_the_pin_of_an_undo_gives_way(work: Small) -> None:
    one(work)
    one(work, "other", "k2")
    assert work.janitor("undo").code == 0
    assert [pin.path for pin in work.journal().pins()] == [TARGET]
    assert one(work, "scaled", "k3").outcome == "published"
    assert work.journal().pins() == ()
    work.journal().pin(Pin(TARGET, "mine"))
    assert one(work, "rich", "k4").outcome == "skipped"


def test_a_model_that_is_being_written_to_stays(work: Small) -> None:
    one(work)
    with (work.root / TARGET).open("ab"):
        assert "open for writing" in one(work, "other", "k2").why
    assert holds(work, "plain")
    with (work.root / TARGET).open("rb") as reader:
        assert one(work, "other", "k2").outcome == "published"
        assert reader.read() == (models.built() / "plain" / FINAL).read_bytes()


def test_a_users_own_model_goes_to_the_trash_and_comes_back(work: Small) -> None:
    work.write(TARGET, b"mine", days=40)
    before = snapshot(work.root / "models")
    assert one(work).outcome == "published"
    assert (work.root / ".janitor/trash/pub" / TARGET).read_bytes() == b"mine"
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root / "models"))) == []


def test_there_must_be_room(work: Small) -> None:
    found = one(work, spare=1 << 62)
    assert found.outcome == "skipped"
    assert "stay free" in found.why
    assert not work.there("models/hpo_derived")
    assert leftovers(work) == []


def test_a_source_that_is_written_to_meanwhile_waits(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, copied = trained(work), copies._copied

    def slow(*args: int) -> str:
        with (work.root / source).open("ab") as file:
            file.write(b"more")
        return copied(*args)

    monkeypatch.setattr(copies, "_copied", slow)
    found = published(work, [offer(source)])[0]
    assert (found.outcome, found.why) == ("skipped", "it was written to while it was copied")
    assert not work.there("models/hpo_derived")


def test_a_disk_that_does_not_keep_what_it_was_given_is_noticed(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(fd: int) -> None:
        os.pwrite(fd, b"rot", 300)

    monkeypatch.setattr(copies, "to_disk", bad)
    found = one(work)
    assert found.outcome == "failed"
    assert "bad disk" in found.why
    assert not work.there("models/hpo_derived")


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS])
def test_a_filesystem_that_can_not_exchange_renames_twice(
    work: Small, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    real = ground_module._renameat2

    def without(source: tuple[int, str], target: tuple[int, str], flags: int) -> int:
        return code if flags == 2 else real(source, target, flags)

    monkeypatch.setattr(ground_module, "_renameat2", without)
    one(work)
    before = snapshot(work.root / "models")
    assert one(work, "other", "k2").outcome == "published"
    assert holds(work, "other")
    assert work.janitor("undo").code == 0
    assert difference(still(before), still(snapshot(work.root / "models"))) == []


def test_what_takes_a_place_in_mid_step_is_left_alone(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody saves over the model between our look and the exchange."""
    one(work)
    real = files._exchange

    def late(ground: object, fresh: object, old: object) -> bool:
        if fresh.target == TARGET:  # type: ignore[attr-defined]
            os.replace(work.write("mine.pth", b"mine"), work.root / TARGET)
        return real(ground, fresh, old)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "_exchange", late)
    found = one(work, "other", "k2")
    assert found.outcome == "skipped"
    assert "replaced by something else" in found.why
    assert (work.root / TARGET).read_bytes() == b"mine"
    told = json.loads((work.root / SIDECAR).read_text())
    assert told["sha256"] == digest(models.built() / "plain" / FINAL), "the old sidecar is back"


@pytest.mark.parametrize("name", [TARGET, SIDECAR])
def test_what_can_not_reach_the_trash_returns(
    work: Small, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The rename into the trash fails after the exchange: nothing is removed."""
    one(work)
    before, real = snapshot(work.root / "models"), files._to_trash

    def fails(ground: object, change: files.Change) -> None:
        if change.name == name:
            raise StepFailed("the disk says no")
        real(ground, change)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "_to_trash", fails)
    found = one(work, "other", "k2")
    assert (found.outcome, found.why) == ("failed", "the disk says no")
    assert difference(still(before), still(snapshot(work.root / "models"))) == []
    assert leftovers(work) == []
    monkeypatch.setattr(files, "_to_trash", real)
    assert one(work, "other", "k2").outcome == "published"


@pytest.mark.parametrize("key", ["k1", "k2"])
def test_ctrl_c_between_the_renames_loses_nothing(
    work: Small, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """A first publication, and one that replaces: what was begun is finished by the next."""
    if key == "k2":
        one(work)
    real = files._come

    def interrupted(ground: object, change: files.Change) -> None:
        real(ground, change)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_come", interrupted)
    with pytest.raises(KeyboardInterrupt):
        one(work, "other", key)
    monkeypatch.setattr(files, "_come", real)
    mend(work.settings)
    assert holds(work, "other")
    assert leftovers(work) == []
    assert work.janitor("undo").code == 0
    assert holds(work, "plain") if key == "k2" else not work.there(TARGET)


def test_a_model_that_is_stranded_among_the_copies_is_never_removed(
    work: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the trash nor its old place can be had: it stays where it is."""
    one(work)

    def fails(*_: object) -> None:
        raise StepFailed("the disk says no")

    with monkeypatch.context() as broken:
        broken.setattr(files, "_to_trash", fails)
        broken.setattr(files, "_back", fails)
        assert one(work, "other", "k2").outcome == "failed"
    mend(work.settings)
    plain = digest(models.built() / "plain" / FINAL)
    every = [path for path in work.root.glob(".janitor/**/*.pth") if "jobs" not in path.parts]
    assert plain in [digest(path) for path in every]


def test_a_model_that_gives_way_counts_for_no_guard(work: Small) -> None:
    one(work)
    one(work, "other", "k2")
    assert work.journal().recent(0) == {}


def test_a_journal_of_an_older_format_is_brought_up_to_date(work: Small) -> None:
    one(work)
    path = work.root / ".janitor/journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        before = WITH_PUBLICATIONS - 1
        for table in re.findall(r"CREATE TABLE (\w+)", "".join(FORMATS[before:])):
            db.execute(f"DROP TABLE {table}")
        db.execute(f"PRAGMA user_version = {before}")
    assert work.janitor("history").code == 0
    assert one(work, "other", "k2").outcome == "published"
    assert [step.do for step in work.journal().steps("pub-2")] == ["trash", PUBLISH]


# ------------------------------------------------------------ disks


@needs_root
def test_a_copy_shares_its_blocks_where_the_filesystem_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloned, seen = copies._cloned, []

    def told(source: int, target: int) -> bool:
        seen.append(cloned(source, target))
        return seen[-1]

    monkeypatch.setattr(copies, "_cloned", told)
    with disk("xfs", tmp_path / "xfs") as place:
        work = small(place, FREE)
        assert one(work, spare=1 << 62).outcome == "published", "it takes no room"
        assert one(work, "other", "k2").outcome == "published"
        assert seen == [True, True]
        assert holds(work, "other")
        source = work.root / f".janitor/jobs/0/out/{FINAL}"
        source.write_bytes(b"overwritten")
        assert holds(work, "other")
        assert work.janitor("undo").code == 0
        assert holds(work, "plain")


@needs_root
def test_models_may_lie_on_a_disk_of_their_own(tmp_path: Path) -> None:
    with disk("ext4", tmp_path / "models", 64):
        work = small(tmp_path, FREE)
        assert one(work).outcome == "published"
        assert one(work, "other", "k2").outcome == "published"
        assert work.there(f"models/.janitor/trash/pub-2/{TARGET}")
        assert work.janitor("undo").code == 0
        assert holds(work, "plain")
        assert not work.there("models/.janitor/publishing")


@needs_root
def test_a_full_disk_leaves_the_model_that_is_there(tmp_path: Path) -> None:
    with small_disk(tmp_path / "models", "size=96k"):
        work = small(tmp_path, FREE)
        assert one(work).outcome == "published"
        free = shutil.disk_usage(work.root / "models").free
        (work.root / "models/full").write_bytes(bytes(free))
        found = one(work, "other", "k2")
        assert found.outcome == "failed"
        assert holds(work, "plain")
        (work.root / "models/full").unlink()
        assert one(work, "other", "k2").outcome == "published"
