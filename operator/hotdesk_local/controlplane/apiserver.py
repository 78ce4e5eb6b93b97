"""The API server: its options, its command line, whether it is ready."""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT = 5.0


@dataclass(frozen=True)
class Options:
    """What a test or a bench may want different from the ordinary local stack."""

    audit: bool = False
    """Write every request (metadata only) to `apiserver/audit.log`."""
    watch_cache: bool = True
    """Off, every watch goes to etcd, and a compaction there turns old ones into 410 Gone at once."""
    etcd_compaction_interval: str = "5m"
    """How often the API server itself cuts off etcd's history (a Go duration; "0" never)."""
    flags: tuple[str, ...] = ()
    """Further flags, for instance `--v=4`."""
    address: str = "127.0.0.1"
    """Where the API server listens."""
    etcd_address: str = "127.0.0.1"
    """Where etcd listens; another one where each part has a network namespace of its own."""


@dataclass(frozen=True)
class Files:
    """What the API server reads and writes, in one folder."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """Its self-signed certificate: both what it serves and what clients check it against."""
        return self.folder / "apiserver.crt"

    @property
    def tokens(self) -> Path:
        """The static token file."""
        return self.folder / "tokens.csv"

    @property
    def signing_key(self) -> Path:
        """The key of ServiceAccount tokens."""
        return self.folder / "service-account.key"

    @property
    def audit_log(self) -> Path:
        """One JSON object a line for each request, where auditing is on."""
        return self.folder / "audit.log"

    @property
    def audit_policy(self) -> Path:
        """What is audited."""
        return self.folder / "audit-policy.yaml"


# Without "RequestReceived" each request is one line.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


def apiserver_command(binary: Path, *, files: Files, port: int, etcd_port: int, options: Options) -> list[str | Path]:
    """Return the command of an API server without any controller beside it."""
    audit = [f"--audit-policy-file={files.audit_policy}", f"--audit-log-path={files.audit_log}"]
    return [
        binary,
        f"--etcd-servers=http://{options.etcd_address}:{etcd_port}",
        f"--etcd-compaction-interval={options.etcd_compaction_interval}",
        f"--watch-cache={str(options.watch_cache).lower()}",
        f"--bind-address={options.address}",
        f"--advertise-address={options.address}",
        f"--secure-port={port}",
        f"--cert-dir={files.folder}",
        f"--token-auth-file={files.tokens}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={files.signing_key}",
        f"--service-account-signing-key-file={files.signing_key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        # A loopback address cannot be an Endpoint, and there are no pods to use one.
        "--endpoint-reconciler-type=none",
        # It refuses pods until a controller has made each namespace's default account; no controller runs here.
        "--disable-admission-plugins=ServiceAccount",
        # Otherwise it waits for a minute for those who watch, and they never end by themselves.
        "--shutdown-watch-termination-grace-period=1s",
        *(audit if options.audit else []),
        *options.flags,
    ]


def get(path: str, *, address: str, port: int, files: Files, token: str) -> bool | None:
    """Return True if the API server answers 200 to an administrator's GET, else None."""
    try:
        with (
            closing(_connect(address, port=port, files=files, timeout=_TIMEOUT)) as connection,
            _ask(connection, path, token=token) as answer,
        ):
            return True if answer.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException):  # not listening yet, or the certificate is not written yet
        return None


def watch(path: str, *, since: int, address: str, port: int, files: Files, token: str) -> Iterator[dict[str, Any]]:
    """Yield what happens to the objects of a path after a version, until the API server ends the watch.

    After version 0 that is those that exist first.
    """
    asked = f"{path}?watch=1{f'&resourceVersion={since}' if since else ''}"
    with (
        closing(_connect(address, port=port, files=files, timeout=None)) as connection,
        _ask(connection, asked, token=token) as answer,  # which an API server that is about to end hands the socket to
    ):
        for line in answer:
            yield json.loads(line)


def _connect(address: str, *, port: int, files: Files, timeout: float | None) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=files.certificate)
    return http.client.HTTPSConnection(address, port, timeout=timeout, context=context)


def _ask(connection: http.client.HTTPSConnection, path: str, *, token: str) -> http.client.HTTPResponse:
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    return connection.getresponse()
