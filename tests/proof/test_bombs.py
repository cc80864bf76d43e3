"""The smallest inputs that once never ended, took all memory, or fell over a reader: each is read,
or refused with a word, within the limits of `bounded`."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest

from artifact_janitor.core.model import Artifact
from artifact_janitor.core.policy import Best
from artifact_janitor.errors import StepSkipped
from artifact_janitor.observe import (
    configs,
    hydra,
    metrics,
    modelfile,
    optuna_sweeps,
    references,
    study_copy,
    tree,
    wandb_log,
)
from artifact_janitor.observe.kinds import Unit
from tests.proof.bounded import ends, put
from tests.real import wandb_runs

MANY = 400_000

# ------------------------------------------------------------ texts that are read over and over


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".hydra/hydra.yaml", b"  runtime:\n" + b"    \n" * MANY),
        ("multirun.yaml", b"hydra:\n" + b"  \n" * MANY),
    ],
)
def test_lines_of_blanks_prove_no_run(name: str, content: bytes, tmp_path: Path) -> None:
    put(tmp_path / f"r/{name}", content)
    folder = tree.read(tmp_path, "r")
    ends(lambda: (hydra.is_run(folder, tmp_path), hydra.is_sweep(folder, tmp_path)))


def test_a_line_of_blanks_is_no_sweeper_s_storage(tmp_path: Path) -> None:
    line = b"  sweeper:\n    storage: a" + b" " * MANY + b"b\n    study_name: s\n"
    put(tmp_path / "s/0/.hydra/hydra.yaml", line)
    put(tmp_path / "s/optimization_results.yaml", b"best_value: 1.0\n")
    ends(lambda: optuna_sweeps.done(tmp_path, [""]))


@pytest.mark.parametrize("text", ['"' + '\\"' * MANY, '"' + "a/" * MANY + '"', "outputs/a/" * MANY])
def test_a_sidecar_that_goes_on_and_on_is_read_once(text: str) -> None:
    run = Artifact("outputs/a", "hydra-run", 0)
    index = references.Index(Path("/nowhere"), ["outputs"], [run], {})
    ends(lambda: index.named(text))


def test_a_quotation_that_is_left_open_still_names_a_run() -> None:
    """A file of which only the beginning is read ends in mid-word."""
    run = Artifact("outputs/é", "hydra-run", 0)
    index = references.Index(Path("/nowhere"), ["outputs"], [run], {})
    text = '{"a": "x", "b": "outputs/\\u00e9/model.pt, and \\"more'
    assert index.named("\n".join([text, *map(references._plain, _quoted(text))])) == {"outputs/é"}


def _quoted(text: str) -> list[str]:
    return references._STRINGS.findall(text)


def test_a_cell_of_digits_is_no_metric(tmp_path: Path) -> None:
    put(tmp_path / "r/metrics.csv", b"val_f1\n" + b"1" * 130_000 + b"x\n")
    unit = Unit("training-run", "r", tree.read(tmp_path, "r"))
    ends(lambda: metrics.value_of(unit, tmp_path, Best("val_f1", "max", 1, "ignore")))


# ------------------------------------------------------------ W&B's log


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    more = b""
    while number > 127:
        more, number = more + bytes([number & 127 | 128]), number >> 7
    return more + bytes([number])


def _log(*records: bytes) -> bytes:
    """As W&B writes it, in blocks of 32 KiB."""
    found = bytearray(wandb_log.MAGIC)
    for record in records:
        rest, begun = record, False
        while rest or not begun:
            room = 32768 - len(found) % 32768
            if room < 7:
                found += bytes(room)
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = {(0, 0): 1, (0, 1): 2, (1, 1): 3, (1, 0): 4}[begun, bool(rest)]
            payload = bytes([kind]) + part
            found += struct.pack("<IHB", zlib.crc32(payload), len(part), kind) + part
            begun = True
    return bytes(found)


def _config(keys: int, value: bytes) -> bytes:
    path = b"".join(_field(2, b"k%d" % keys) for _ in range(keys))
    return _field(5, _field(1, path + _field(16, value)))


@pytest.mark.parametrize(
    "records",
    [
        [_config(2000, b"1")],
        [_config(1, b"[" * 900 + b"]" * 900)],
        [_config(key, b"[" + b",".join([b"[" * 90 + b"]" * 90] * 150) + b"]") for key in range(99)],
    ],
    ids=["keys", "value", "indented"],
)
def test_a_configuration_that_is_nested_without_end_is_none(
    records: list[bytes], tmp_path: Path
) -> None:
    log = put(tmp_path / "w/run-a.wandb", _log(*records))
    assert wandb_log.ending(BytesIO(log.read_bytes())).damage == ""
    run = configs.Run("w", "wandb-run", "a")
    found = {run: [configs.Place("w/run-a.wandb", "config.json")]}
    ends(lambda: configs.read(tmp_path, found, lambda _: None, 0, whole=True))


@pytest.mark.parametrize("times", [0, 2])
@pytest.mark.parametrize("ahead", [0, 1000])
def test_a_block_that_is_missing_or_there_twice_is_damage(
    times: int, ahead: int, tmp_path: Path
) -> None:
    """Within a record of 70,000 equal bytes, which leaves all checksums right; and a record."""
    run = wandb_runs.place(wandb_runs.synced, tmp_path)
    content = next(run.glob("*.wandb")).read_bytes()
    at = content.index(b"x" * 1000) + ahead
    block = content[at : at + 32768]
    without = content[:at] + block * times + content[at + 32768 :]
    assert wandb_log.ending(BytesIO(content)) == wandb_log.Ending(0)
    assert wandb_log.ending(BytesIO(without)).damage != ""


@pytest.mark.parametrize("records", [[1, 3], [1, 2, 2], [2], [1, 2, 1]])
def test_records_that_are_not_in_their_order_are_damage(records: list[int]) -> None:
    log = _log(*(b"\x08" + _varint(number) for number in records))
    assert f"record {records[-1]} follows" in wandb_log.ending(BytesIO(log)).damage


def test_a_line_without_an_end_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    os.truncate(tmp_path / "a.log", 1 << 40)

    def ask() -> None:
        with pytest.raises(StepSkipped, match="too long"):
            study_copy.copy(tmp_path / "a.log", tmp_path / "b.log")

    ends(ask)


# ------------------------------------------------------------ models


def _directory(count: int) -> bytes:
    entry = struct.Struct("<4s6H3L5H2L")
    names = (b"%08d" % number for number in range(count))
    head = entry.pack(b"PK\1\2", 20, 20, *(0,) * 7, 8, *(0,) * 6)
    listed = b"".join(head + name for name in names)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(listed), 30, 0)
    return b"PK\3\4" + bytes(26) + listed + end


def _safetensors(count: int) -> bytes:
    header = b'{"a":[' + b"[]," * count + b"[]]}"
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pt", partial(_directory, 1_200_000)),
        ("a.safetensors", partial(_safetensors, 20_000_000)),
        ("a.json", partial(_safetensors, 20_000_000)),
    ],
)
def test_a_model_that_would_fill_the_memory_is_unknown(
    name: str, content: Callable[[], bytes], tmp_path: Path
) -> None:
    path = put(tmp_path / name, content())

    def ask() -> None:
        assert modelfile.is_whole(path) is None
        with suppress(OSError):
            modelfile.read_json(path)

    ends(ask)


def test_a_pickle_of_nothing_but_marks_in_its_memo_ends(tmp_path: Path) -> None:
    import zipfile

    path = put(tmp_path / "a.pt", b"")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x04N" + b"\x94" * (15 << 20) + b".")
    ends(lambda: [*modelfile.constants(path)])
