"""Application logs; each file is a unit."""

import gzip
import logging.handlers

from tests.real.workspace import Nasty


def old(w: Nasty) -> None:
    w.write("logs/2025.log", "old words\n" * 1000)
    w.backdate("logs/2025.log", 120)
    w.goes("logs/2025.log", "log", "old")


def rotated(w: Nasty) -> None:
    """As Python's own RotatingFileHandler leaves them."""
    _rotate(w, "logs/app.log")
    for name in ("logs/app.log.1", "logs/app.log.2"):
        w.backdate(name, 60)
        w.goes(name, "log", "old, rotated")
    w.stays("logs/app.log", "log", "within the grace")


def packed(w: Nasty) -> None:
    """As logrotate leaves them."""
    w.write("logs/worker.log.3.gz", gzip.compress(b"old words\n" * 1000))
    w.backdate("logs/worker.log.3.gz", 61)
    w.goes("logs/worker.log.3.gz", "log", "old, packed")


def in_folders(w: Nasty) -> None:
    w.write("logs/gpu/node 1/[train].log", "old words\n")
    w.backdate("logs/gpu", 62)
    w.goes("logs/gpu/node 1/[train].log", "log", "old, in a folder")


def not_a_log(w: Nasty) -> None:
    """LevelDB names its tables so; and a person's notes lie anywhere."""
    for name, content in (("logs/000003.log", b"\x00\x01db\x00"), ("logs/notes.md", b"# Ideas\n")):
        w.write(name, content)
        w.backdate(name, 63)
        w.stays(name, "unknown", "named or placed like a log, but it is none")


def _rotate(w: Nasty, path: str) -> None:
    w.write(path, "")
    handler = logging.handlers.RotatingFileHandler(w.root / path, maxBytes=100, backupCount=2)
    for number in range(5):
        handler.emit(logging.makeLogRecord({"msg": f"{number} " + "word " * 15}))
    handler.close()


HAZARDS = (old, rotated, packed, in_folders, not_a_log)
