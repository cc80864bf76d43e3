"""Is what a training left behind a model to be published? Nothing in it is ever run (S14)."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifact_janitor.observe import opcodes, trained, weights
from artifact_janitor.observe.opcodes import Flawed
from tests.real import models
from tests.real.models import FINAL


@pytest.fixture(scope="module")
def built() -> Path:
    return models.built()


def why(path: Path, **how: object) -> str:
    """The reason against a file; "" where there is none."""
    try:
        trained.read_model(path, **how)  # type: ignore[arg-type]
    except Flawed as flaw:
        return str(flaw)
    return ""


@pytest.mark.parametrize("name", models.GOOD)
def test_what_torch_loads_with_weights_only_passes(built: Path, name: str) -> None:
    assert why(built / name / FINAL) == ""
    assert trained.read_model(built / name / FINAL).format == trained.FORMAT


@pytest.mark.parametrize("name", models.BAD)
def test_what_is_no_published_format_is_refused_with_a_reason(built: Path, name: str) -> None:
    assert models.BAD[name] in why(built / name / FINAL)
    assert not (built / "sprung").exists()


def test_the_trap_is_a_real_one(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(built / "trap" / FINAL) as archive:
        pickled = archive.read("final_model_mlp/data.pkl")
    assert b"posix" in pickled
    sprung = tmp_path / "sprung"
    pickle.loads(f"cposix\nsystem\n(Vtouch {sprung}\ntR.".encode())
    assert sprung.exists()


def test_torch_is_asked_in_a_process_of_its_own(built: Path) -> None:
    """It agrees with what the opcodes say; one good file, one trap, one without a key."""
    was_there = "torch" in sys.modules  # another test may have brought it
    assert weights.objection(str(built / "rich" / FINAL), trained.KEYS) == ""
    said = weights.objection(str(built / "trap" / FINAL), trained.KEYS)
    assert said is not None
    assert "weights_only=True" in said
    assert weights.objection(str(built / "missing" / FINAL), trained.KEYS) == (
        "it lacks config, scalers"
    )
    assert not (built / "sprung").exists()
    assert ("torch" in sys.modules) == was_there


def test_where_nobody_can_ask_torch_nothing_is_learnt(built: Path, tmp_path: Path) -> None:
    path = str(built / "plain" / FINAL)
    assert weights.objection(path, (), [str(tmp_path / "no-python")]) is None
    (tmp_path / "torch.py").write_text("raise ImportError('none here')\n")
    assert weights.objection(path, (), ["env", f"PYTHONPATH={tmp_path}", sys.executable]) is None


def test_a_worker_that_falls_over_is_an_objection(built: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import os\nos.abort()\n")
    python = ["env", f"PYTHONPATH={tmp_path}", sys.executable]
    assert weights.objection(str(built / "plain" / FINAL), (), python) == "torch fell over it"


def test_the_environment_can_not_talk_torch_into_trust(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    assert weights.objection(str(built / "trap" / FINAL), ()) != ""
    assert not (built / "sprung").exists()


# ------------------------------------------------------------ files


def test_what_is_no_regular_file_is_refused(built: Path, tmp_path: Path) -> None:
    (tmp_path / "link.pth").symlink_to(built / "plain" / FINAL)
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "folder.pth").mkdir()
    for name in ("link", "pipe", "folder", "nothing"):
        assert "can't be read" in why(tmp_path / f"{name}.pth")


def test_a_model_cut_off_anywhere_is_refused(built: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(built / "plain" / FINAL, tmp_path))
    size = path.stat().st_size
    for length in [*range(size - 1, size - 300, -1), *range(0, size - 300, 97)]:
        os.truncate(path, length)
        assert why(path), length


@pytest.mark.parametrize("more", [b"\0", b"#!/bin/sh\nrm -rf ~\n", b"x" * 70_000])
def test_what_was_appended_to_a_model_is_refused(built: Path, tmp_path: Path, more: bytes) -> None:
    """Also where the end of the zip is there twice, or counts what follows as its comment."""
    path, whole = tmp_path / FINAL, (built / "plain" / FINAL).read_bytes()
    comment = whole[:-2] + len(more).to_bytes(4, "little")[:2] + more
    for content in (whole + more, whole + more + whole[-98:], whole + more + whole[-22:], comment):
        path.write_bytes(content)
        assert why(path), len(content)
    for name in ("plain", "rich"):
        assert why(Path(shutil.copy(built / name / FINAL, tmp_path))) == ""


def test_a_model_as_a_smaller_zip_writes_it_passes(built: Path, tmp_path: Path) -> None:
    """Without the records for large files, which torch writes, and another program need not."""
    source = zipfile.ZipFile(built / "plain" / FINAL)
    with source, zipfile.ZipFile(tmp_path / FINAL, "w") as target:
        for each in source.infolist():
            target.writestr(each.filename, source.read(each))
    assert (tmp_path / FINAL).read_bytes()[-42:-38] != b"PK\x06\x07"
    assert why(tmp_path / FINAL) == ""
    (tmp_path / FINAL).write_bytes((tmp_path / FINAL).read_bytes() + b"\0" * 22)
    assert why(tmp_path / FINAL)


def test_a_flipped_bit_in_a_tensor_is_refused(built: Path, tmp_path: Path) -> None:
    content = bytearray((built / "plain" / FINAL).read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        tensor = archive.getinfo("final_model_mlp/data/0")
    content[tensor.header_offset + 200] ^= 1
    (tmp_path / FINAL).write_bytes(content)
    assert why(tmp_path / FINAL) == "it is cut short or damaged"


def rezipped(source: Path, target: Path, **changes: object) -> Path:
    """The same members in a zip that torch did not write."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            name = member.filename
            new.writestr(name, old.read(member), changes.get("method", zipfile.ZIP_STORED))
            if changes.get("twice") and name.endswith("data.pkl"):
                with pytest.warns(UserWarning, match="Duplicate"):
                    new.writestr(name, old.read(member))
        for name in changes.get("more", ()):  # type: ignore[attr-defined]
            new.writestr(name, old.read("final_model_mlp/data.pkl"))
    return target


