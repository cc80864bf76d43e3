"""Random damage to a file: to its bytes, and to what it is. Each kind by a name to print.

Damage is chosen by a `random.Random`, so that a seed and a name bring it back.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

Harm = Callable[[bytes, Random], bytes]
_BLOCKS = (16, 512, 4096, 32 * 1024)
_HUGE = (2**31 - 1, 2**31, 2**32 - 1, 2**30, 2**63 - 1, 2**64 - 1)


def _flipped(content: bytes, chance: Random) -> bytes:
    """One bit, or a few."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def _overwritten(content: bytes, chance: Random) -> bytes:
    """A block of zeros, of ones, or of noise, aligned as disks and databases are, or not."""
    size = chance.choice(_BLOCKS)
    start = chance.randrange(len(content))
    start -= start % chance.choice((1, size))
    size = min(size, len(content) - start)
    noise = chance.choice((b"\0" * size, b"\xff" * size, chance.randbytes(size)))
    return content[:start] + noise + content[start + size :]


def _cut(content: bytes, chance: Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _beheaded(content: bytes, chance: Random) -> bytes:
    return content[chance.randrange(1, len(content) + 1) :]


def _grown(content: bytes, chance: Random) -> bytes:
    more = chance.randrange(1, 9000)
    tail = chance.choice((b"\0" * more, chance.randbytes(more), content[:more], b"\n", b"{}\n"))
    return content + tail


def _block(content: bytes, chance: Random) -> tuple[int, int]:
    size = min(chance.choice(_BLOCKS), len(content))
    start = chance.randrange(len(content) - size + 1)
    return start, start + size


def _doubled(content: bytes, chance: Random) -> bytes:
    start, end = _block(content, chance)
    return content[:end] + content[start:end] + content[end:]


def _thinned(content: bytes, chance: Random) -> bytes:
    start, end = _block(content, chance)
    return content[:start] + content[end:]


def _swapped(content: bytes, chance: Random) -> bytes:
    """Two blocks in each other's place."""
    size = max(1, min(chance.choice(_BLOCKS), len(content) // 2))
    one, other = sorted(chance.randrange(max(len(content) - size, 1)) for _ in range(2))
    if other - one < size:
        return content[size:] + content[:size]
    first, second = content[one : one + size], content[other : other + size]
    middle = content[one + size : other]
    return content[:one] + second + middle + first + content[other + size :]


def _spliced(content: bytes, chance: Random) -> bytes:
    """The beginning of the file, and then the end of it from elsewhere."""
    return content[: chance.randrange(len(content))] + content[chance.randrange(len(content)) :]


def _enlarged(content: bytes, chance: Random) -> bytes:
    """A length, or any number, that is huge now: of 2, 4 or 8 bytes, in either order."""
    form = chance.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(form)
    start = chance.randrange(max(len(content) - size, 1))
    number = struct.pack(form, chance.choice(_HUGE) & (1 << 8 * size) - 1)
    return content[:start] + number + content[start + size :]


def _misspelt(content: bytes, chance: Random) -> bytes:
    """What means something to a text's reader, where it isn't meant."""
    at = chance.randrange(len(content) + 1)
    marks = (b'"', b"'", b"\n", b"\0", b"\\", b"{", b"[", b"}", b":", b",", b"-", b"9" * 5000)
    more = (b"\xff\xfe", b"\xed\xa0\x80", b"null", b"NaN", b"1e999", b"\r\n", b"../../", b" " * 9)
    mark = chance.choice((*marks, *more))
    return content[:at] + mark + content[at + chance.choice((0, 1, len(mark))) :]


def _renumbered(content: bytes, chance: Random) -> bytes:
    """A run of digits in a text becomes another number."""
    places = [at for at, byte in enumerate(content) if 48 <= byte < 58]
    if not places:
        return _flipped(content, chance)
    at = chance.choice(places)
    end = at
    while end < len(content) and 48 <= content[end] < 58:
        end += 1
    number = chance.choice((b"0", b"-1", b"1e400", b"9" * 19, b"9" * 400, b"9" * 5000, b"1.5"))
    return content[:at] + number + content[end:]


HARMS: dict[str, Harm] = {
    "flipped": _flipped,
    "overwritten": _overwritten,
    "cut": _cut,
    "beheaded": _beheaded,
    "grown": _grown,
    "doubled": _doubled,
    "thinned": _thinned,
    "swapped": _swapped,
    "spliced": _spliced,
    "enlarged": _enlarged,
    "misspelt": _misspelt,
    "renumbered": _renumbered,
}
"""What happens to bytes; none of them needs more than a few of them."""


def harmed(content: bytes, name: str, chance: Random) -> bytes:
    """Damaged for sure; an empty content only grows."""
    if not content:
        return chance.randbytes(chance.randrange(1, 100))
    while (found := HARMS[name](content, chance)) == content:
        name = "flipped"
    return found


# ---------------------------------------------------------------- what a file is


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            listening.bind(f"/proc/self/fd/{folder}/{path.name}"[:100])
        finally:
            os.close(folder)


def _folder(path: Path) -> None:
    (path / "inside").mkdir(parents=True)


def _locked(path: Path) -> None:
    path.write_bytes(b"locked")
    path.chmod(0)


SUBSTITUTES: dict[str, Callable[[Path], None]] = {
    "gone": lambda path: None,
    "empty": lambda path: path.touch(),
    "NUL": lambda path: _sparse(path, 1),
    "fifo": _fifo,
    "socket": _socket,
    "folder": _folder,
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to nowhere": lambda path: path.symlink_to("nowhere"),
    "link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "link to a terminal": lambda path: path.symlink_to("/dev/tty"),
    "link to a process": lambda path: path.symlink_to("/proc/self/mem"),
    "zeros that take no room": lambda path: _sparse(path, 1 << 40),
    "unreadable": _locked,
}
"""What takes a file's place, by name."""


def _sparse(path: Path, size: int) -> None:
    path.touch()
    os.truncate(path, size)


def replaced(path: Path, name: str) -> None:
    """Put something else in a file's place, with the file's times where it has any."""
    status = os.lstat(path)
    path.unlink()
    SUBSTITUTES[name](path)
    if os.path.lexists(path):
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(path, ns=times, follow_symlinks=False)


class Harmed(NamedTuple):
    """One trial's damage: what was done to which file, and the seed that does it again."""

    path: str
    how: str
    seed: int

    def __str__(self) -> str:
        return f"{self.path}, {self.how}, seed {self.seed}"


def harm(file: Path, how: str, seed: int) -> None:
    """Damage a file in its place; it keeps its times, as a failing disk would leave them."""
    if how in SUBSTITUTES:
        replaced(file, how)
        return
    status = os.lstat(file)
    content = harmed(file.read_bytes(), how, Random(seed))
    file.unlink()
    file.write_bytes(content)
    file.chmod(status.st_mode & 0o7777)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
