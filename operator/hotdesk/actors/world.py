"""What every actor is given: the ports, and the few figures a person may set."""

from dataclasses import dataclass, field
from datetime import timedelta

from hotdesk.actors.gate import Gate, OpenGate
from hotdesk.actors.telling import Silence, Teller
from hotdesk.ports import Clock, Fleets, Ledger, Metrics, Notifier, Prober, Signals, Store


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are looked at again."""

    look: timedelta = timedelta(seconds=20)  # at AWS, when nothing moves
    look_moving: timedelta = timedelta(seconds=1)  # at AWS, while launches or terminations are under way
    look_gap: timedelta = timedelta(milliseconds=300)  # at least, between two looks
    probe: timedelta = timedelta(milliseconds=500)  # of a booting machine
    upkeep_gap: timedelta = timedelta(milliseconds=200)  # between two upkeep passes of a pool
    report: timedelta = timedelta(seconds=1)  # between two writes of a pool's counts
    attend: timedelta = timedelta(seconds=60)  # between two questions to a machine who works there
    attend_urgent: timedelta = timedelta(seconds=5)  # the same, while a decision waits for the answer
    broad: float = 500
    """Instances; of more, all are looked at less often, and not at first: 1,000 cost 150 ms of CPU to parse."""
    late_call: timedelta = timedelta(minutes=5)
    """How long a call without an answer may still take effect: AWS refuses requests signed longer ago than this."""


@dataclass(frozen=True, slots=True)
class World:
    """The ports an actor works through."""

    store: Store
    fleets: Fleets
    prober: Prober
    clock: Clock
    metrics: Metrics
    pace: Pace
    gate: Gate = field(default_factory=OpenGate)
    notifier: Notifier = field(default_factory=Silence)
    signals: Signals | None = None  # None: nobody is asked who is at work
    ledger: Ledger | None = None  # None: time used is told to workspaces alone

    @property
    def teller(self) -> Teller:
        """Who is called after each write that people may want to know of."""
        return Teller(self.notifier, self.clock)
