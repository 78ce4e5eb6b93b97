"""The simulated AWS without a server: calls are functions in boto3's shape, time is a clock that the caller moves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from hotdesk_local.aws.account import Account
from hotdesk_local.aws.beginning import build_world
from hotdesk_local.aws.config import Config
from hotdesk_local.aws.control_loop import pass_time
from hotdesk_local.aws.errors import AwsError, invalid_action
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.services import handlers
from hotdesk_local.aws.wire import AsItIs
from hotdesk_local.aws.world import NothingYet, World
from hotdesk_local.machines.shell import Runner


class LostCall(Exception):  # noqa: N818  # it is the connection that fails
    """The connection broke: before the effect, or with the effect done and the answer lost."""


@dataclass(frozen=True, slots=True)
class InProcess:
    """One account. Nothing happens but in `call` and `turn`, at the moment `world.now()` says."""

    account: Account

    @property
    def world(self) -> World:
        """Return all that AWS knows."""
        return self.account.world

    def turn(self) -> None:
        """Let everything happen that is due."""
        pass_time(self.world, now=self.world.now())

    def call(self, service: str, action: str, **params: Any) -> Params:
        """Carry out one call, with what is due before and after it. Raises AwsError, or LostCall for a dropped one.

        `Body` of S3 is bytes here. Latency faults and long polls do not wait: the caller owns the clock.
        """
        self.turn()
        _, fault = self.account.faults.take(service=service, action=action)
        named = {name: value for name, value in params.items() if name != "Body"}
        call = self.world.calls.begin(time=self.world.now(), service=service, action=action, params=named)
        if fault is not None and fault.kind == "drop-before":
            call.error = fault.kind
            raise LostCall(action)
        try:
            self.account.admit(call, fault)
            handler = self.account.handler(call)
            if handler is None:
                raise invalid_action(action)
            answer = self.account.carry_out(handler, call, params)
            call.status = 200
        except NothingYet:
            answer, call.status = {}, 200
        except AwsError as refusal:
            call.status, call.error = refusal.status, refusal.code
            raise
        self.turn()
        if fault is not None and fault.kind == "drop-after":
            call.status, call.error = 0, fault.kind
            raise LostCall(action)
        return {key: _without_nothing(value) for key, value in answer.items() if value is not None}


def in_process(
    *,
    now: Callable[[], float],
    root: Path | None = None,
    runner: Runner | None = None,
    region: str = "eu-central-1",
    network: str = "10.64.0.0/16",
    config: Mapping[str, Any] | None = None,
) -> InProcess:
    """Make an account on this clock; `root` and `runner` as build_world takes them."""
    world = build_world(
        region=region,
        network=IPv4Network(network),
        config=Config().changed(dict(config or {})),
        root=root,
        runner=runner,
        now=now,
    )
    plain = AsItIs()
    return InProcess(Account(world, handlers(ec2=plain, autoscaling=plain)))


def _without_nothing(value: Any) -> Any:
    """Leave out what is None: on the wire it is absent."""
    if isinstance(value, Mapping):
        return {key: _without_nothing(one) for key, one in value.items() if one is not None}
    return [_without_nothing(one) for one in value] if isinstance(value, list) else value