def test_a_zip_that_two_readers_could_read_in_two_ways_is_refused(
    built: Path, tmp_path: Path
) -> None:
    source, target = built / "plain" / FINAL, tmp_path / FINAL
    assert why(rezipped(source, target)) == ""
    assert "no zip as torch" in why(rezipped(source, target, method=zipfile.ZIP_DEFLATED))
    assert "did not write" in why(rezipped(source, target, twice=True))
    assert "did not write" in why(rezipped(source, target, more=["evil/data.pkl"]))
    with pytest.warns(UserWarning, match="Duplicate"):
        rezipped(source, target, more=["final_model_mlp/data/0"])
    assert "no zip as torch" in why(target)
    assert "TorchScript" in why(rezipped(source, target, more=["final_model_mlp/code/a.py"]))
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("final_model_mlp/inner.zip", source.read_bytes())
    assert "did not write" in why(target)


def test_a_member_inside_another_one_is_refused(built: Path, tmp_path: Path) -> None:
    """One reader sees it by the directory, and another one only what is around it."""
    target, inside = rezipped(built / "plain" / FINAL, tmp_path / FINAL), io.BytesIO()
    with zipfile.ZipFile(inside, "w") as inner:
        inner.writestr("final_model_mlp/hidden", b"another tensor")
        (hidden,) = inner.infolist()
        start = inner.start_dir
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("final_model_mlp/around", inside.getvalue()[:start])
        outer = archive.getinfo("final_model_mlp/around")
        hidden.header_offset = archive.start_dir - start
        assert hidden.header_offset > outer.header_offset
        archive.filelist.append(hidden)
    assert "no zip as torch" in why(target)


