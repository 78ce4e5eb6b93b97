"""Where the Kubernetes API is and who we are there: the pod's service account, else the kubeconfig."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import kopf
import yaml
from yarl import URL

from hotdesk.ports import HotdeskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.client_middlewares import ClientMiddlewareType

_SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
# kubectl's and client-go's default is 15 s and 9 probes; half a minute is how long a dead watch may stay unnoticed.
_KEEPALIVE_IDLE = 10  # seconds
_KEEPALIVE_INTERVAL = 5  # seconds
_KEEPALIVE_PROBES = 3
_USER_TIMEOUT = 15_000  # milliseconds


class NoCluster(HotdeskError):  # noqa: N818  # names the fact, as the errors in ports do
    """There is no cluster to talk to; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A server and credentials; with a token file the token is read again whenever the file changes."""

    info: kopf.ConnectionInfo
    token_file: Path | None = None


def find_connection() -> Connection:
    """Return the service account's connection inside a pod, else that of the kubeconfig's current context.

    Raises:
        NoCluster: neither is there, or the kubeconfig cannot be used.

    """
    settings = kopf.OperatorSettings()
    if inside := kopf.login_with_service_account(settings=settings):
        return Connection(info=inside, token_file=_SERVICE_ACCOUNT_TOKEN)
    try:
        outside = kopf.login_with_kubeconfig(settings=settings)
        if outside is not None and outside.server:
            _try_out(outside)
    except (OSError, LookupError, TypeError, ValueError, AttributeError, yaml.YAMLError, kopf.LoginError) as exc:
        raise NoCluster(f"the kubeconfig cannot be used: {exc!r}; check KUBECONFIG and its current context") from exc
    if outside is None or not outside.server:
        raise NoCluster("no cluster: this is no pod with a service account; set KUBECONFIG or write ~/.kube/config")
    return Connection(info=outside)


def _try_out(info: kopf.ConnectionInfo) -> None:
    """Use everything of a kubeconfig once, while its errors can still be told as such."""
    for url in filter(None, (info.server, info.proxy_url)):
        parsed = URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError(f"{url!r} is no address like https://10.0.0.1:6443")
    for value in info.as_http_headers().values():
        if not value.isprintable():
            raise ValueError("a token or password must not hold line breaks or control characters")
    if info.server.startswith("https"):
        info.as_ssl_context()


def login_for_kopf(connection: Connection) -> kopf.AiohttpSession:
    """Return a session of kopf's own, for `@kopf.on.login`; call it anew for every login.

    kopf closes its session after a 401 and at its end, so it never shares the one that writes.
    """
    return kopf.AiohttpSession(
        server=connection.info.server,
        aiohttp_session=open_session(connection, connections=0),
        default_namespace=connection.info.default_namespace,
    )


def open_session(
    connection: Connection,
    *,
    connections: int,
    timeout: aiohttp.ClientTimeout | None = None,
) -> aiohttp.ClientSession:
    """Open a session of at most this many connections (0: unlimited), which stay open while unused.

    asyncio and aiohttp both set TCP_NODELAY on every connection, so that nothing is left to set here.
    """
    info = connection.info
    connector = aiohttp.TCPConnector(
        limit=connections,
        ssl=info.as_ssl_context() if info.server.startswith("https") else True,
        keepalive_timeout=300,
        ttl_dns_cache=300,
        socket_factory=_socket,
    )
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",  # long lists come gzipped otherwise, which costs both sides more than it saves
        "User-Agent": f"hotdesk/{version('hotdesk')}",
        **info.as_http_headers(),
    }
    middlewares: Sequence[ClientMiddlewareType] = ()
    if connection.token_file is not None:
        middlewares = (_token_middleware(connection.token_file),)
    return aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        timeout=timeout or aiohttp.ClientTimeout(total=None, sock_connect=3),
        proxy=info.proxy_url,
        trust_env=info.trust_env,
        middlewares=middlewares,
    )


class _Socket(socket.socket):
    """A socket that leaves its descriptor alone when it is collected: the event loop owns and closes it.

    Where a connection is reset in the moment it is made, uvloop (0.23) closes the descriptor without telling the
    socket. The number is soon that of another connection, and a plain socket would then close a stranger's:
    "File descriptor … is used by transport" for every later connection, or the end of the process (uvloop#653).
    """

    def __del__(self) -> None:
        self.detach()


def _socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = _Socket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT)
    return made


def _token_middleware(path: Path) -> ClientMiddlewareType:
    """Send the token as the file holds it now: the kubelet replaces it long before the old one expires."""
    seen: tuple[int, str] = (-1, "")

    async def authorize(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        nonlocal seen
        changed_at = path.stat().st_mtime_ns  # noqa: ASYNC240  # 2 µs on a memory file system
        if changed_at != seen[0]:
            seen = (changed_at, f"Bearer {path.read_text(encoding='ascii').strip()}")  # noqa: ASYNC240
        request.headers["Authorization"] = seen[1]
        return await handler(request)

    return authorize
