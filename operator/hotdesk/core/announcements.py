"""What AWS announces of an instance before, or as, it happens."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Announced(StrEnum):
    """What is announced."""

    SPOT_INTERRUPTION = "SpotInterruption"  # it is taken in two minutes
    REBALANCE = "RebalanceRecommendation"  # it is likelier than others to be taken
    STATE_CHANGE = "StateChange"
    MAINTENANCE = "Maintenance"


@dataclass(frozen=True, slots=True)
class Announcement:
    """One message of the queue."""

    receipt: str
    what: Announced
    instance: str
    at: datetime
    state: str | None = None  # EC2's new state, with STATE_CHANGE