def test_a_bomb_is_refused_before_it_goes_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / FINAL
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", bytes(300 << 20))
    assert "no zip as torch" in why(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", bytes(17 << 20))
    assert "its pickle is too large" in why(path)
    monkeypatch.setattr(opcodes, "MOST", 10_000)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02" + b"]" * 10_001 + b".")
    assert "too many parts" in why(path)


# ------------------------------------------------------------ pickles


@pytest.mark.parametrize(
    ("pickled", "said"),
    [
        (b"\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R.", "os.system"),
        (b"\x80\x02cbuiltins\neval\nX\x01\0\0\x001\x85R.", "builtins.eval"),
        (b"\x80\x02ctorch\nload\nX\x01\0\0\x001\x85R.", "torch.load"),
        (b"\x80\x02ctorch.storage\n_load_from_bytes\n.", "_load_from_bytes"),
        (b"\x80\x02(ios\nsystem\n.", "INST"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "SHORT_BINUNICODE"),
        (b"\x80\x02X\x02\0\0\0os)R.", "calls what it does not name"),
        (b"\x80\x02}2.", "DUP"),
        (b"\x80\x02R.", "damaged"),
        (b"\x80\x02}", "damaged"),
        (b"\x80\x02h\x07.", "damaged"),
        (b"\x80\x02}X\x01\0\0\0as.", "damaged"),
        (b"", "damaged"),
        (b"nonsense", "its pickle"),
    ],
)
def test_a_pickle_that_torch_would_not_load_is_refused(pickled: bytes, said: str) -> None:
    with pytest.raises(Flawed, match=said):
        opcodes.sketch(pickled)


Plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)


@given(Plain)
def test_a_sketch_of_plain_values_is_what_pickle_would_build(value: object) -> None:
    assert opcodes.sketch(pickle.dumps(value, protocol=2)) == value


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_refused_or_harmless_and_never_raises(
    built: Path, tmp_path: Path, data: st.DataObject
) -> None:
    with zipfile.ZipFile(built / "trained" / FINAL) as archive:
        content = bytearray(archive.read("final_model_mlp/data.pkl"))
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(content) - 1))
        content[where : where + 1] = data.draw(st.binary(max_size=5))
    try:
        opcodes.sketch(bytes(content))
    except Flawed as flaw:
        assert len(str(flaw)) < 300  # noqa: PT017


# ------------------------------------------------------------ result.json


def test_a_result_is_read(tmp_path: Path) -> None:
    found = trained.read_result(models.result(tmp_path, 0.5, git_commit="abc1234", extra=[1]))
    assert (found.metric, found.seed, found.epochs) == (0.5, 7, 3)
    assert (found.data_sha256, found.git_commit) == ("a" * 64, "abc1234")
    assert found.more == {"extra": [1]}


def test_what_makes_no_sense_beside_the_metric_is_left_aside(tmp_path: Path) -> None:
    odd = {"seed": True, "epochs": "many", "data_sha256": 5, "git_commit": "unknown"}
    found = trained.read_result(models.result(tmp_path, 1, **odd))
    assert found == trained.Result(1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[1]", "no object"),
        ("{}", "no number"),
        ('{"metric": "0.5"}', "no number"),
        ('{"metric": true}', "no number"),
        ('{"metric": NaN}', "is nan"),
        ('{"metric": -Infinity}', "is -inf"),
        ('{"metric": 1e999}', "is inf"),
        ('{"metric": ' + "9" * 400 + "}", "is inf"),
        ("[" * 100_000, "no JSON"),
        ('{"metric": 1, "more": "' + "x" * (1 << 20) + '"}', "larger"),
    ],
)
def test_a_result_that_says_nothing_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(Flawed, match=said):
        trained.read_result(path)


def test_a_result_is_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "real").write_text(json.dumps({"metric": 1}))
    (tmp_path / "link").symlink_to("real")
    for name in ("pipe", "link", "missing"):
        with pytest.raises(Flawed, match="can't be read"):
            trained.read_result(tmp_path / name)
