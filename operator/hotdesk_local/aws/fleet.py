"""EC2 instances: launch, stop, start, terminate, and the time each of these takes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from hotdesk_local.aws.calls import CallLog
from hotdesk_local.aws.capacity import shortage
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.config import Config
from hotdesk_local.aws.errors import AwsError, no_such_instances
from hotdesk_local.aws.history import Change, History
from hotdesk_local.aws.model import LIVE, PASSING, Instance, LaunchSpec, State, Subnet
from hotdesk_local.aws.network import Addresses

StateWatcher = Callable[[Instance, State | None, float], None]
"""Called after every change of state with the state before it (None at launch) and the moment."""


@dataclass(slots=True)
class Fleet:
    """Every instance AWS still shows."""

    config: Config
    calls: CallLog
    history: History = field(default_factory=History)
    instances: dict[str, Instance] = field(default_factory=dict)
    """By id, in the order of their launch."""
    gone: dict[str, Instance] = field(default_factory=dict)
    """Those AWS no longer shows, for the history alone."""
    watchers: list[StateWatcher] = field(default_factory=list)
    addresses: Addresses = field(default_factory=Addresses)
    random: Random = field(default_factory=Random)
    launched: int = 0
    _passing: dict[str, Instance] = field(default_factory=dict)
    _terminated: dict[str, Instance] = field(default_factory=dict)

    def launch(  # an instance is described by this much
        self,
        spec: LaunchSpec,
        *,
        subnet: Subnet,
        cause: str,
        now: float,
        tags: dict[str, str],
        origin: str | None = None,
        public: bool = True,
        client_token: str | None = None,
    ) -> Instance:
        """Start a new instance. Raises InsufficientInstanceCapacity or VcpuLimitExceeded."""
        refusal = shortage(self.instances.values(), spec=spec, zone=subnet.zone, config=self.config)
        if refusal is not None:
            raise refusal
        self.launched += 1
        instance = Instance(
            id=self.new_id("i"),
            number=self.launched,
            spec=spec,
            subnet=subnet,
            private_ip=self.addresses.private(subnet),
            public_ip=self.addresses.public() if public else None,
            launched=now,
            created=now,
            state=State.PENDING,
            since=now,
            cause=cause,
            reservation=self.new_id("r"),
            tags=tags,
            origin=origin,
            client_token=client_token,
        )
        self.instances[instance.id] = instance
        self._entered(instance, None, cause=cause, now=now)
        return instance

    def stop(self, instance: Instance, *, cause: str, now: float) -> None:
        """Stop it; nothing happens to one that is stopping or stopped. Raises IncorrectInstanceState."""
        check_stop(instance)
        if instance.state is not State.RUNNING:
            return
        instance.transition = f"User initiated ({_written(now)})"
        instance.reason = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
        self._change(instance, State.STOPPING, cause=cause, now=now)

    def start(self, instance: Instance, *, cause: str, now: float) -> None:
        """Start it again; nothing happens to one that runs. Raises IncorrectInstanceState or a shortage."""
        check_start(instance)
        if instance.state is not State.STOPPED:
            return
        refusal = shortage(self.instances.values(), spec=instance.spec, zone=instance.subnet.zone, config=self.config)
        if refusal is not None:
            raise refusal
        instance.reason, instance.transition = None, ""
        instance.launched = now
        instance.public_ip = self.addresses.public()
        self._change(instance, State.PENDING, cause=cause, now=now)

    def terminate(self, instance: Instance, *, cause: str, now: float, reason: str | None = None) -> None:
        """End it for good, whatever its state; nothing happens to one that is ending."""
        if instance.state in {State.SHUTTING_DOWN, State.TERMINATED}:
            return
        code = reason or "Client.UserInitiatedShutdown"
        instance.transition = f"{'User' if reason is None else 'Service'} initiated ({_written(now)})"
        instance.reason = (code, f"{code}: {'User initiated shutdown' if reason is None else 'Instance terminated'}")
        self._change(instance, State.SHUTTING_DOWN, cause=cause, now=now)

    def advance(self, *, now: float) -> None:
        """Let time pass: what was launching, stopping or shutting down may be done."""
        for instance in list(self._passing.values()):
            if now >= instance.since + self._duration(instance.state):
                self._change(instance, _AFTER[instance.state], cause=instance.cause, now=now)
        for instance in list(self._terminated.values()):
            if now < instance.since + self.config.forget:
                break  # in the order of their end: the rest is younger
            del self._terminated[instance.id]
            self.gone[instance.id] = self.instances.pop(instance.id)

    def known(self, ids: list[str], *, now: float) -> list[Instance]:
        """Return the instances with these ids. Raises InvalidInstanceID.Malformed or .NotFound for the whole call."""
        for instance_id in ids:
            if not instance_id.startswith("i-"):
                raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
        missing = [name for name in ids if not self.visible(name, now=now)]
        if missing:
            raise no_such_instances(missing)
        return [self.instances[name] for name in dict.fromkeys(ids)]

    def visible(self, instance_id: str, *, now: float) -> bool:
        """Say whether EC2 admits to knowing it; right after the launch it may not."""
        instance = self.instances.get(instance_id)
        return instance is not None and now >= instance.created + self.config.consistency

    def note(self, instance: Instance, what: str, *, old: str | None, new: str | None, cause: str, now: float) -> None:
        """Record a change and forget the instance's rendered text."""
        instance.rendered = None
        if instance.member is not None:
            instance.member.rendered = None
        self.history.add(
            Change(n=self.calls.last, time=now, instance=instance.id, what=what, old=old, new=new, cause=cause),
        )

    def new_id(self, prefix: str) -> str:
        """Return an id in AWS's long form."""
        return f"{prefix}-{self.random.getrandbits(68):017x}"

    def find(self, instance_id: str) -> Instance | None:
        """Return an instance, shown or gone."""
        return self.instances.get(instance_id) or self.gone.get(instance_id)

    def _duration(self, state: State) -> float:
        if state is State.PENDING:
            return self.config.launch
        return self.config.stop if state is State.STOPPING else self.config.terminate

    def _change(self, instance: Instance, state: State, *, cause: str, now: float) -> None:
        before, instance.state = instance.state, state
        if state not in {State.PENDING, State.RUNNING} and instance.public_ip is not None:
            self.addresses.release(instance.public_ip)
            instance.public_ip = None
        if state is State.TERMINATED:
            self.addresses.release(instance.private_ip)
            self._terminated[instance.id] = instance
        instance.since = now
        instance.cause = cause
        self._entered(instance, before, cause=cause, now=now)

    def _entered(self, instance: Instance, before: State | None, *, cause: str, now: float) -> None:
        if instance.state in PASSING:
            self._passing[instance.id] = instance
        else:
            self._passing.pop(instance.id, None)
        self.note(instance, "state", old=before, new=instance.state, cause=cause, now=now)
        for watch in self.watchers:
            watch(instance, before, now)


_AFTER = {State.PENDING: State.RUNNING, State.STOPPING: State.STOPPED, State.SHUTTING_DOWN: State.TERMINATED}


def is_alive(instance: Instance) -> bool:
    """Say whether it counts against maxMachines."""
    return instance.state in LIVE


def check_stop(instance: Instance) -> None:
    """Raise AWS's refusal to stop it; one that is stopping or stopped is none."""
    if instance.state not in {State.RUNNING, State.STOPPING, State.STOPPED}:
        raise _incorrect_state(instance, verb="stopped")
    if instance.spec.spot:
        raise AwsError(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot "
            "Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
        )


def check_start(instance: Instance) -> None:
    """Raise AWS's refusal to start it; one that is pending or running is none."""
    if instance.state not in {State.PENDING, State.RUNNING, State.STOPPED}:
        raise _incorrect_state(instance, verb="started")


def _written(seconds: float) -> str:
    return moment(seconds).strftime("%Y-%m-%d %H:%M:%S GMT")


def _incorrect_state(instance: Instance, *, verb: str) -> AwsError:
    return AwsError(
        "IncorrectInstanceState",
        f"The instance '{instance.id}' is not in a state from which it can be {verb}.",
    )
