"""One Fleet, one Vault and one reader of queues for all pools that share a region, an endpoint and a role."""

from collections.abc import Callable
from dataclasses import dataclass

from hotdesk.adapters.aws.budgets import Budgets
from hotdesk.adapters.aws.calls import THREADS, Calls, OnCall
from hotdesk.adapters.aws.clients import Clients, Target, Timeouts
from hotdesk.adapters.aws.fleet import AwsFleet
from hotdesk.adapters.aws.interruptions import AwsInterruptions
from hotdesk.adapters.aws.meter import AwsMeter
from hotdesk.adapters.aws.vault import AwsVault


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the pools of one target share."""

    calls: Calls
    fleet: AwsFleet
    vault: AwsVault


class AwsFleets:
    """Makes fleets and vaults when they are first asked for; belongs to one event loop."""

    def __init__(
        self,
        *,
        on_call: OnCall = lambda _action, _outcome, _seconds: None,
        timeouts: Timeouts | None = None,
        gate: Callable[[], None] = lambda: None,
    ) -> None:
        """`gate` is called before each write, on any thread; what it raises keeps the write from being sent."""
        self._on_call = on_call
        self._gate = gate
        self._timeouts = timeouts or Timeouts()
        self._interruptions: dict[Target, AwsInterruptions] = {}
        self._shared: dict[Target, _Shared] = {}
        self._budgets: dict[tuple[str, str | None], Budgets] = {}

    def fleet(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> AwsFleet:
        """Return the Fleet; making it calls nothing, and its clients are made meanwhile."""
        return self._of(Target(region=region, endpoint_url=endpoint_url, role_arn=role_arn)).fleet

    def vault(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> AwsVault:
        """Return the Vault; it shares threads, clients and budgets with the Fleet."""
        return self._of(Target(region=region, endpoint_url=endpoint_url, role_arn=role_arn)).vault

    def interruptions(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> AwsInterruptions:
        """Return the queues of the same region, endpoint and role; making it calls nothing."""
        target = Target(region=region, endpoint_url=endpoint_url, role_arn=role_arn)
        if target not in self._interruptions:
            self._interruptions[target] = AwsInterruptions(target, on_call=self._on_call, gate=self._gate)
        return self._interruptions[target]

    def meter(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> AwsMeter:
        """Return the meter of processors; it shares threads, clients and credentials with the Fleet."""
        target = Target(region=region, endpoint_url=endpoint_url, role_arn=role_arn)
        return AwsMeter(self._of(target).calls)

    def close(self) -> None:
        """Take no more calls. The process can end once the calls on their way have ended or timed out."""
        for interruptions in self._interruptions.values():
            interruptions.close()
        for shared in self._shared.values():
            shared.calls.close()

    def _of(self, target: Target) -> _Shared:
        if target not in self._shared:
            self._shared[target] = self._make(target)
        return self._shared[target]

    def _make(self, target: Target) -> _Shared:
        # Two roles may be of one account, whose limits they share, so a role gets no budget of its own.
        budgets = self._budgets.setdefault((target.region, target.endpoint_url), Budgets())
        clients = Clients(target=target, timeouts=self._timeouts, connections=THREADS)
        calls = Calls(clients=clients, budgets=budgets, on_call=self._on_call, gate=self._gate)
        calls.prepare()
        return _Shared(calls, AwsFleet(calls), AwsVault(calls))
