"""A loopback server that says what the W&B client wants to hear, so that real runs finish.

The real client (0.22–0.31) talks GraphQL for the run and its upload addresses, a file
stream for the metrics, and PUTs the files. The stub answers all three, and can refuse
the PUTs or leave them hanging, which is what broken networks and full buckets do.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

KEY = "a" * 40
"""The client wants 40 hex digits, and never asks whether they are anybody's."""


class WandbStub:
    """The server; a context manager that listens on 127.0.0.1 while it is open.

    ``refuse`` answers every PUT with 403. ``hang`` lets every PUT wait until `release`
    (or the end of the server). ``puts`` names the files that arrived.
    """

    def __init__(self, *, refuse: bool = False, hang: bool = False) -> None:
        self.refuse = refuse
        self.puts: dict[str, bytes] = {}
        self.streamed: dict[str, list[str]] = {}
        """Lines that came by the file stream, by the file that W&B keeps them in."""
        self.waiting = threading.Event()
        """Set as soon as a PUT hangs."""
        self._released = threading.Event()
        if not hang:
            self._released.set()
        self._server = _Server(("127.0.0.1", 0), _Request)
        self._server.stub = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environ(self) -> dict[str, str]:
        """What sends the client here."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY}

    def release(self) -> None:
        self._released.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def put(self, name: str, body: bytes) -> int:
        """Take a file, or not; the HTTP status."""
        if not self._released.is_set():
            self.waiting.set()
            self._released.wait(timeout=60)
        if self.refuse:
            return 403
        self.puts[name] = body
        return 200

    def stream(self, chunk: dict[str, Any]) -> None:
        for name, part in (chunk.get("files") or {}).items():
            self.streamed.setdefault(name, []).extend(part.get("content", []))

    def graphql(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        """The answer to the three questions that a run asks, and none to any other."""
        if "createRunFiles" in query:
            return {"createRunFiles": self._upload_addresses(given["files"])}
        if "upsertBucket" in query:
            return {"upsertBucket": {"bucket": _bucket(given), "inserted": True}}
        if re.search(r"\bviewer\b", query):
            return {"viewer": _VIEWER}
        if "serverInfo" in query:
            return {"serverInfo": {"features": []}}
        return {}

    def _upload_addresses(self, names: list[str]) -> dict[str, Any]:
        files = [{"name": name, "uploadUrl": f"{self.url}/put/{name}"} for name in names]
        return {"runID": "run", "uploadHeaders": [], "files": files}


_VIEWER: dict[str, Any] = {
    "id": "person",
    "entity": "somebody",
    "username": "somebody",
    "email": "",
    "flags": "{}",
    "teams": {"edges": []},
}


def _bucket(given: dict[str, Any]) -> dict[str, Any]:
    entity = {"id": "entity", "name": "somebody"}
    return {
        "id": "bucket",
        "name": given.get("name"),
        "displayName": given.get("name"),
        "description": "",
        "config": "{}",
        "sweepName": None,
        "project": {"id": "project", "name": given.get("project"), "entity": entity},
        "historyLineCount": 0,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stub: WandbStub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client drops its connections when it is killed: no news."""


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self._body()
        answer: dict[str, Any] = {}  # enough for the file stream and telemetry
        if self.path == "/graphql":
            asked = json.loads(body)
            found = self.server.stub.graphql(asked["query"], asked.get("variables") or {})
            answer = {"data": found}
        elif self.path.endswith("/file_stream"):
            self.server.stub.stream(json.loads(body))
        self._answer(200, answer)

    def do_PUT(self) -> None:
        name = self.path.removeprefix("/put/")
        self._answer(self.server.stub.put(name, self._body()), {})

    def do_GET(self) -> None:
        self._answer(200, {})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """The tests' output is no place for an access log."""
