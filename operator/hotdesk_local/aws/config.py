"""What a person may turn while the simulator runs: delays, capacity, quotas."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Config(BaseModel):
    """The behaviour of the simulated AWS. Durations are seconds; the defaults suit a person watching a demo."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    launch: float = Field(default=3.0, ge=0)
    """From the launch (or start) of an instance until EC2 calls it running."""
    boot: float = Field(default=2.0, ge=0)
    """From running until the machine answers."""
    stop: float = Field(default=1.0, ge=0)
    terminate: float = Field(default=1.0, ge=0)
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
    vcpu_quota: int | None = Field(default=None, ge=0)
    """vCPUs the account may run (pending and running); None is no limit."""
    quotas: bool | dict[str, tuple[float, float]] = True
    """Request quotas: AWS's values, none, or bucket name → (burst, refill per second) laid over AWS's values."""
    serve: bool = True
    """Whether machines open a listener; without it they only exist in EC2's answers."""

    def changed(self, changes: dict[str, Any]) -> Self:
        """Return this configuration with some values replaced; raises pydantic's ValidationError on a bad one."""
        return type(self).model_validate({**self.model_dump(by_alias=True), **changes})
