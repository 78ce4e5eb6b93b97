"""One account: what every call passes on its way, whoever carries it: faults, quotas, handler."""

from dataclasses import dataclass, field

from hotdesk_local.aws import ec2_tags
from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.faults import Fault, Faults
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.quotas import Quotas
from hotdesk_local.aws.services import Handlers
from hotdesk_local.aws.world import Handler, World


@dataclass(slots=True)
class Account:
    """The world and the way in."""

    world: World
    handlers: Handlers
    faults: Faults = field(default_factory=Faults)
    _quotas: Quotas = field(default_factory=Quotas)

    def admit(self, call: Call, fault: Fault | None) -> None:
        """Refuse a call that shall fail or is one too many: raises AwsError."""
        if fault is not None and fault.kind in {"error", "throttle"}:
            raise fault.error(service=call.service, action=call.action)
        call.doomed = fault is not None and fault.kind == "fail-later"
        self._quotas.spend(
            service=call.service,
            action=call.action,
            params=call.params,
            config=self.world.config,
            now=call.time,
        )

    def handler(self, call: Call) -> Handler | None:
        """Return who carries the call out; None where nobody here does."""
        if call.service == "ec2" and call.action in ec2_tags.ACTIONS and not ec2_tags.is_ours(call.action, call.params):
            return None
        return self.handlers.get(call.service, {}).get(call.action)

    def carry_out(self, handler: Handler, call: Call, params: Params | None = None) -> Params:
        """Do it and return the answer in boto3's shape: raises AwsError. `params` where the record holds less."""
        if call.service == "ec2" and call.params.get("DryRun"):
            raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)
        return handler(self.world, call.params if params is None else params, call)
