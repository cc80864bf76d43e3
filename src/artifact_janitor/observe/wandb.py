"""W&B runs: proof of origin, and evidence of complete upload (S3).

A run counts as uploaded if its transaction log is whole and holds an exit record, and
W&B's own log of an upload says that all of it arrived, with all that lies in files/: the
run's own upload, or a `wandb sync` that began after the last write and left its marker.

The marker alone proves nothing: `wandb sync` writes it with every file refused, and when
the run went on while it was read (both measured with 0.31); older ones (measured to 0.28)
leave nothing but the marker. Folder names prove nothing either, nor does ``.syncstate``.
What can't be read was not uploaded.
"""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from artifact_janitor.core.model import Evidence, is_within
from artifact_janitor.observe import wandb_log, wandb_uploads
from artifact_janitor.observe.reading import head
from artifact_janitor.observe.tree import Entry, Folder
from artifact_janitor.observe.wandb_uploads import Upload
from artifact_janitor.regular import open_regular

_LOG = re.compile(r"run-(.+)\.wandb", re.DOTALL)
_SYNC_LOG = re.compile(r"debug-sync\..+\.log", re.DOTALL)
_PID = re.compile(rb"Configure stats pid to (\d{1,9})\b")
_COMPANIONS = ("latest-run", "debug.log", "debug-internal.log")


def is_run(folder: Folder, base: Path) -> bool:
    """Whether W&B wrote a run here: a ``run-ID.wandb`` with W&B's header.

    A log of seven bytes, the header alone, is a run that was killed, or lives.
    """
    magic = wandb_log.MAGIC
    return any(head(base / folder.path / name, len(magic)) == magic for name in _logs(folder))


def run_id(folder: Folder) -> str | None:
    """The run's ID, from the name of its log: the folder's name may have a suffix."""
    for name in _logs(folder):
        if match := _LOG.fullmatch(name):
            return match[1]
    return None


def upload(folder: Folder, base: Path) -> Evidence:
    """Whether all of the run is with W&B: ``uploaded``, or ``unsynced`` and why."""
    try:
        return _upload(folder, base)
    except OSError as error:
        return _unsynced(folder, f"its logs can't be read: {error.strerror or error}")


def writer_pid(folder: Folder, base: Path) -> int | None:
    """The process that trains, as it wrote in ``logs/debug.log`` when it began."""
    logs = folder.folders.get("logs")
    if logs is None or "debug.log" not in logs.files:
        return None
    match = _PID.search(head(base / logs.path / "debug.log", 64 * 1024))
    return int(match[1]) if match else None


def companions(wandb_dir: Folder, run: Folder) -> tuple[str, ...]:
    """W&B's links to its newest run, where `run` is that one: they go and come with it."""
    path = posixpath.normpath(run.path)
    return tuple(
        f"{wandb_dir.path}/{name}"
        for name in _COMPANIONS
        if is_within(_target(wandb_dir, name), path)
    )


def _target(folder: Folder, name: str) -> str:
    """Where a link points, by its text; W&B's are relative."""
    target = folder.links.get(name, "/")
    return posixpath.normpath(posixpath.join(folder.path, target))


def _logs(folder: Folder) -> list[str]:
    return sorted(name for name in folder.files if name[-6:] == ".wandb" and _LOG.fullmatch(name))


# ---------------------------------------------------------------- evidence of upload


def _upload(folder: Folder, base: Path) -> Evidence:
    names = _logs(folder)
    if len(names) != 1:
        return _unsynced(folder, f"it holds {len(names)} transaction logs, not one")
    with os.fdopen(open_regular(base / folder.path / names[0]), "rb") as log:
        ending = wandb_log.ending(log)
    if ending.damage:
        return _unsynced(folder, ending.damage)
    if ending.exit_code is None:
        return _unsynced(folder, "no exit record: killed or still running")
    direct = _direct(folder, base)
    direct.trouble = direct.trouble or _left_out(folder, direct)
    if not direct.trouble and direct.exit_code == ending.exit_code:
        return Evidence("uploaded", f"uploaded: exit {ending.exit_code}, all files 200 OK")
    marker = folder.files.get(f"{names[0]}.synced")
    if marker is None:
        return _unsynced(folder, _unfinished(folder, direct))
    return _synced(folder, base, (names[0], ending.exit_code), marker)


