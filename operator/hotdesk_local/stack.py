"""The whole local stack: control plane, simulated AWS and the operator, each a process."""

import http.client
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from hotdesk_local.controlplane.apiserver import Options
from hotdesk_local.controlplane.binaries import find_or_build
from hotdesk_local.controlplane.crds import SYSTEM_NAMESPACE, apply_crds, find_crds, grant_operator_rights
from hotdesk_local.controlplane.plane import ControlPlane
from hotdesk_local.ports import free_port
from hotdesk_local.processes import Process
from hotdesk_local.progress import Progress
from hotdesk_local.simulated_aws import SimulatedAws
from hotdesk_local.state import State
from hotdesk_local.waiting import wait_for_answer

_OPERATOR_WITHIN = 60.0
_LEDGER = "hotdesk-ledger"  # a bucket
_TIMEOUT = 5.0


class LocalStack:
    """A running stack. Made by `start`; `stop` ends what was started and nothing else."""

    def __init__(self, *, state: State, controlplane: ControlPlane, aws: SimulatedAws) -> None:
        """Describe a stack whose control plane and AWS run; see `start`."""
        self.state = state
        self.controlplane = controlplane
        self.aws = aws

    @classmethod
    def start(
        cls,
        state_dir: Path | State,
        *,
        operator: bool = True,
        replicas: int = 1,
        aws_config: Mapping[str, Any] | None = None,
        aws_address: str = "127.0.0.1",
        options: Options | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Start what of the stack does not run; return when all of it answers. On failure nothing is left running."""
        state = state_dir if isinstance(state_dir, State) else State(state_dir)
        progress = progress or Progress()
        try:
            binaries = find_or_build(progress=progress)
            # First, because it takes as long as the control plane does and they start at the same time.
            SimulatedAws.launch(state, config=aws_config, address=aws_address)
            with progress.step("starting etcd and kube-apiserver"):
                plane = ControlPlane.start(state, options=options, binaries=binaries)
                apply_crds(plane, folder=find_crds())
            with progress.step("starting the simulated AWS"):
                aws = SimulatedAws.await_answer(state)
                aws.create_bucket(_LEDGER)
            stack = cls(state=state, controlplane=plane, aws=aws)
            for replica in range(1, replicas + 1) if operator else ():
                with progress.step(f"starting {operator_name(replica)}"):
                    stack.start_operator(replica=replica)
        except BaseException:
            state.end_all()
            raise
        return stack

    @property
    def aws_endpoint(self) -> str:
        """The address of the simulated AWS, of its control API too (`/_sim/`)."""
        return self.aws.endpoint

    @property
    def metrics_url(self) -> str:
        """The address of the first operator's metrics, /healthz and /readyz."""
        return self.metrics_url_of(1)

    @property
    def env(self) -> dict[str, str]:
        """What a program needs in its environment to talk to this stack."""
        return {
            **self.controlplane.environment,
            **self.aws.environment,
            "HOTDESK_LEDGER": f"s3://{_LEDGER}",
            "HOTDESK_METRICS_URL": self.metrics_url,
        }

    def create_group(self, name: str, max_size: int, min_size: int = 0, **settings: Any) -> None:
        """Make an Auto Scaling group; `settings` as `SimulatedAws.create_group` takes them."""
        self.aws.create_group(name, max_size=max_size, min_size=min_size, **settings)

    def metrics_url_of(self, replica: int) -> str:
        """Return the address of an operator's metrics, /healthz and /readyz."""
        return f"http://127.0.0.1:{self._metrics_port(replica)}"

    def start_operator(self, *, replica: int = 1, extra_env: Mapping[str, str] | None = None) -> Process:
        """Start an operator, if it does not run, and return when it is ready; they are numbered from 1."""
        name = operator_name(replica)
        process = self.state.process(name) or self.state.start(
            name=name,
            command=[Path(sysconfig.get_path("scripts")) / "hotdesk", "operator"],
            environment={
                **self.env,
                "KUBECONFIG": self._operator_kubeconfig(),
                "HOTDESK_METRICS_ADDRESS": "127.0.0.1",
                "HOTDESK_METRICS_PORT": str(self._metrics_port(replica)),
                "HOTDESK_LEASE_NAMESPACE": SYSTEM_NAMESPACE,
                # Always the same: started again, it goes on at once with what the one before had.
                "HOTDESK_REPLICA": name,
                **(extra_env or {}),
            },
        )
        wait_for_answer(
            lambda: self._operator_ready(replica),
            process=process,
            log=self.state.log(name),
            what="/readyz answers 200",
            within=_OPERATOR_WITHIN,
        )
        return process

    def stop_operator(self, *, replica: int = 1) -> None:
        """End an operator in good order."""
        self.state.end(operator_name(replica))

    def kill_operator(self, *, replica: int = 1) -> None:
        """End an operator as a crash would."""
        self.state.kill(operator_name(replica))

    def stop(self) -> None:
        """End everything, last started first. The files stay for whoever wants to look."""
        self.state.end_all()

    def _operator_kubeconfig(self) -> str:
        if self.state.fact("operator_kubeconfig") is None:
            self.state.note(operator_kubeconfig=str(grant_operator_rights(self.controlplane)))
        return str(self.state.fact("operator_kubeconfig"))

    def _metrics_port(self, replica: int) -> int:
        fact = f"{operator_name(replica)}_metrics_port"
        if self.state.fact(fact) is None:
            self.state.note(**{fact: free_port()})
        return int(self.state.fact(fact))

    def _operator_ready(self, replica: int) -> bool | None:
        connection = http.client.HTTPConnection("127.0.0.1", self._metrics_port(replica), timeout=_TIMEOUT)
        try:
            connection.request("GET", "/readyz")
            return True if connection.getresponse().status == http.HTTPStatus.OK else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def operator_name(replica: int) -> str:
    """Return what the process of an operator is called; they are numbered from 1."""
    return "operator" if replica == 1 else f"operator-{replica}"
