"""The simulated AWS of the local stack on simulated time, in this process: no server, thread or clock of its own."""

from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl

from botocore import xform_name

from hotdesk_local.aws import membership
from hotdesk_local.aws.account import Account
from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.control_loop import pass_time
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.in_process import in_process
from hotdesk_local.aws.model import Group, Instance, Params, State
from hotdesk_local.aws.network import Addresses
from hotdesk_local.aws.services import handlers
from hotdesk_local.aws.wire import Wire
from hotdesk_local.aws.world import World
from simworld.guests import InPlace
from simworld.timeline import START, Timeline

REGION = "eu-west-1"
EPOCH = START.timestamp()
WIRED = ("ec2", "autoscaling")
_WIRES = {service: Wire(service) for service in WIRED}
_XML = handlers(ec2=_WIRES["ec2"], autoscaling=_WIRES["autoscaling"])
OPERATIONS = {service: {xform_name(action): action for action in actions} for service, actions in _XML.items()}
_REACTION = (0.05, 3.0)  # seconds until a group acts on what was asked of it, least and most
_SHORTEST = 0.05


class _Counting(Random):
    """Makes ids that people can tell apart."""

    def __init__(self, last: int = 0) -> None:
        super().__init__(0)
        self.last = last

    def getrandbits(self, k: int, /) -> int:
        del k
        self.last += 1
        return self.last

    def __deepcopy__(self, _memo: object) -> "_Counting":
        return _Counting(self.last)


class _Addresses(Addresses):
    """Addresses that can be copied with the account they are in."""

    def __deepcopy__(self, _memo: object) -> "_Addresses":
        return _Addresses(_taken=set(self._taken))