def _direct(folder: Folder, base: Path) -> Upload:
    """What the run uploaded while it ran; an offline run has such a log, too."""
    logs = folder.folders.get("logs")
    if logs is None or "debug-internal.log" not in logs.files:
        return Upload(trouble="W&B's log of the upload is missing")
    return wandb_uploads.online(base / logs.path / "debug-internal.log")


def _left_out(folder: Folder, attempt: Upload) -> str:
    """What lies in files/ and was not in a finished upload: ignored, or written later."""
    files = folder.folders.get("files")
    if attempt.exit_code is None or files is None:
        return ""
    count = sum(len(each.files) + len(each.links) for each in files.walk())
    if attempt.files < count:
        return f"uploaded only in part: {attempt.files} of its {count} files"
    newest = max((entry.mtime for _, entry in files.all_files()), default=0)
    if attempt.ended is None or attempt.ended.timestamp() * 1e9 < newest:
        return "uploaded only in part: its files changed after that"
    return ""


def _unfinished(folder: Folder, direct: Upload) -> str:
    """Why the run's own log is no evidence. wandb 0.22 logs too little to be one."""
    if direct.trouble:
        return direct.trouble
    if direct.tried:
        return "uploaded only in part: it was cut off before its end arrived"
    if _named_offline(folder):
        return "never uploaded"
    return "W&B's log doesn't say whether everything arrived"


def _synced(folder: Folder, base: Path, run: tuple[str, int], marker: Entry) -> Evidence:
    """`wandb sync` left its marker; `run` is the name of the log and the exit code in it."""
    name, exit_code = run
    written = folder.files[name].mtime
    if marker.mtime < written:
        return _unsynced(folder, "uploaded only in part: synced before its last write")
    why = "synced, but no log of the sync says that everything arrived"
    for sync in _syncs(folder, base, name):
        if trouble := _doubt(sync, exit_code, written) or _left_out(folder, sync):
            why = f"synced, but {trouble}"
        else:
            return Evidence("uploaded", f"synced on {sync.began:%Y-%m-%d} after its last write")
    return _unsynced(folder, why)


def _doubt(sync: Upload, exit_code: int, written: int) -> str:
    """What speaks against one `wandb sync`; `written` is the log's mtime."""
    if sync.trouble:
        return sync.trouble
    if sync.began is None or sync.began.timestamp() * 1e9 < written:
        return "that began before its last write"
    if not sync.read_to_end or sync.exit_code != exit_code:
        return "W&B's log doesn't say that it ended"
    return ""


def _syncs(folder: Folder, base: Path, name: str) -> Iterator[Upload]:
    """The attempts to sync this run, oldest first, from all places that may log them.

    `wandb sync` logs to the ``wandb`` folder of where it was typed.
    """
    around = PurePosixPath(folder.path).parent
    above = [here / wandb for here in [around, *around.parents] for wandb in ("wandb", ".wandb")]
    for place in dict.fromkeys([around, *above]):
        for log in _sync_logs(base / place / "logs"):
            with suppress(OSError):  # what can't be read proves nothing, and spoils nothing
                found = wandb_uploads.synced(log).get(f"{PurePosixPath(folder.path).name}/{name}")
                if found is not None:
                    yield found


def _sync_logs(logs: Path) -> list[Path]:
    try:
        return [logs / name for name in sorted(os.listdir(logs)) if _SYNC_LOG.fullmatch(name)]
    except OSError:
        return []


def _named_offline(folder: Folder) -> bool:
    """By its name, which is enough to choose words, and for no more than that."""
    return PurePosixPath(folder.path).name.startswith("offline-")


def _unsynced(folder: Folder, why: str) -> Evidence:
    """With the command that uploads it, to be typed in the workspace."""
    flags = [] if _named_offline(folder) else ["--include-online"]
    if any(name.endswith(".wandb.synced") for name in folder.files):
        flags.append("--include-synced")
    return Evidence("unsynced", why, shlex.join(["wandb", "sync", *flags, folder.path]))
