"""What a training left behind: is it a model that may be published? (S14)

The file is looked at without torch: the zip around it with all its checksums, and the pickle in
it as opcodes. Whether torch itself loads it is asked of a process of its own: `weights`.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from artifact_janitor.observe import opcodes
from artifact_janitor.observe.modelfile import DAMAGED, LOCAL_HEADER, Bounded, members_fit, parsed
from artifact_janitor.observe.opcodes import Flawed
from artifact_janitor.regular import open_regular

KEYS: Final = ("format", "state_dict", "config", "scalers", "meta")
"""What a model that a trainer returns must hold."""
FORMAT: Final = "artifact-janitor/model/1"
RESULT_LIMIT = 1 << 20
"""Bytes of a ``result.json``."""
_DIRECTORY_LIMIT = 16 << 20
"""Bytes of a zip's directory: room for 150,000 tensors."""
_PIECE = 1 << 20
_END = struct.Struct("<4s4H2IH")
"""A zip's end record: its signature, counts, the size of the directory and where it begins, and
the length of a comment."""
_END_64 = struct.Struct("<4sQ2H2I4Q")
"""The same where torch writes it for files of any size, with its own place before the last."""
_LOCATOR = struct.Struct("<4sIQI")


@dataclass(frozen=True, slots=True)
class Model:
    """What a model file says of itself: the names at its top, and its format, or ""."""

    keys: frozenset[str]
    format: str


def read_model(path: Path, required: Collection[str] = KEYS, form: str = FORMAT) -> Model:
    """A model file that torch wrote and that is safe and whole, to its last byte.

    Raises Flawed, with one reason, for anything else: links, pipes, cut-off and damaged files,
    zips in disguise, pickles that name more than tensors, and where a `required` key or the
    format `form` is missing ("": any will do).
    """
    try:
        with Bounded(open_regular(path), _DIRECTORY_LIMIT) as file:
            if file.read(len(LOCAL_HEADER)) != LOCAL_HEADER:
                raise Flawed("it is not a file of torch.save, or one of torch before 1.6")
            built = opcodes.sketch(_pickle_of(file))
    except OSError as error:
        raise Flawed(f"it can't be read: {error.strerror or error}") from error
    if not isinstance(built, dict):
        raise Flawed("it holds no dict")
    found = Model(frozenset(opcodes.names(built)), _text(built.get("format")))
    if missing := [key for key in required if key not in found.keys]:
        raise Flawed(f"it lacks {', '.join(missing)}; a model holds {', '.join(KEYS)}")
    if form and found.format != form:
        raise Flawed(f'its format is {json.dumps(found.format)}, not "{form}"')
    return found


def _pickle_of(file: Bounded) -> bytes:
    """The pickle of torch's zip, once every byte of the file was read and compared."""
    try:
        with zipfile.ZipFile(file) as archive:
            member = _one_pickle(archive)
            if not _ends_with_directory(file):
                raise Flawed("something was appended to it that torch.save did not write")
            for each in archive.infolist():
                _compare(archive, each)
            with archive.open(member) as opened:
                return opened.read()
    except Flawed:
        raise
    except (*DAMAGED, struct.error) as error:
        raise Flawed("it is cut short or damaged") from error


def _one_pickle(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The layout that torch writes, and nothing that two readers could read in two ways."""
    members = archive.infolist()
    names = [each.filename for each in members]
    tops = {name.partition("/")[0] for name in names}
    pickles = [each for each in members if each.filename.partition("/")[2] == "data.pkl"]
    if len(pickles) != 1 or len(tops) != 1:
        raise Flawed("it is a zip, but torch.save did not write it")
    if any(name.partition("/")[2].startswith(("constants.pkl", "code/")) for name in names):
        raise Flawed("it is TorchScript, which is a program: save the state_dict")
    plain = all(each.compress_type == zipfile.ZIP_STORED for each in members)
    plain = plain and not any(each.flag_bits & 1 for each in members)
    if len({*names}) < len(names) or not plain or not members_fit(archive):
        raise Flawed("it is no zip as torch.save writes it")
    if pickles[0].file_size > _DIRECTORY_LIMIT:
        raise Flawed("its pickle is too large: tensors belong beside it")
    return pickles[0]


def _ends_with_directory(file: Bounded) -> bool:
    """Whether the directory is the last thing in the file, and nothing lies behind it."""
    end = os.fstat(file.fileno()).st_size - _END.size
    _, _, _, _, _, size, start, comment = _read(file, _END, end)
    mark, _, at, _ = _read(file, _LOCATOR, end - _LOCATOR.size)
    if mark == b"PK\x06\x07":
        end = end - _LOCATOR.size - _END_64.size
        *_, size, start = _read(file, _END_64, end)
        comment |= at != end
    return not comment and start + size == end


def _read(file: Bounded, form: struct.Struct, at: int) -> tuple[Any, ...]:
    file.seek(max(at, 0))
    return form.unpack(file.read(form.size))


def _compare(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Reading to the end compares the checksum."""
    with archive.open(member) as opened:
        while opened.read(_PIECE):
            pass


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# ------------------------------------------------------------ result.json


@dataclass(frozen=True, slots=True)
class Result:
    """What a trainer says of its training; `more` is all else that it wrote."""

    metric: float
    seed: int | None = None
    epochs: int | None = None
    data_sha256: str = ""
    git_commit: str = ""
    more: Mapping[str, object] = field(default_factory=dict)


def read_result(path: Path) -> Result:
    """The ``result.json`` of a training. Raises Flawed, with one reason."""
    try:
        with Bounded(open_regular(path), RESULT_LIMIT) as file:
            size = os.fstat(file.fileno()).st_size
            if size > RESULT_LIMIT:
                raise Flawed(f"result.json is larger than {RESULT_LIMIT >> 20} MiB")
            found = parsed(file.read(size))
    except Flawed:
        raise
    except OSError as error:
        raise Flawed(f"result.json can't be read: {error.strerror or error}") from error
    except ValueError as error:
        raise Flawed(f"result.json is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Flawed("result.json is no object")
    return _result(found)


def _result(found: dict[str, Any]) -> Result:
    """Only the metric is needed; the others are passed on where they make sense."""
    metric = found.pop("metric", None)
    if isinstance(metric, bool) or not isinstance(metric, int | float):
        raise Flawed("result.json holds no number under metric")
    try:
        value = float(metric)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise Flawed(f"the metric of the training is {value}")
    return Result(
        value,
        _whole(found.pop("seed", None)),
        _whole(found.pop("epochs", None)),
        _matching(r"[0-9a-f]{64}", found.pop("data_sha256", None)),
        _matching(r"[0-9a-f]{7,64}(-dirty)?", found.pop("git_commit", None)),
        found,
    )


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < 1 << 64 else None


def _matching(form: str, value: object) -> str:
    return value if isinstance(value, str) and re.fullmatch(form, value) else ""
