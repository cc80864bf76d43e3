"""What the daemon tells systemd: one datagram each, as sd_notify(3) says. Elsewhere, nothing.

No call raises, or waits for longer than `PATIENCE`: a service that can't tell goes on.
"""

from __future__ import annotations

import os
import socket
import time

PATIENCE = 5.0
"""Seconds that systemd may take to make room for a datagram."""


def ready(status: str) -> None:
    """The daemon is at work; also the end of a reload."""
    _tell("READY=1", _status(status))


def status(text: str) -> None:
    """The line that ``systemctl status`` shows."""
    _tell(_status(text))


def reloading() -> None:
    """The configuration is being read again, until `ready`."""
    _tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def stopping(text: str) -> None:
    """The end has begun; `text` says what it waits for."""
    _tell("STOPPING=1", _status(text))


def alive() -> None:
    """To be called at least every `watchdog_s` / 2, and only when all that should live does."""
    _tell("WATCHDOG=1")


def watchdog_s() -> float | None:
    """Seconds of silence after which systemd kills us; None where nobody watches us."""
    micro, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not micro.isdecimal() or (pid is not None and pid != str(os.getpid())):
        return None
    return int(micro) / 1e6 or None


def _status(text: str) -> str:
    """On one line: a name in it must not pass for a word of ours. As long as a datagram may be."""
    return "STATUS=" + " ".join(text.split())[:1000]


def _tell(*words: str) -> None:
    address = os.environb.get(b"NOTIFY_SOCKET", b"")
    if address[:1] not in (b"/", b"@"):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.settimeout(PATIENCE)
            to.connect(b"\0" + address[1:] if address[:1] == b"@" else address)
            to.sendall("\n".join(words).encode(errors="replace"))
    except OSError:
        pass
