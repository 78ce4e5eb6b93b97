"""What SSM remembers: agents in their moods, commands and what became of them."""

from dataclasses import dataclass, field
from enum import StrEnum

from hotdesk_local.aws.model import Instance
from hotdesk_local.machines.shell import Job


class Mood(StrEnum):
    """How a machine's agent behaves; set through the control API."""

    ONLINE = "online"
    OFFLINE = "offline"
    """Its connection is lost: commands wait until they are no longer worth delivering."""
    FAILING = "failing"
    """Every command fails before it runs."""
    HANGING = "hanging"
    """Takes commands and never reports."""


class Status(StrEnum):
    """How far an invocation is."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCESS = "Success"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"


OPEN = frozenset({Status.PENDING, Status.IN_PROGRESS})


@dataclass(slots=True, eq=False)
class Command:
    """One SendCommand. `timeout` bounds the wait for delivery, `limit` the run; seconds."""

    id: str
    number: int
    script: str
    folder: str | None
    parameters: dict[str, list[str]]
    comment: str
    asked: float
    timeout: float
    limit: float
    targets: list[dict[str, object]]
    doomed: bool = False
    invocations: dict[str, "Invocation"] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Invocation:
    """A command on one machine."""

    command: Command
    instance: Instance
    status: Status = Status.PENDING
    details: str = "Pending"
    started: float | None = None
    ended: float | None = None
    code: int = -1
    stdout: str = ""
    stderr: str = ""
    job: Job | None = None
