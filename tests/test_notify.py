"""What systemd hears of the daemon, on real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifact_janitor import notify


@pytest.fixture(params=["path", "abstract"])
def heard(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """The end of the socket that systemd listens on."""
    bare = f"janitor-notify-{os.getpid()}"
    place = str(tmp_path / "notify") if request.param == "path" else f"\0{bare}"
    monkeypatch.setenv("NOTIFY_SOCKET", place.replace("\0", "@"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(place)
        listening.settimeout(60)
        yield listening


def test_each_word_is_one_datagram(heard: socket.socket) -> None:
    notify.ready("watching 3 folders")
    notify.alive()
    notify.status("archiving outputs/ä")
    notify.stopping("after this step")
    assert [heard.recv(4096).decode() for _ in range(4)] == [
        "READY=1\nSTATUS=watching 3 folders",
        "WATCHDOG=1",
        "STATUS=archiving outputs/ä",
        "STOPPING=1\nSTATUS=after this step",
    ]


def test_a_reload_tells_the_time_of_the_clock_that_systemd_reads(heard: socket.socket) -> None:
    notify.reloading()
    word, stamp = heard.recv(4096).decode().split("\n")
    assert word == "RELOADING=1"
    assert stamp.startswith("MONOTONIC_USEC=")
    assert int(stamp.partition("=")[2]) > 0


def test_a_name_in_the_status_is_no_word_of_ours(heard: socket.socket) -> None:
    notify.status("study x\nSTOPPING=1\n\udcff" + "y" * 5000)
    text = heard.recv(65536).decode()
    assert text.startswith("STATUS=study x STOPPING=1 ?y")
    assert "\n" not in text
    assert len(text) < 1100


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "vsock:2:1", "relative"])
def test_where_nobody_listens_nothing_happens(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify.ready("")


@pytest.mark.parametrize(
    ("micro", "pid", "seconds"),
    [
        ("30000000", None, 30.0),
        ("30000000", "mine", 30.0),
        ("30000000", "1", None),
        ("0", None, None),
        ("", None, None),
        ("soon", None, None),
    ],
)
def test_how_long_the_watchdog_waits(
    micro: str, pid: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was started by a watched service is not watched."""
    monkeypatch.setenv("WATCHDOG_USEC", micro)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "mine" else pid)
    assert notify.watchdog_s() == seconds
