"""One Fleet for all pools that share a region, an endpoint and a role."""

from collections.abc import Callable

from hotdesk.adapters.aws.budgets import Budgets
from hotdesk.adapters.aws.calls import THREADS, Calls, OnCall
from hotdesk.adapters.aws.clients import Clients, Target, Timeouts
from hotdesk.adapters.aws.fleet import AwsFleet
from hotdesk.adapters.aws.meter import AwsMeter


class AwsFleets:
    """Makes fleets when they are first asked for; belongs to one event loop."""

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
        self._fleets: dict[Target, AwsFleet] = {}
        self._budgets: dict[tuple[str, str | None], Budgets] = {}

    def fleet(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> AwsFleet:
        """Return the Fleet; making it calls nothing, and its clients are made meanwhile."""
        target = Target(region=region, endpoint_url=endpoint_url, role_arn=role_arn)
        if target not in self._fleets:
            self._fleets[target] = self._make(target)
        return self._fleets[target]

    def meter(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> AwsMeter:
        """Return the meter of processors; it shares threads, clients and credentials with the Fleet."""
        return AwsMeter(self.fleet(region=region, endpoint_url=endpoint_url, role_arn=role_arn).calls)

    def close(self) -> None:
        """Take no more calls. The process can end once the calls on their way have ended or timed out."""
        for fleet in self._fleets.values():
            fleet.close()

    def _make(self, target: Target) -> AwsFleet:
        # Two roles may be of one account, whose limits they share, so a role gets no budget of its own.
        budgets = self._budgets.setdefault((target.region, target.endpoint_url), Budgets())
        clients = Clients(target=target, timeouts=self._timeouts, connections=THREADS)
        calls = Calls(clients=clients, budgets=budgets, on_call=self._on_call, gate=self._gate)
        calls.prepare()
        return AwsFleet(calls)
