"""Machines on simulated time with real bytes: what SSM sends runs for real, and reaches S3 through a real door."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hotdesk_local.aws.errors import AwsError
from hotdesk_local.machines.shell import AtOnce, Job, Outcome, Script

Answer = tuple[int, bytes]
CarryOut = Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Ended:
    """A script that has run."""

    outcome: Outcome | None

    def kill(self) -> None:
        """Do nothing: it has ended."""


class InPlace(AtOnce):
    """Runs scripts to their end, and keeps of them only what can be copied with the world."""

    def start(self, script: Script) -> Job:
        """Run it."""
        environment = {**script.environment, "no_proxy": "127.0.0.1", "LC_ALL": "C"}
        return _Ended(super().start(replace(script, environment=environment)).outcome)


class Door(ThreadingHTTPServer):
    """Where presigned URLs lead: as long as a script runs, the world stands still and answers here."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.carry_out: CarryOut | None = None
        self._signed: list[tuple[str, dict[str, Any]]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def sign(self, action: str, params: dict[str, Any]) -> str:
        """Return a URL for one call; anybody who has it may make that call."""
        self._signed.append((action, dict(params)))
        return f"http://127.0.0.1:{self.server_port}/{len(self._signed) - 1}"

    def visit(self, path: str, body: bytes | None) -> Answer:
        """Carry out what was signed."""
        action, params = self._signed[int(path.strip("/"))]
        assert self.carry_out is not None
        try:
            answer = self.carry_out(action, params if body is None else {**params, "Body": body})
        except AwsError as error:
            return error.status, json.dumps([error.code, error.message]).encode()
        found = answer.get("Body")
        return 200, b"" if found is None else found.read()


class _Visit(BaseHTTPRequestHandler):
    server: Door

    def do_PUT(self) -> None:
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self) -> None:
        self._answer(None)

    def _answer(self, body: bytes | None) -> None:
        status, content = self.server.visit(self.path, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