class SimAws:
    """One account. Time passes for it when the timeline says so; every change of an instance is in its history."""

    def __init__(self, timeline: Timeline, *, root: Path | None = None, **config: Any) -> None:
        """Make it; below `root` disks, snapshots and objects have real bytes, and commands run."""
        settings = {"serve": False, "launch": 20, "boot": 10, "stop": 20, "terminate": 30, "detach": 4} | config
        runner = None if root is None else InPlace()
        self.account = in_process(now=self._time, region=REGION, config=settings, root=root, runner=runner).account
        self._has_bytes = root is not None
        self.account.world.fleet.random = _Counting()
        self.account.world.fleet.addresses = _Addresses()
        self.account.world.fleet.watchers[:] = [self._changed]  # the one it was made with cannot be copied
        self.timeline = timeline
        self.hanging: set[str] = set()  # instances that do not answer
        self._wakes_at = float("inf")

    def take_over(self, other: "SimAws") -> None:
        """Become a copy of another account as it is now."""
        history = self.world.fleet.history
        before = other.world.fleet.history
        history.changes, history.of = [*before.changes], {name: [*of] for name, of in before.of.items()}
        self.account = Account(deepcopy(other.world, {id(other): self, id(before): history}), self.account.handlers)
        self.hanging = set(other.hanging)
        self._plan()

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self._time()

    def _time(self) -> float:
        return EPOCH + self.timeline.now

    @property
    def world(self) -> World:
        """All that AWS knows."""
        return self.account.world

    # -- calls --------------------------------------------------------------------------------------------------------

    def perform(self, service: str, action: str, params: Params) -> Params:
        """Carry out one call in boto3's shapes; raises AwsError."""
        return self._carried_out(self.account, service, action, params)

    def perform_signed(self, action: str, params: Params) -> Params:
        """Carry out a call of S3 that somebody else was given, while the world stands still; raises AwsError."""
        named = {name: value for name, value in params.items() if name != "Body"}
        call = self.world.calls.begin(time=self.now, service="s3", action=action, params=named)
        self._admit(self.account, call)
        handler = self.account.handler(call)
        assert handler is not None
        return self.account.carry_out(handler, call, params)

    def perform_form(self, service: str, body: str) -> str:
        """Carry out one call as it comes over the wire, and return the XML; raises AwsError."""
        form = dict(parse_qsl(body, keep_blank_values=True))
        action, wire = form["Action"], _WIRES[service]
        answer = self._carried_out(Account(self.world, _XML), service, action, wire.parse(action, form))
        return wire.answer(action, answer, request_id="simulated")

    def refusal_text(self, service: str, error: AwsError) -> str:
        """Return the XML of a refusal."""
        return _WIRES[service].refusal(error, request_id="simulated")

    def _carried_out(self, account: Account, service: str, action: str, params: Params) -> Params:
        self.turn()
        named = {name: value for name, value in params.items() if name != "Body"}
        call = self.world.calls.begin(time=self.now, service=service, action=action, params=named)
        try:
            self._admit(account, call)
            handler = account.handler(call)
            assert handler is not None, f"the simulated AWS does not know {service}:{action}"
            answer = account.carry_out(handler, call, params)
        except AwsError as error:
            call.status, call.error = error.status, error.code
            raise
        else:
            call.status = 200
            return answer
        finally:
            self._plan()

    def _admit(self, account: Account, call: Call) -> None:
        """Refuse a call that is one too many, or that a test wants to fail: raises AwsError."""
        _, fault = self.account.faults.take(service=call.service, action=call.action)
        account.admit(call, fault)

    # -- what people do -----------------------------------------------------------------------------------------------

    def add_group(self, name: str, *, desired: int = 0, maximum: int = 4, spot: bool = False, **more: Any) -> None:
        """Create a group as AWS makes it, not as Hotdesk wants it."""
        if not self.world.templates:
            data = {"ImageId": self.world.image, "InstanceType": "m5.large"}
            data |= {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
            self.perform("ec2", "CreateLaunchTemplate", {"LaunchTemplateName": "desk", "LaunchTemplateData": data})
        self.perform(
            "autoscaling",
            "CreateAutoScalingGroup",
            {
                "AutoScalingGroupName": name,
                "MinSize": 0,
                "MaxSize": maximum,
                "DesiredCapacity": desired,
                "LaunchTemplate": {"LaunchTemplateName": "desk", "Version": "$Latest"},
                "VPCZoneIdentifier": ",".join(subnet.id for subnet in self.world.network.subnets),
                **more,
            },
        )

    def configure(self, **changes: Any) -> None:
        """Change how AWS behaves from now on."""
        self.turn()
        self.world.configure(self.world.config.changed(changes))
        self._plan()

    def end(self, name: str, *, cause: str) -> None:
        """Terminate an instance past Auto Scaling, as a person or a reclaim does."""
        self.turn()
        self.world.fleet.terminate(self.world.fleet.instances[name], cause=cause, now=self.now)
        self._plan()

    def power_off(self, name: str) -> None:
        """Stop an instance from within, as a guest's poweroff does."""
        self.turn()
        instance = self.world.fleet.instances[name]
        if instance.state is State.RUNNING and not instance.spec.spot:
            self.world.fleet.stop(instance, cause="guest", now=self.now)
        self._plan()

    def power_on(self, name: str) -> None:
        """Start an instance, as a person in the console does."""
        self.turn()
        instance = self.world.fleet.instances[name]
        if instance.state is State.STOPPED:
            self.world.fleet.start(instance, cause="person", now=self.now)
        self._plan()

    def reclaim(self, name: str) -> None:
        """Take a spot instance back: two minutes from now."""
        self.turn()
        self.world.spot.reclaim(self.world.fleet.instances[name], now=self.now)
        self._plan()

    # -- what is seen -------------------------------------------------------------------------------------------------

    def group(self, name: str) -> Group | None:
        return self.world.groups.get(name)

    def live(self, group: str) -> list[Instance]:
        """Return the live machines that a group launched, whether or not they left it; oldest first."""
        return [i for i in self.world.fleet.instances.values() if i.origin == group and is_live(i)]

    def answers(self, ip: str) -> bool | None:
        """Tell whether the machine at this address answers a probe; None if it lets the caller wait."""
        for instance in self.world.fleet.instances.values():
            if instance.private_ip == ip and instance.state is State.RUNNING:
                if instance.id in self.hanging:
                    return None
                return self.now >= instance.since + self.world.config.boot
        return None

    # -- time ---------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Let everything happen that is due, but for what groups do of themselves."""
        self.world.fleet.advance(now=self.now)
        membership.advance(self.world, now=self.now)
        if self._has_bytes:
            self.world.storage.advance(now=self.now)
            self.world.guests.advance(now=self.now)

    def _wake(self, at: float) -> None:
        if at == self._wakes_at:
            self._wakes_at = float("inf")
            pass_time(self.world, now=self.now)
            self._plan()

    def _plan(self) -> None:
        """Wake up when the next thing is due."""
        at = max(self._due(), self.now + _SHORTEST)
        if at < self._wakes_at:
            self._wakes_at = at
            self.timeline.later(at - self.now, lambda: self._wake(at))

    def _due(self) -> float:
        world, fleet = self.world, self.world.fleet
        moments = [i.since + fleet._duration(i.state) for i in fleet._passing.values()]
        moments += [member.since + world.config.detach for member in world.moving.values()]
        moments.append(world.spot.due())
        if self._has_bytes:
            moments += [world.storage.due(), world.guests.due(now=self.now)]
        moments += [i.since + world.config.forget for i in list(fleet._terminated.values())[:1]]
        for group in world.groups.values():
            if group.needs_look:
                moments.append(max(self.now + self.timeline.between(*_REACTION), group.retry_at))
            if "HealthCheck" not in group.suspended:
                moments += [
                    since + world.config.health_check
                    for name, since in group.unhealthy_since.items()
                    if group.members[name].healthy
                ]
        return min(moments, default=float("inf"))

    def _changed(self, instance: Instance, before: State | None, now: float) -> None:
        world = self.world
        if before is not None:
            membership.instance_changed(world, instance, now=now)
        world.events.instance_changed(instance, before, now)
        world.guests.instance_changed(instance, before, now)
        world.storage.instance_changed(instance, before, now)


def is_live(instance: Instance) -> bool:
    """Tell whether it counts against maxMachines."""
    return instance.state not in (State.SHUTTING_DOWN, State.TERMINATED)
