"""The W&B reader against runs that the real client made (tests/real/wandb_runs.py)."""

from __future__ import annotations

import io
import os
import random
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wandb.proto.wandb_internal_pb2 import Record

from artifact_janitor.core.model import Evidence
from artifact_janitor.observe import tree, wandb, wandb_log, wandb_uploads
from tests.real import wandb_runs
from tests.real.wandb_stub import WandbStub

State = Callable[[Path], Path]

UPLOADED: dict[State, str] = {
    wandb_runs.synced: "after its last write",
    wandb_runs.online: "exit 0, all files 200 OK",
    wandb_runs.online_saved: "exit 0, all files 200 OK",
    wandb_runs.online_refused_then_synced: "after its last write",
}
UNSYNCED: dict[State, str] = {
    wandb_runs.offline: "never uploaded",
    wandb_runs.failed: "never uploaded",
    wandb_runs.sync_refused: "upload was refused: 403",
    wandb_runs.synced_in_mid_run: "uploaded only in part: synced before its last write",
    wandb_runs.grew_while_syncing: "read before the run had ended",
    wandb_runs.killed: "no exit record: killed or still running",
    wandb_runs.killed_and_synced: "no exit record",
    wandb_runs.online_refused: "upload was refused: 403",
    wandb_runs.online_ignored: "uploaded only in part: 5 of its 6 files",
    wandb_runs.online_own: "uploaded only in part: 5 of its 6 files",
    wandb_runs.online_killed: "no exit record",
    wandb_runs.online_hung: "uploaded only in part: it was cut off",
}


def look(run: Path) -> tuple[tree.Folder, Path]:
    """What the observer hands to the reader, for a run in BASE/wandb."""
    base = run.parent.parent
    return tree.read(base, "wandb").folders[run.name], base


def evidence(run: Path) -> Evidence:
    return wandb.upload(*look(run))


def log_of(run: Path) -> Path:
    return next(run.glob("run-*.wandb"))


def marker_of(run: Path) -> Path:
    return Path(f"{log_of(run)}.synced")


def own_log(run: Path) -> Path:
    return run / "logs" / "debug-internal.log"


def sync_log(run: Path) -> Path:
    (log,) = run.parent.glob("logs/debug-sync.*.log")
    return log


# ---------------------------------------------------------------- every state


@pytest.mark.parametrize("days", [0, 40])
@pytest.mark.parametrize("state", UPLOADED, ids=lambda state: state.__name__)
def test_what_arrived_is_uploaded(state: State, days: int, tmp_path: Path) -> None:
    run = wandb_runs.place(state, tmp_path)
    wandb_runs.backdate(tmp_path, days)
    found = evidence(run)
    assert (found.fact, found.hint) == ("uploaded", "")
    assert UPLOADED[state] in found.why


@pytest.mark.parametrize("days", [0, 40])
@pytest.mark.parametrize("state", UNSYNCED, ids=lambda state: state.__name__)
def test_what_did_not_arrive_is_unsynced(state: State, days: int, tmp_path: Path) -> None:
    run = wandb_runs.place(state, tmp_path)
    wandb_runs.backdate(tmp_path, days)
    found = evidence(run)
    assert found.fact == "unsynced"
    assert UNSYNCED[state] in found.why
    assert shlex.split(found.hint)[:2] == ["wandb", "sync"]
    assert shlex.split(found.hint)[-1] == f"wandb/{run.name}"


def test_the_marker_is_written_even_when_the_tail_is_missing(tmp_path: Path) -> None:
    """Why the marker and the clock are not enough: the states really are what they say."""
    refused = wandb_runs.place(wandb_runs.sync_refused, tmp_path / "refused")
    grew = wandb_runs.place(wandb_runs.grew_while_syncing, tmp_path / "grew")
    stale = wandb_runs.place(wandb_runs.synced_in_mid_run, tmp_path / "stale")
    assert _marker_is_newer(refused)
    assert _marker_is_newer(grew)
    assert marker_of(stale).exists()
    assert not _marker_is_newer(stale)
    for run in (refused, grew, stale):
        with log_of(run).open("rb") as log:
            assert wandb_log.ending(log) == wandb_log.Ending(0)


