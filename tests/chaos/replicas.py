"""The operator's replicas as processes: each start has a credential of its own, so that its writes can be told."""

import base64
import http.client
import json
import os
import signal
import sysconfig
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chaos.api import Api
from chaos.history import Deed
from chaos.watching import Watching
from e2e.stage import PACE
from hotdesk_local.controlplane.crds import SYSTEM_NAMESPACE
from hotdesk_local.controlplane.credentials import write_kubeconfig
from hotdesk_local.stack import LocalStack, operator_name
from waiting import wait_for

_TOKENS = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/hotdesk/token"
_RESERVE = 40  # credentials made before anything goes wrong
_READY_WITHIN = 90.0


@dataclass
class Replicas:
    """Starts, ends, kills and pauses them, by number from 1, and notes every deed."""

    stack: LocalStack
    api: Api
    watching: Watching
    deeds: list[Deed]
    program: tuple[str, ...] = (str(Path(sysconfig.get_path("scripts")) / "hotdesk"), "operator")
    extra_env: dict[int, Mapping[str, str]] = field(default_factory=dict)
    """By number, on top of everything else."""
    addresses: dict[int, str] = field(default_factory=dict)
    """Where each serves its metrics, unless on 127.0.0.1."""
    noted: Callable[[], None] = lambda: None
    """Called after every deed."""
    credentials: dict[str, str] = field(default_factory=dict)
    """The id that the API server audits -> the process."""
    current: dict[int, str] = field(default_factory=dict)
    """Which process runs under a number."""
    _tokens: list[str] = field(default_factory=list)
    _starts: int = 0

    def prepare(self) -> None:
        """Make credentials while the API server is well."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
        for _ in range(_RESERVE):
            status, said = self.api.ask("POST", _TOKENS, body)
            assert status == 201, said
            self._tokens.append(said["status"]["token"])

    def start(self, number: int, *, wait: bool = True) -> None:
        """Start one, if it does not run; `wait` until it is ready."""
        name = operator_name(number)
        if self.stack.state.process(name) is None:
            self._starts += 1
            process = f"{name}#{self._starts}"
            self._spawn(number, process)
            self.current[number] = process
            self.note("start", number)
        if wait:
            wait_for(lambda: self.is_ready(number), what=f"{name} is ready", within=_READY_WITHIN)

    def end(self, number: int) -> None:
        """End one in good order, without waiting for it."""
        self._send(number, signal.SIGTERM)
        self.note("end", number)

    def await_end(self, number: int) -> None:
        """Return when one that was told to end has ended."""
        self.stack.state.end(operator_name(number))

    def kill(self, number: int) -> None:
        """End one as a crash would."""
        self.stack.state.kill(operator_name(number))
        self.note("kill", number)

    def pause(self, number: int) -> None:
        """Let one stand still, wherever it is."""
        self._send(number, signal.SIGSTOP)
        self.note("pause", number)

    def resume(self, number: int) -> None:
        """Let one go on."""
        self._send(number, signal.SIGCONT)
        self.note("resume", number)

    def note(self, what: str, number: int) -> None:
        """Note a deed done to a replica."""
        at = time.time()  # noqa: TID251  # this computer's clock
        self.deeds.append(Deed(at, what, operator_name(number), self.current.get(number, "")))
        self.noted()

    def owned_by(self, number: int) -> set[str]:
        """Return the pools whose Leases name a replica that has its own."""
        leases = self.watching.leases()
        mine = leases.get(f"replica-{operator_name(number)}")
        identity = f"{operator_name(number)}_{mine.uid}" if mine is not None else None
        return {n.removeprefix("pool-") for n, s in leases.items() if n.startswith("pool-") and s.holder == identity}

    def is_ready(self, number: int) -> bool:
        """Tell whether /readyz says so."""
        address = self.addresses.get(number, "127.0.0.1")
        connection = http.client.HTTPConnection(address, self._port(number), timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _spawn(self, number: int, process: str) -> None:
        token, name, plane = self._tokens.pop(), operator_name(number), self.stack.controlplane
        self.credentials[_id_of(token)] = process
        kubeconfig = write_kubeconfig(
            self.stack.state.folder / "kubeconfigs" / process,
            url=plane.url,
            authority=plane.files.certificate,
            token=token,
            user=process,
        )
        environment = {
            **self.stack.env,
            **PACE,
            "KUBECONFIG": str(kubeconfig),
            "AWS_ACCESS_KEY_ID": process.replace("#", "-"),
            "HOTDESK_METRICS_ADDRESS": self.addresses.get(number, "127.0.0.1"),
            "HOTDESK_METRICS_PORT": str(self._port(number)),
            "HOTDESK_LEASE_NAMESPACE": SYSTEM_NAMESPACE,
            "HOTDESK_REPLICA": name,
            **self.extra_env.get(number, {}),
        }
        self.stack.state.start(name=name, command=self.program, environment=environment)

    def _send(self, number: int, what: signal.Signals) -> None:
        os.kill(self.stack.state.last(operator_name(number)).pid, what)

    def _port(self, number: int) -> int:
        return int(self.stack.metrics_url_of(number).rpartition(":")[2])


def _id_of(token: str) -> str:
    """Return how the API server calls a token in its audit log."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return f"JTI={claims['jti']}"
