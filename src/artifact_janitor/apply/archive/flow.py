"""Compressed streams: zstd at its side, a thread that works ahead, and a digest of both."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from typing import Any

from artifact_janitor.errors import ArchiveError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WINDOW = 27
"""The logarithm of the window, 128 MiB: what a stock ``zstd -d`` still takes."""
WORKERS = 4
"""Threads that compress, at most: each takes its own memory."""
CHUNK = 1 << 20
LARGE = 64 << 20
"""From this many bytes on a content is worth the memory of a window and of threads."""


class Compressed:
    """A file descriptor that is written to through zstd. Not a file: it never seeks back.
    `content` is how many bytes will come, where that is known."""

    def __init__(self, fd: int, level: int, content: int | None = None) -> None:
        p = zstd.CompressionParameter
        options: dict[int, int] = {p.compression_level: level, p.checksum_flag: 1}
        if content is None or content >= LARGE:
            options |= {
                p.window_log: WINDOW,
                p.enable_long_distance_matching: 1,
                p.nb_workers: min(len(os.sched_getaffinity(0)), WORKERS),
            }
        self._fd = fd
        self._zstd = zstd.ZstdCompressor(options=options)
        if content is not None:
            self._zstd.set_pledged_input_size(content)
        self._seen = sha256()
        self.size = 0

    def write(self, chunks: Iterable[bytes]) -> str:
        """Compress and write all of it; the digest of what was written. Raises OSError."""
        for chunk in chunks:
            self._out(self._zstd.compress(chunk))
        self._out(self._zstd.flush())
        return self._seen.hexdigest()

    def _out(self, chunk: bytes) -> None:
        self._seen.update(chunk)
        self.size += len(chunk)
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self._fd, rest) :]


class Expanded:
    """The content of one zstd frame; `size` and `digest` of the compressed bytes are known at
    its end. Raises ArchiveError where it is damaged, cut short, or followed by more."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._seen = sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return self._seen.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW}
        frame = zstd.ZstdDecompressor(options=options)
        while not frame.eof:
            piece = self._read() if frame.needs_input else b""
            if frame.needs_input and not piece:
                raise ArchiveError("the archive is cut short")
            try:
                found = frame.decompress(piece, CHUNK)
            except zstd.ZstdError as error:
                raise ArchiveError(f"the archive is damaged: {error}") from error
            if found:
                yield found
        if frame.unused_data or self._read():
            raise ArchiveError("the archive goes on after its end")

    def _read(self) -> bytes:
        piece = os.read(self._fd, CHUNK)
        self._seen.update(piece)
        self.size += len(piece)
        return piece


def ahead(chunks: Iterable[bytes], depth: int = 8) -> Generator[bytes]:
    """The same chunks; a thread makes up to `depth` of them before they are asked for."""
    made: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()

    def put(what: object) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                made.put(what, timeout=0.2)
                break

    def work() -> None:
        try:
            for chunk in chunks:
                put(chunk)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the chunks go to
            put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (chunk := made.get()) is not None:
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk
    finally:
        stop.set()
        thread.join()