def _marker_is_newer(run: Path) -> bool:
    return marker_of(run).stat().st_mtime_ns > log_of(run).stat().st_mtime_ns


def test_a_live_run_is_unsynced_and_names_its_process(tmp_path: Path) -> None:
    with wandb_runs.live(tmp_path) as live:
        live.settle()
        found = evidence(live.run)
        assert (found.fact, found.why) == ("unsynced", "no exit record: killed or still running")
        assert wandb.is_run(*look(live.run))
        assert wandb.writer_pid(*look(live.run)) == live.process.pid


@pytest.mark.parametrize(
    "state",
    [wandb_runs.offline, wandb_runs.sync_refused, wandb_runs.grew_while_syncing,
     wandb_runs.online_refused, wandb_runs.online_hung],
    ids=lambda state: state.__name__,
)  # fmt: skip
def test_the_hint_is_a_command_that_helps(state: State, tmp_path: Path) -> None:
    run = wandb_runs.place(state, tmp_path)
    command = [sys.executable, "-m", *shlex.split(evidence(run).hint)]
    with WandbStub() as stub:
        subprocess.run(
            command, cwd=tmp_path, env=wandb_runs.environ(stub), check=True, capture_output=True
        )
        assert "wandb-summary.json" in stub.puts
    assert evidence(run).fact == "uploaded"


# ---------------------------------------------------------------- what the evidence rests on


def test_a_marker_without_a_log_of_the_sync_proves_nothing(tmp_path: Path) -> None:
    """So older clients leave it (to 0.29), whether or not anything arrived."""
    run = wandb_runs.place(wandb_runs.synced, tmp_path)
    sync_log(run).unlink()
    found = evidence(run)
    assert (found.fact, "no log of the sync" in found.why) == ("unsynced", True)
    assert "--include-synced" in found.hint


def test_a_log_of_the_sync_without_a_marker_proves_nothing(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.synced, tmp_path)
    marker_of(run).unlink()
    assert evidence(run).fact == "unsynced"


def test_a_write_after_the_sync_makes_it_stale(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.synced, tmp_path)
    synced = marker_of(run).stat().st_mtime_ns
    os.utime(log_of(run), ns=(synced, synced + 1))
    assert evidence(run).why == "uploaded only in part: synced before its last write"


def test_a_sync_that_began_before_the_last_write_is_none(tmp_path: Path) -> None:
    """The marker is written at the end of a sync, which may take hours."""
    run = wandb_runs.place(wandb_runs.synced, tmp_path)
    synced = marker_of(run).stat().st_mtime_ns
    os.utime(log_of(run), ns=(synced, synced - 1))
    assert evidence(run).why == "synced, but that began before its last write"


def test_a_sync_vouches_for_its_own_run_only(tmp_path: Path) -> None:
    """A resumed run has the same ID, and so the same file name, in another folder."""
    run = wandb_runs.place(wandb_runs.synced, tmp_path)
    resumed = run.rename(run.with_name(f"{run.name}-1"))
    assert evidence(resumed).fact == "unsynced"


@pytest.mark.parametrize("state", [wandb_runs.online, wandb_runs.synced])
def test_a_file_that_came_after_the_upload_is_not_in_it(state: State, tmp_path: Path) -> None:
    run = wandb_runs.place(state, tmp_path)
    (run / "files" / "late.ckpt").write_bytes(b"weights")
    assert "only in part: 5 of its 6 files" in evidence(run).why
    (run / "files" / "late.ckpt").rename(run / "files" / "output.log")
    assert "its files changed after that" in evidence(run).why


def test_a_sync_that_was_typed_further_up_counts(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.synced, tmp_path / "outputs" / "day")
    (tmp_path / "wandb").mkdir()
    (run.parent / "logs").rename(tmp_path / "wandb" / "logs")
    folder = tree.read(tmp_path, "outputs").folders["day"].folders["wandb"].folders[run.name]
    assert wandb.upload(folder, tmp_path).fact == "uploaded"
    (tmp_path / "wandb").rename(tmp_path / ".wandb")
    assert wandb.upload(folder, tmp_path).fact == "uploaded"


