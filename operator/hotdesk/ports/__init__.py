"""What the actors need from the world, and the errors it answers with."""

from hotdesk.ports.aws import Fleet, Fleets, Interruptions, Ledger, Vault
from hotdesk.ports.errors import (
    Conflict,
    Denied,
    Fenced,
    HotdeskError,
    InsufficientCapacity,
    NotFound,
    Refused,
    Throttled,
    Unanswered,
)
from hotdesk.ports.kube import Leases, Store
from hotdesk.ports.surroundings import Clock, Metrics, Notifier, Prober, Secrets, Signals

__all__ = [
    "Clock",
    "Conflict",
    "Denied",
    "Fenced",
    "Fleet",
    "Fleets",
    "HotdeskError",
    "InsufficientCapacity",
    "Interruptions",
    "Leases",
    "Ledger",
    "Metrics",
    "NotFound",
    "Notifier",
    "Prober",
    "Refused",
    "Secrets",
    "Signals",
    "Store",
    "Throttled",
    "Unanswered",
    "Vault",
]
