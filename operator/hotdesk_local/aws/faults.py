"""Faults on demand: throttling, errors, latency, and connections dropped before or after the effect."""

from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.quotas import throttled

USER = "arn:aws:sts::123456789012:assumed-role/hotdesk/session"


class Fault(BaseModel):
    """What shall go wrong. Without `count` and `probability` it goes wrong until it is deleted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: str
    """`DetachInstances`, `ec2:CreateTags` (two services have that action) or `*`."""
    kind: Literal["throttle", "error", "latency", "drop-before", "drop-after", "fail-later"]
    """`fail-later`: the call goes well, and what it began (a snapshot, a command) ends badly."""
    code: str = "InternalFailure"
    message: str | None = None
    status: int | None = Field(default=None, ge=400, le=599)
    """HTTP status of the error; by default the one AWS uses for the code."""
    seconds: float = Field(default=0.0, ge=0)
    """Length of the latency; the effect comes after it."""
    count: int | None = Field(default=None, ge=1)
    probability: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.count is not None and self.probability is not None:
            raise ValueError("give count or probability, not both")
        return self

    def error(self, *, service: str, action: str) -> AwsError:
        """Return the error this fault answers with."""
        if self.kind == "throttle":
            return throttled(service)
        message = self.message or _message(self.code, f"{service}:{action}")
        return AwsError(self.code, message, status=self.status)


@dataclass(slots=True)
class _Armed:
    id: int
    fault: Fault
    left: int | None


@dataclass(slots=True)
class Faults:
    """The faults in force, oldest first."""

    random: Random = field(default_factory=Random)
    _armed: list[_Armed] = field(default_factory=list)
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    def add(self, fault: Fault) -> int:
        """Arm a fault and return its id."""
        armed = _Armed(id=next(self._ids), fault=fault, left=fault.count)
        self._armed.append(armed)
        return armed.id

    def remove(self, fault_id: int | None = None) -> None:
        """Disarm one fault, or all."""
        self._armed = [a for a in self._armed if fault_id is not None and a.id != fault_id]

    def listed(self) -> list[dict[str, object]]:
        """Return the faults in force with what is left of each."""
        return [{"id": a.id, **a.fault.model_dump(exclude_none=True), "left": a.left} for a in self._armed]

    def take(self, *, service: str, action: str) -> tuple[float, Fault | None]:
        """Use up what applies to a call: the latency before it, and the one other fault."""
        latency, other = 0.0, None
        for armed in list(self._armed):
            fault = armed.fault
            if fault.action not in {action, f"{service}:{action}", "*"} or (other and fault.kind != "latency"):
                continue
            if fault.probability is not None and self.random.random() >= fault.probability:
                continue
            self._use(armed)
            if fault.kind == "latency":
                latency += fault.seconds
            else:
                other = fault
        return latency, other

    def _use(self, armed: _Armed) -> None:
        if armed.left is None:
            return
        armed.left -= 1
        if armed.left == 0:
            self._armed.remove(armed)


def _message(code: str, permission: str) -> str:
    denied = (
        f"User: {USER} is not authorized to perform: {permission} because no identity-based policy allows the "
        f"{permission} action"
    )
    if code == "AccessDenied":
        return denied
    if code == "UnauthorizedOperation":
        return f"You are not authorized to perform this operation. {denied}"
    return f"The simulated AWS was told to answer {permission} with {code}."