def test_one_sync_of_many_runs_is_judged_run_by_run(tmp_path: Path) -> None:
    """A killed run among them spoils its own evidence, and no other."""
    good = wandb_runs.place(wandb_runs.offline, tmp_path)
    bad = wandb_runs.place(wandb_runs.killed, tmp_path)
    with log_of(bad).open("r+b") as log:
        log.truncate(log_of(bad).stat().st_size - 5)
    with WandbStub() as stub:
        subprocess.run(
            [sys.executable, "-m", "wandb", "sync", "wandb"],
            cwd=tmp_path, env=wandb_runs.environ(stub), check=True, capture_output=True,
        )  # fmt: skip
    assert "incomplete transaction log" in sync_log(good).read_text()
    assert (evidence(good).fact, evidence(bad).fact) == ("uploaded", "unsynced")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"complete":true', '"complete":false'),
        ('"complete":true,', ""),
        ('"exit_code":0', '"exit_code":1'),
        ('"exit_code":0', '"exit_code":false'),
        ("200 OK", "202 Accepted"),
        ("filestream: request sent", "filestream: request posted"),
        ("filestream: sending request", "filestream: request"),
        ('"level":"INFO"', '"level":"ERROR"'),
        ('"level":"INFO"', '"level":"WARN"'),
        ('"level":"INFO"', '"grade":"INFO"'),
        ('{"time"', '["time"'),
    ],
)
@pytest.mark.parametrize("state", [wandb_runs.online, wandb_runs.synced])
def test_other_wording_is_unsynced(state: State, old: str, new: str, tmp_path: Path) -> None:
    run = wandb_runs.place(state, tmp_path)
    log = own_log(run) if state is wandb_runs.online else sync_log(run)
    assert old in log.read_text()
    log.write_text(log.read_text().replace(old, new))
    assert evidence(run).fact == "unsynced"


@pytest.mark.parametrize("state", [wandb_runs.online, wandb_runs.synced])
def test_what_counts_is_what_the_end_of_the_log_says(state: State, tmp_path: Path) -> None:
    """Cut off behind any of its lines, the log is evidence only once it tells the end."""
    run = wandb_runs.place(state, tmp_path)
    log = own_log(run) if state is wandb_runs.online else sync_log(run)
    lines = log.read_text().splitlines(keepends=True)
    needed = "request sent" if state is wandb_runs.online else "done reading"
    last = max(number for number, line in enumerate(lines) if needed in line)
    for count in range(len(lines)):
        log.write_text("".join(lines[:count]))
        assert evidence(run).fact == ("uploaded" if count > last else "unsynced"), count


def test_a_request_after_the_end_needs_an_answer_too(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.online, tmp_path)
    with own_log(run).open("a") as log:
        log.write('{"level":"INFO","msg":"filestream: sending request","total_files":1}\n')
    assert evidence(run).why.startswith("uploaded only in part")


def test_a_line_that_can_not_be_read_spoils_the_whole_log(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.online, tmp_path)
    with own_log(run).open("a") as log:
        log.write('{"level":"INFO","msg":"stre')
    assert evidence(run).why == "W&B's log of it is damaged"


@pytest.mark.parametrize(
    ("message", "fact"),
    [("error getting latest commit", "uploaded"), ("something new", "unsynced")],
)
def test_an_error_that_loses_nothing_is_no_refusal(message: str, fact: str, tmp_path: Path) -> None:
    """wandb-core logs one in each run of a repository without a remote, if it saves code."""
    run = wandb_runs.place(wandb_runs.online, tmp_path)
    line = f'{{"time":"2026-11-21T20:43:58Z","level":"ERROR","msg":"{message}"}}\n'
    own_log(run).write_text(line + own_log(run).read_text())
    assert evidence(run).fact == fact


# ---------------------------------------------------------------- the transaction log


