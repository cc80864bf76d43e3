"""One model file: whole, damaged, or unknown; and nothing in it is ever run."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifact_janitor.observe import modelfile
from tests.real import training


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real files of every format, and one that makes ``sprung/`` when it is unpickled."""
    base = tmp_path_factory.mktemp("files")
    names = ["best_model.pt", "step_9.safetensors"]
    training.together(
        [
            ("torch", base, {"names": names}),
            ("legacy", base / "model_epoch_1.pt", {}),
            ("trap", base / "best_trap.pt", {"springs": str(base / "sprung")}),
        ]
    )
    return base


def test_a_save_that_was_killed_is_damaged(tmp_path: Path) -> None:
    training.killed_save(tmp_path / "model_epoch_1.pt")
    assert modelfile.is_whole(tmp_path / "model_epoch_1.pt") is False


@pytest.mark.parametrize("name", ["best_model.pt", "step_9.safetensors"])
def test_a_model_cut_off_anywhere_is_damaged(built: Path, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(built / name, tmp_path))
    assert modelfile.is_whole(path) is True
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        assert modelfile.is_whole(path) is False, length


def test_a_longer_safetensors_file_is_damaged(built: Path, tmp_path: Path) -> None:
    path = tmp_path / "step_9.safetensors"
    path.write_bytes((built / path.name).read_bytes() + b"\0")
    assert modelfile.is_whole(path) is False


def test_zeros_after_a_crash_are_damage(tmp_path: Path) -> None:
    (tmp_path / "best.pt").write_bytes(bytes(4096))
    assert modelfile.is_whole(tmp_path / "best.pt") is False


def test_formats_without_an_end_are_unknown(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "best.pt", "w") as archive:
        archive.writestr("arrays.npy", b"not torch")
    (tmp_path / "last.pt").write_bytes(b"something else")
    assert modelfile.is_whole(built / "model_epoch_1.pt") is None
    assert modelfile.is_whole(tmp_path / "best.pt") is None
    assert modelfile.is_whole(tmp_path / "last.pt") is None


def test_a_damaged_pickle_is_damage(built: Path, tmp_path: Path) -> None:
    """The pickle is small, so that its CRC is checked; the tensors' are not."""
    content = bytearray((built / "best_model.pt").read_bytes())
    content[content.index(b"state_dict") + 3] ^= 1
    (tmp_path / "best.pt").write_bytes(content)
    assert modelfile.is_whole(tmp_path / "best.pt") is False


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (20, (1 << 30).to_bytes(4, "little") * 2),  # a size beyond the file's end
        (42, (1 << 30).to_bytes(4, "little")),  # a start beyond the file's end
        (46, b"\xff"),  # a name in no encoding
        (6, b"\xff"),  # made by a zip of the far future
    ],
)
def test_a_directory_that_lies_is_damage(
    built: Path, tmp_path: Path, where: int, what: bytes
) -> None:
    """In the record of the last member, which is not the pickle."""
    content = bytearray((built / "best_model.pt").read_bytes())
    record = content.rindex(b"PK\x01\x02") + where
    content[record : record + len(what)] = what
    (tmp_path / "best.pt").write_bytes(content)
    assert modelfile.is_whole(tmp_path / "best.pt") is False
    assert [*modelfile.constants(tmp_path / "best.pt")][:1] in ([], [modelfile.OPAQUE])


@pytest.mark.parametrize(
    "header",
    [
        *["", "{", "[]", '{"w": 1}', '{"w": {}}', '{"w": {"data_offsets": [0]}}', '{"w": []}'],
        *['{"w": {"data_offsets": [0, "8"]}}', "[" * 100_000, "1" * 5000],
    ],
    ids=lambda header: header[:40] or "empty",
)
def test_a_safetensors_header_that_makes_no_sense_is_damage(tmp_path: Path, header: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(8))
    assert modelfile.is_whole(path) is False


def test_nothing_is_unpickled(built: Path) -> None:
    trap, sprung = built / "best_trap.pt", built / "sprung"
    assert modelfile.is_whole(trap) is True
    assert "best_model_path" in [*modelfile.constants(trap)]
    assert not sprung.exists()
    with zipfile.ZipFile(trap) as archive:
        pickle.loads(archive.read("best_trap/data.pkl"))
    assert sprung.exists(), "the trap itself does not work"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_never_raises(built: Path, tmp_path: Path, data: st.DataObject) -> None:
    sources = ["best_model.pt", "step_9.safetensors"]
    source = built / data.draw(st.sampled_from(sources))
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        last = len(content) - 1
        where = data.draw(st.one_of(st.integers(0, last), st.integers(last * 2 // 3, last)))
        content[where : where + 1] = data.draw(st.binary(max_size=9))
    path = tmp_path / source.name
    path.write_bytes(content)
    assert modelfile.is_whole(path) in (True, False, None)
    assert len([*modelfile.constants(path)]) <= len(content)
