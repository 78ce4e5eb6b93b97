"""Who used a machine, from when to when."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch of time in which a machine ran for one workspace; it has ended."""

    pool: str
    namespace: str
    workspace: str
    uid: str
    owner: str
    machine: str
    slot: int
    started_at: datetime
    ended_at: datetime