def _messages(log: bytes) -> Iterator[tuple[bytes, int]]:
    """The records of an intact log, and where each ends, without the reader's help."""
    at, parts = 7, b""
    while at < len(log):
        room = 32 * 1024 - at % (32 * 1024)
        if room < 7:
            at += room
            continue
        length, kind = int.from_bytes(log[at + 4 : at + 6], "little"), log[at + 6]
        parts += log[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield parts, at
            parts = b""


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (wandb_runs.offline, 0),
        (wandb_runs.failed, 3),
        (wandb_runs.online_hung, 0),
        (wandb_runs.killed, None),
    ],
)
def test_the_exit_code_is_what_wandb_reads_there(
    state: State, code: int | None, tmp_path: Path
) -> None:
    content = log_of(wandb_runs.place(state, tmp_path)).read_bytes()
    records = [Record.FromString(message) for message, _ in _messages(content)]
    exits = [record.exit.exit_code for record in records if record.HasField("exit")]
    assert exits == ([] if code is None else [code])
    assert [record.num for record in records] == list(range(1, len(records) + 1))
    assert wandb_log.ending(io.BytesIO(content)) == wandb_log.Ending(code)


def test_a_negative_exit_code_is_one(tmp_path: Path) -> None:
    record = Record()
    record.exit.exit_code = -9
    log = wandb_log.MAGIC + _chunk(1, record.SerializeToString())
    assert wandb_log.ending(io.BytesIO(log)) == wandb_log.Ending(-9)


def _chunk(kind: int, payload: bytes) -> bytes:
    checksum = crc32(bytes([kind]) + payload).to_bytes(4, "little")
    return checksum + len(payload).to_bytes(2, "little") + bytes([kind]) + payload


@pytest.mark.parametrize(
    "kinds", ["2", "23", "21", "22", "3", "4", "13", "14", "0", "5"], ids=lambda kinds: kinds
)
def test_chunks_out_of_order_are_damage(kinds: str) -> None:
    """Full 1, first 2, middle 3, last 4: a record that lost one of its chunks is none."""
    ends = _chunk(1, Record(exit={"exit_code": 0}).SerializeToString())
    odd = b"".join(_chunk(int(kind), b"") for kind in kinds)
    for log in (ends + odd, ends + odd + ends):
        found = wandb_log.ending(io.BytesIO(wandb_log.MAGIC + log))
        assert found.exit_code is None
        assert found.damage


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 6, b"x", b"\0" * 7, b"x" * 7, b"\0" * 40_000])
def test_bytes_behind_the_end_are_damage(tail: bytes) -> None:
    ends = wandb_log.MAGIC + _chunk(1, Record(exit={"exit_code": 0}).SerializeToString())
    assert wandb_log.ending(io.BytesIO(ends)) == wandb_log.Ending(0)
    assert wandb_log.ending(io.BytesIO(ends + tail)).damage


def test_only_zeros_fill_a_block() -> None:
    full = wandb_log.MAGIC + _chunk(
        1, b"\x0a" + b"\xee\xff\x01" + b"x" * (32 * 1024 - 7 - 7 - 4 - 4)
    )
    ends = _chunk(1, Record(exit={"exit_code": 0}).SerializeToString())
    assert len(full) == 32 * 1024 - 4
    assert wandb_log.ending(io.BytesIO(full + b"\0\0\0\0" + ends)) == wandb_log.Ending(0)
    assert wandb_log.ending(io.BytesIO(full + b"\0\0\1\0" + ends)).damage


