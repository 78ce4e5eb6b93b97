"""One control plane: etcd and kube-apiserver, started, stopped, killed and started again."""

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

from hotdesk_local.controlplane.apiserver import AUDIT_POLICY, Files, Options, apiserver_command, get, watch
from hotdesk_local.controlplane.binaries import Binaries, find_or_build
from hotdesk_local.controlplane.credentials import make_signing_key, read_or_make_token, write_kubeconfig
from hotdesk_local.controlplane.etcd import compact, etcd_command, is_healthy
from hotdesk_local.errors import LocalStackError
from hotdesk_local.ports import free_port
from hotdesk_local.state import State
from hotdesk_local.waiting import wait_for_answer

# Generous: both are up in seconds, but on two cores shared with a test run it can take long.
_START_WITHIN = 120.0
_KUBECTL_WITHIN = 120.0


class ControlPlane:
    """A real Kubernetes API on loopback. Its ports, data and credentials stay the same over restarts."""

    def __init__(self, *, state: State, binaries: Binaries, options: Options) -> None:
        """Describe a control plane without starting anything; see `start`."""
        self.state = state
        self.binaries = binaries
        self.options = options
        self.files = Files(folder=state.folder / "apiserver")
        self.kubeconfig = state.folder / "kubeconfig"

    @classmethod
    def start(
        cls, state_dir: Path | State, *, options: Options | None = None, binaries: Binaries | None = None
    ) -> Self:
        """Start what of it does not run yet, and return when it serves; the programs are built if need be."""
        state = state_dir if isinstance(state_dir, State) else State(state_dir)
        plane = cls(state=state, binaries=binaries or find_or_build(), options=options or Options())
        plane.start_etcd()
        plane.start_apiserver()
        return plane

    @property
    def url(self) -> str:
        """The address of the API server."""
        return f"https://{self.options.address}:{self._port('apiserver_port')}"

    @property
    def audit_log(self) -> Path:
        """One JSON object a line for each request, where the option `audit` is on."""
        return self.files.audit_log

    @property
    def environment(self) -> dict[str, str]:
        """What makes kubectl, and any client that reads KUBECONFIG, talk to this control plane."""
        # Ports are used again by later stacks: what kubectl remembers of an API server belongs to this one alone.
        return {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.state.folder / "kubectl-cache")}

    def start_etcd(self) -> None:
        """Start etcd, if it does not run, and wait until it serves."""
        address, port = self.options.etcd_address, self._port("etcd_port")
        command = etcd_command(self.binaries.etcd, data=self.state.folder / "etcd", address=address, port=port)
        process = self.state.process("etcd") or self.state.start(name="etcd", command=command)
        wait_for_answer(
            lambda: is_healthy(address=address, port=port),
            process=process,
            log=self.state.log("etcd"),
            what="it serves requests",
            within=_START_WITHIN,
        )

    def start_apiserver(self) -> None:
        """Start the API server, if it does not run, and wait until it is ready for everything."""
        token = read_or_make_token(self.files.tokens)
        make_signing_key(self.files.signing_key)
        self.files.audit_policy.write_text(AUDIT_POLICY, encoding="utf-8")
        write_kubeconfig(
            self.kubeconfig, url=self.url, authority=self.files.certificate, token=token, user="hotdesk-local-admin"
        )
        if self.state.process("apiserver") is None:
            self.state.start(name="apiserver", command=self._command())
        # The namespace comes last: a controller inside the API server makes it after /readyz is green.
        for path in ("/readyz", "/api/v1/namespaces/default"):
            self.wait_until(
                partial(
                    get,
                    path,
                    address=self.options.address,
                    port=self._port("apiserver_port"),
                    files=self.files,
                    token=token,
                ),
                what=f"{path} answers 200",
                within=_START_WITHIN,
            )

    def wait_until(self, ask: Callable[[], bool | None], *, what: str, within: float) -> None:
        """Return once `ask` answers; raise with the API server's own words if it ends before, or time is over."""
        wait_for_answer(
            ask, process=self.state.last("apiserver"), log=self.state.log("apiserver"), what=what, within=within
        )

    def stop_apiserver(self) -> None:
        """End the API server in good order; etcd keeps the data."""
        self.state.end("apiserver")

    def kill_apiserver(self) -> None:
        """End the API server as a crash would; etcd keeps the data."""
        self.state.kill("apiserver")

    def restart_apiserver(self) -> None:
        """Stop the API server and start it again: same address, same data, same credentials."""
        self.stop_apiserver()
        self.start_apiserver()

    def compact(self) -> int:
        """Cut off etcd's history at the present, and return the revision it begins with."""
        return compact(address=self.options.etcd_address, port=self._port("etcd_port"))

    def stop(self) -> None:
        """End both. The data stays in the state folder."""
        self.stop_apiserver()
        self.state.end("etcd")

    def kubectl(
        self,
        *arguments: str | Path,
        input: str | None = None,  # noqa: A002  # the name subprocess.run gives it
        check: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        """Run this control plane's own kubectl as its administrator; with `check`, failure raises its reason."""
        done = subprocess.run(
            [self.binaries.kubectl, *arguments],
            env={**os.environ, **self.environment},
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=_KUBECTL_WITHIN,
            check=False,
        )
        if check and done.returncode != 0:
            said = done.stderr.strip() or done.stdout.strip()
            raise LocalStackError(f"kubectl {' '.join(map(str, arguments))} failed: {said}")
        return done

    def watch(self, path: str, *, since: int = 0) -> Iterator[dict[str, Any]]:
        """Yield watch events, {"type": "ADDED", "object": …}, of a path like /api/v1/pods, as the administrator.

        `since` is the resourceVersion to go on from; 0 begins with what exists.
        """
        token = read_or_make_token(self.files.tokens)
        return watch(
            path,
            since=since,
            address=self.options.address,
            port=self._port("apiserver_port"),
            files=self.files,
            token=token,
        )

    def kubeconfig_for(self, *, namespace: str, service_account: str) -> Path:
        """Write a kubeconfig with the rights of a ServiceAccount (which must exist), and return its path."""
        token = self.kubectl("create", "token", service_account, "--namespace", namespace, "--duration", "24h")
        return write_kubeconfig(
            self.state.folder / "kubeconfigs" / f"{namespace}-{service_account}",
            url=self.url,
            authority=self.files.certificate,
            token=token.stdout.strip(),
            user=service_account,
        )

    def _command(self) -> list[str | Path]:
        return apiserver_command(
            self.binaries.kube_apiserver,
            files=self.files,
            port=self._port("apiserver_port"),
            etcd_port=self._port("etcd_port"),
            options=self.options,
        )

    def _port(self, name: str) -> int:
        """Return the recorded port, drawn the first time it is asked for."""
        recorded = self.state.fact(name)
        if recorded is None:
            recorded = free_port()
            self.state.note(**{name: recorded})
        return int(recorded)
