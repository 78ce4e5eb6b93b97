"""What a person may turn while the simulator runs: delays, capacity, quotas."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class EventSettings(BaseModel):
    """How EC2's events reach a queue. Without one nothing is said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    queue: str | None = None
    """Name of the SQS queue."""
    delay: float = Field(default=0.0, ge=0)
    """Seconds until an event can be received."""
    jitter: float = Field(default=0.0, ge=0)
    """Seconds more at most, different for each: events overtake each other."""
    duplicates: float = Field(default=0.0, ge=0, le=1)
    """Share of the events that come twice."""
    losses: float = Field(default=0.0, ge=0, le=1)
    """Share of the events that never come."""


class Config(BaseModel):
    """The behaviour of the simulated AWS. Durations are seconds; the defaults suit a person watching a demo."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    launch: float = Field(default=3.0, ge=0)
    """From the launch (or start) of an instance until EC2 calls it running."""
    boot: float = Field(default=2.0, ge=0)
    """From running until the machine answers."""
    stop: float = Field(default=1.0, ge=0)
    terminate: float = Field(default=1.0, ge=0)
    volume: float = Field(default=0.5, ge=0)
    """From CreateVolume until the volume is available."""
    attach: float = Field(default=0.5, ge=0)
    """How long attaching and detaching a volume last."""
    snapshot: float = Field(default=2.0, ge=0)
    """From CreateSnapshot until the snapshot is completed, or in error."""
    agent: float = Field(default=1.0, ge=0)
    """From running until the machine's SSM agent answers."""
    command: float = Field(default=0.0, ge=0)
    """From SendCommand until the command begins on the machine."""
    run: float = Field(default=0.0, ge=0)
    """How long a command takes at least, as SSM reports it."""
    command_limit: float = Field(default=600.0, gt=0)
    """Real seconds after which a command is killed, whatever its own limit."""
    metric_period: float = Field(default=300.0, gt=0)
    """CloudWatch's period; five minutes without detailed monitoring."""
    metric_delay: float = Field(default=60.0, ge=0)
    """From the end of a period until CloudWatch knows it."""
    spot_warning: float = Field(default=120.0, ge=0)
    """From the warning that a spot instance is taken back until it is."""
    events: EventSettings = EventSettings()
    detach: float = Field(default=0.3, ge=0)
    """How long Detaching and EnteringStandby last."""
    health_check: float = Field(default=3.0, ge=0)
    """From the moment a member is no longer running until its group notices."""
    consistency: float = Field(default=0.0, ge=0)
    """How long EC2 does not know a new instance yet."""
    retry: float = Field(default=1.0, ge=0)
    """From a failed launch until its group tries again."""
    forget: float = Field(default=3600.0, ge=0)
    """How long a terminated instance stays visible."""
    capacity: int | None = Field(default=None, ge=0)
    """Instances AWS has room for (pending, running, stopping); None is no limit."""
    zone_capacity: dict[str, int] = {}
    """The same for single zones."""
    vcpu_quota: int | None = Field(default=None, ge=0)
    """vCPUs the account may run (pending and running); None is no limit."""
    quotas: bool | dict[str, tuple[float, float]] = True
    """Request quotas: AWS's values, none, or bucket name → (burst, refill per second) laid over AWS's values."""
    program: Literal["code-server", "jupyter", "activity"] = "code-server"
    """What machines run on their port, unless their tag `hotdesk-local/program` says otherwise; from the next boot."""
    token: str = "hotdesk-local"  # noqa: S105  # of machines that exist on this computer only
    """Jupyter's token."""
    serve: bool = True
    """Whether machines open a listener; without it they only exist in EC2's answers."""

    def changed(self, changes: dict[str, Any]) -> Self:
        """Return this configuration with some values replaced; raises pydantic's ValidationError on a bad one."""
        known: dict[str, Any] = self.model_dump(by_alias=True)
        changed = {**known, **changes}
        if isinstance(changed["events"], dict):
            changed["events"] = {**known["events"], **changed["events"]}
        return type(self).model_validate(changed)