def _flips(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Single flipped bits: all at both ends, where the exit record is, samples between."""
    ends = {*range(200), *range(len(content) - 800, len(content))}
    borders = {32 * 1024 * block + near for block in (1, 2, 3, 4) for near in range(-20, 20)}
    for at in sorted(ends | borders | {*range(0, len(content), 499)}):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[at] ^= 1 << bit
            yield at, bytes(flipped)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """So a damaged exit record is none, and what can't be read is never uploaded."""
    content = log_of(wandb_runs.place(wandb_runs.online, tmp_path)).read_bytes()
    assert wandb_log.ending(io.BytesIO(content)) == wandb_log.Ending(0)
    for at, flipped in _flips(content):
        found = wandb_log.ending(io.BytesIO(flipped))
        assert found.exit_code is None, at
        assert found.damage, at


def test_no_flipped_bit_makes_an_exit_record(tmp_path: Path) -> None:
    content = log_of(wandb_runs.place(wandb_runs.killed, tmp_path)).read_bytes()
    for at, flipped in _flips(content):
        assert wandb_log.ending(io.BytesIO(flipped)).exit_code is None, at


def test_a_cut_log_has_no_exit_record_that_it_lost(tmp_path: Path) -> None:
    content = log_of(wandb_runs.place(wandb_runs.offline, tmp_path)).read_bytes()
    (exit_end,) = (
        end for message, end in _messages(content) if Record.FromString(message).HasField("exit")
    )
    for cut in [*range(0, exit_end - 600, 997), *range(exit_end - 600, exit_end)]:
        assert wandb_log.ending(io.BytesIO(content[:cut])).exit_code is None, cut
    assert wandb_log.ending(io.BytesIO(content[:exit_end])).exit_code == 0


def test_damage_is_said_with_its_place(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.online, tmp_path)
    content = bytearray(log_of(run).read_bytes())
    content[7 + 10] ^= 1
    log_of(run).write_bytes(content)
    assert evidence(run) == Evidence(
        "unsynced",
        "the log is damaged at byte 7",
        f"wandb sync --include-online wandb/{run.name}",
    )


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_read_without_an_exception(noise: bytes, chunked: bool) -> None:
    content = wandb_log.MAGIC + (_chunk(1, noise) if chunked else noise)
    assert wandb_log.ending(io.BytesIO(content)).exit_code in (None, _exit_in(noise))
    assert wandb_log.ending(io.BytesIO(noise)).exit_code is None


def _exit_in(message: bytes) -> int | None:
    """The exit code where the noise happens to be a record that has one."""
    try:
        record = Record.FromString(message)
    except Exception:  # noqa: BLE001 - protobuf has several
        return None
    return record.exit.exit_code if record.HasField("exit") else None


# ---------------------------------------------------------------- W&B's own log of an upload


def test_no_flipped_bit_turns_a_refusal_into_an_upload(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.online_refused, tmp_path)
    content = own_log(run).read_bytes()
    for at in range(0, len(content), 3):
        flipped = bytearray(content)
        flipped[at] ^= 1 << random.Random(at).randrange(8)
        own_log(run).write_bytes(flipped)
        attempt = wandb_uploads.online(own_log(run))
        assert attempt.trouble or attempt.exit_code is None, at
    own_log(run).write_bytes(content)
    assert evidence(run).fact == "unsynced"


def _as_pipe(path: Path) -> None:
    os.mkfifo(path)


def _as_folder(path: Path) -> None:
    path.mkdir()


def _as_link(path: Path) -> None:
    path.with_name("elsewhere").write_bytes(b"{}")
    path.symlink_to("elsewhere")


def _as_hole(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def _as_bytes(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


_ODD: dict[str, Callable[[Path], None]] = {
    "gone": lambda _: None,
    "empty": _as_bytes(b""),
    "pipe": _as_pipe,
    "folder": _as_folder,
    "link": _as_link,
    "terabyte": _as_hole,
    "not UTF-8": _as_bytes(b'{"msg":"\xff\xfe"}\n'),
    "deep": _as_bytes(b"[" * 500_000 + b"\n"),
    "long": _as_bytes(b'{"msg":"' + b"x" * 3_000_000 + b'"}\n'),
    "big number": _as_bytes(b'{"exit_code":' + b"9" * 9_000 + b"}\n"),
    "header": _as_bytes(wandb_log.MAGIC),
    "zeros": _as_bytes(wandb_log.MAGIC + b"\0" * 100_000),
    "other version": _as_bytes(wandb_log.MAGIC[:6] + b"\1"),
}


@pytest.mark.parametrize("odd", _ODD)
@pytest.mark.parametrize("which", [log_of, own_log, marker_of, sync_log])
def test_odd_files_are_unsynced_and_no_exception(
    which: Callable[[Path], Path], odd: str, tmp_path: Path
) -> None:
    """Each of the four files that evidence rests on, replaced by something else."""
    of_sync = which in (marker_of, sync_log)
    run = wandb_runs.place(wandb_runs.synced if of_sync else wandb_runs.online, tmp_path)
    path = which(run)
    path.unlink()
    _ODD[odd](path)
    is_only_a_marker = which is marker_of and path.is_file() and not path.is_symlink()
    assert evidence(run).fact == ("uploaded" if is_only_a_marker else "unsynced")


@pytest.mark.parametrize("which", [log_of, own_log])
def test_a_file_that_goes_while_we_look_is_unsynced(
    which: Callable[[Path], Path], tmp_path: Path
) -> None:
    run = wandb_runs.place(wandb_runs.online, tmp_path)
    folder, base = look(run)
    path = which(run)
    moved = path.rename(tmp_path / "moved")
    assert wandb.upload(folder, base).why == "its logs can't be read: No such file or directory"
    path.symlink_to(moved)
    assert wandb.upload(folder, base).fact == "unsynced"


def test_a_second_log_in_the_folder_is_unknown_layout(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.online, tmp_path)
    (run / "run-other.wandb").write_bytes(log_of(run).read_bytes())
    assert evidence(run).why == "it holds 2 transaction logs, not one"


def test_what_a_log_says_can_not_steer_the_terminal(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.online, tmp_path)
    own_log(run).write_text('{"level":"ERROR","msg":"\\u001b[2J\\ud800 boo\\n' + "o" * 999 + '"}\n')
    why = evidence(run).why
    assert why.isprintable()
    assert len(why) < 200


# ---------------------------------------------------------------- names and links


@pytest.mark.parametrize("odd", _ODD)
def test_the_header_is_the_proof_of_origin(odd: str, tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.offline, tmp_path)
    assert wandb.is_run(*look(run))
    path = log_of(run)
    path.unlink()
    _ODD[odd](path)
    assert wandb.is_run(*look(run)) is (odd in ("header", "zeros"))


def test_the_id_is_the_one_in_the_name_of_the_log(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.offline, tmp_path)
    run_id = run.name.rpartition("-")[2]
    assert wandb.run_id(look(run)[0]) == run_id
    clashed = run.rename(run.with_name(f"{run.name}-1"))
    assert wandb.run_id(look(clashed)[0]) == run_id
    log_of(clashed).unlink()
    assert wandb.run_id(look(clashed)[0]) is None


def test_no_pid_where_no_log_names_one(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.offline, tmp_path)
    assert wandb.writer_pid(*look(run)) is not None
    (run / "logs" / "debug.log").write_bytes(b"\xff Configure stats pid to many\n")
    assert wandb.writer_pid(*look(run)) is None
    (run / "logs" / "debug.log").unlink()
    assert wandb.writer_pid(*look(run)) is None


def test_wandbs_links_belong_to_the_run_that_they_name(tmp_path: Path) -> None:
    older = wandb_runs.place(wandb_runs.offline, tmp_path)
    for link in ("latest-run", "debug.log", "debug-internal.log"):
        (tmp_path / "wandb" / link).unlink()
    newer = wandb_runs.place(wandb_runs.online, tmp_path)
    (tmp_path / "wandb" / "my-favourite").symlink_to(newer.name)
    around = tree.read(tmp_path, "wandb")
    links = ("wandb/latest-run", "wandb/debug.log", "wandb/debug-internal.log")
    assert wandb.companions(around, around.folders[newer.name]) == links
    assert wandb.companions(around, around.folders[older.name]) == ()


def test_a_link_that_leads_elsewhere_is_no_companion(tmp_path: Path) -> None:
    run = wandb_runs.place(wandb_runs.offline, tmp_path)
    link = run.parent / "latest-run"
    link.unlink()
    link.symlink_to(f"{run.name}/../../other")
    around = tree.read(tmp_path, "wandb")
    assert "wandb/latest-run" not in wandb.companions(around, around.folders[run.name])
