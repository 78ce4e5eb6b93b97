"""moto's server in this process: it answers what is neither an instance, a group nor a launch template."""

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import moto.backends
from moto.ec2.models import security_groups, subnets, vpcs
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import run_wsgi_app

from hotdesk_local.aws.model import Network

log = logging.getLogger(__name__)

Reply = tuple[int, Mapping[str, str], bytes]
_accounts = count(123456789012)
"""moto keeps its state in the process; an account of its own keeps two simulators in one process apart."""
_HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "date", "server"})


class Moto:
    """moto with the simulator's network in it. Not safe for several threads."""

    def __init__(self, *, region: str, network: Network) -> None:
        self._account = str(next(_accounts))
        self._app = DomainDispatcherApplication(create_backend_app)
        _build(moto.backends.get_backend("ec2")[self._account][region], network)

    def answer(self, *, method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one HTTP request. A crash inside moto is a 500 without a body, for the caller to put into words."""
        headers = {**headers, "x-moto-account-id": self._account}
        environ = _environ(method=method, raw_path=raw_path, headers=headers, body=body)
        try:
            chunks, status, answered = run_wsgi_app(self._app, environ, buffered=True)
        except NotImplementedError:
            return 501, {}, b""
        except Exception:
            log.exception("moto failed")
            return 500, {}, b""
        kept = {key: value for key, value in answered.items() if key.lower() not in _HOP_BY_HOP}
        return int(status.split()[0]), kept, b"".join(chunks)


def _build(backend: Any, network: Network) -> None:
    """Make the VPC and its subnets in moto under the ids the simulator has already told."""
    with ExitStack() as names:
        names.enter_context(_named(vpcs, "random_vpc_id", network.vpc))
        names.enter_context(_named(security_groups, "random_security_group_id", network.security_group))
        backend.create_vpc(network.cidr)
    for subnet in network.subnets:
        with _named(subnets, "random_subnet_id", subnet.id):
            backend.create_subnet(network.vpc, subnet.cidr, availability_zone=subnet.zone)


@contextmanager
def _named(module: ModuleType, maker: str, name: str) -> Iterator[None]:
    before = getattr(module, maker)
    setattr(module, maker, lambda: name)
    try:
        yield
    finally:
        setattr(module, maker, before)


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
