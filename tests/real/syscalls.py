"""What a program did to the disk, as the kernel saw it: strace, and how to read it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.real.account import Account

TRACED = (
    "?open,?openat,?openat2,?creat,"
    "?rename,?renameat,?renameat2,?unlink,?unlinkat,?rmdir,?mkdir,?mkdirat,?mknod,?mknodat,"
    "?link,?linkat,?symlink,?symlinkat,?truncate,?ftruncate,?fallocate,?copy_file_range,"
    "?chmod,?fchmod,?fchmodat,?fchmodat2,?chown,?fchown,?lchown,?fchownat,"
    "?utime,?utimes,?futimesat,?utimensat,?setxattr,?lsetxattr,?fsetxattr,"
    "?removexattr,?lremovexattr,?fremovexattr,?mount,?umount2,?pivot_root"
)
"""Calls that change names, bytes or attributes; "?": not every CPU has them all. Writing
needs no entry of its own: it is seen when the file is opened for it."""
OPENS = {"open", "openat", "openat2"}
ONE_NAME_LAST = {"symlink", "symlinkat", "copy_file_range"}
TWO_NAMES = {"rename", "renameat", "renameat2", "link", "linkat", "mount", "pivot_root"}
FOR_WRITING = re.compile(rb"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE")
NO_FILE = re.compile(rb"/dev/(null|tty|pts/\d+)|(pipe|socket|anon_inode):.*")

_CALL = re.compile(rb"^(?:\d+ +)?(\w+)\((.*)")
_NAME = re.compile(rb'(?:(?:AT_FDCWD|\d+)<((?:[^>\\]|\\.)*)>(?:, )?)?(?:"((?:[^"\\]|\\.)*)")?')
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}


def is_there() -> bool:
    """Whether this machine has strace."""
    return shutil.which("strace") is not None


def changes(who: Account, args: Sequence[str], cwd: Path, trace: Path) -> list[str]:
    """Run a program under strace; every call of it and its children that changes a file.

    Each is "CALL PATH", with an absolute path ("?/…" where a relative one has no known
    start). Calls that failed count too: the intention is what must not be there.
    """
    strace = ["strace", "-f", "-y", "-qq", "-s", "8192", "-e", "signal=none", "-o", str(trace)]
    done = who.run([*strace, "-e", f"trace={TRACED}", *args], cwd=cwd)
    assert done.returncode == 0, done.stderr.decode(errors="backslashreplace")
    return [
        f"{call} {path}" for line in trace.read_bytes().splitlines() for call, path in read(line)
    ]


def read(line: bytes) -> Iterator[tuple[str, str]]:
    """The changes in one line of a trace: calls, each with a path that it touches."""
    match = _CALL.match(line)
    if match is None:
        return  # the second half of a call, or the end of a process
    call, rest = match[1].decode(), match[2]
    if call in OPENS and not FOR_WRITING.search(_NAME.sub(b"", rest)):
        return
    for path in _touched(call, rest):
        if not NO_FILE.fullmatch(path):
            yield call, os.fsdecode(path)


def _touched(call: str, rest: bytes) -> list[bytes]:
    names = [_path(*found.groups()) for found in _NAME.finditer(rest) if found[0]]
    if call in TWO_NAMES:
        return names[:2]
    return names[-1:] if call in ONE_NAME_LAST else names[:1]


def _path(folder: bytes | None, name: bytes | None) -> bytes:
    start = b"?" if folder is None else _plain(folder)
    return os.path.normpath(os.path.join(start, _plain(name))) if name else start


def _plain(text: bytes) -> bytes:
    """Without C's escapes, in which strace writes."""
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[bytes]) -> bytes:
    found = match[1]
    return bytes([int(found, 8)]) if found[0] in b"01234567" else _LETTERS.get(found, found)
