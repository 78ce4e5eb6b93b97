"""Everything that is neither an instance nor a group: moto's server, called in this process, one call at a time."""

import asyncio
import io
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import unquote

import moto.backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import run_wsgi_app

log = logging.getLogger(__name__)

Reply = tuple[int, Mapping[str, str], bytes]
_accounts = count(123456789012)
"""moto keeps its state in the process; an account of its own keeps two simulators in one process apart."""
_HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "date", "server"})


@dataclass(slots=True)
class Moto:
    """moto behind one thread: its models are not safe for more."""

    region: str
    account: str = field(default_factory=lambda: str(next(_accounts)))
    _app: Any = field(default_factory=lambda: DomainDispatcherApplication(create_backend_app))
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="moto"))

    @property
    def ec2(self) -> Any:
        """Return moto's EC2 model of this account and region."""
        return moto.backends.get_backend("ec2")[self.account][self.region]

    async def call(self, *, method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one HTTP request. A crash inside moto is a 500 without a body, for the caller to put into words."""
        headers = {**headers, "x-moto-account-id": self.account}
        environ = _environ(method=method, raw_path=raw_path, headers=headers, body=body)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, environ)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=True)

    def _run(self, environ: dict[str, Any]) -> Reply:
        try:
            chunks, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        except NotImplementedError:
            return 501, {}, b""
        except Exception:
            log.exception("moto failed")
            return 500, {}, b""
        kept = {key: value for key, value in headers.items() if key.lower() not in _HOP_BY_HOP}
        return int(status.split()[0]), kept, b"".join(chunks)


def _environ(*, method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    path, _, query = raw_path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, encoding="latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": raw_path,
        "RAW_URI": raw_path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key not in {"CONTENT_LENGTH", "TRANSFER_ENCODING"}:
            environ[f"HTTP_{key}"] = value
    return environ
