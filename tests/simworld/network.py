"""What becomes of a call on its way: delays, losses, late arrivals, repetitions, refusals: the weather's draw."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from simworld.process import Process
from simworld.timeline import Timeline


class Fate(Enum):
    """What happens to one call."""

    WELL = auto()
    LOST = auto()  # it never arrives
    ANSWER_LOST = auto()  # it has its effect, and the caller never hears of it
    LATE = auto()  # the caller has given up, or is dead, when it has its effect
    TWICE = auto()  # it has its effect and its answer, and arrives once more later
    REFUSED = auto()  # nothing happens: throttled, or no leader at the moment
    BROKEN = auto()  # the effect happens, and the answer is an internal error


@dataclass(frozen=True)
class Weather:
    """How calls to one service fare; the probabilities are of one call."""

    quickest: float = 0.001  # seconds for one way
    slowest: float = 0.004
    slow: float = 0.0  # probability that a way takes up to `slow_up_to`
    slow_up_to: float = 3.0
    lost: float = 0.0
    answer_lost: float = 0.0
    late: float = 0.0
    late_up_to: float = 60.0
    twice: float = 0.0
    refused: float = 0.0
    broken: float = 0.0

    @property
    def is_bad(self) -> bool:
        """Whether anything but the usual may happen."""
        return self.slow > 0 or any(probability > 0 for _, probability in self.fates())

    def fates(self) -> tuple[tuple[Fate, float], ...]:
        """Return what may happen besides the usual."""
        return (
            (Fate.LOST, self.lost),
            (Fate.ANSWER_LOST, self.answer_lost),
            (Fate.LATE, self.late),
            (Fate.TWICE, self.twice),
            (Fate.REFUSED, self.refused),
            (Fate.BROKEN, self.broken),
        )


@dataclass(frozen=True)
class Call:
    """One call as it leaves a process."""

    service: str  # api, autoscaling or ec2
    verb: str  # get, list, patch, …; for AWS the action
    about: str  # resource and name; for AWS what the parameters name
    is_write: bool
    left_at: float = 0.0  # seconds since the world began, in AWS's network

    def __str__(self) -> str:
        return f"{self.verb} {self.about}"


@dataclass(frozen=True)
class Order:
    """What a test wants to happen to a call, in place of what the weather brings."""

    fate: Fate | None = None
    sender_dies: bool = False  # as it sends: before the call is out if the fate is None
    after: float = 0.0  # seconds until a late call arrives
    arrives: Callable[[], None] | None = None  # called when the answer reaches the sender
    heard: Callable[[], None] | None = None  # called when the sender has taken it in


Perform = Callable[[Fate], Any]
"""Let the call happen (or not: LOST, REFUSED) and return what the caller gets; for LOST, what it gets at last."""
Intercept = Callable[[Process, Call], Order | None]


class Network:
    """Carries calls from processes to one service."""

    def __init__(self, timeline: Timeline, *, patience: float) -> None:
        self.weather = Weather()
        self.intercept: Intercept | None = None
        self.on_fate: Callable[[Process, Call, Fate], None] = lambda _process, _call, _fate: None
        self.on_send: Callable[[Process, Call], None] = lambda _process, _call: None
        self.late_calls = 0  # on their way to have an effect of which no caller will hear
        self.carried = 0  # calls so far
        self._timeline = timeline
        self._patience = patience  # seconds of silence until a caller gives up

    def carry(self, process: Process, call: Call, perform: Perform, deliver: Callable[[Any], None]) -> None:
        """Send a call: `perform` lets it happen, `deliver` is run in the process with what it returned."""
        order = self.intercept(process, call) if self.intercept is not None else None
        if process.is_dead:
            return
        self.carried += 1
        self.on_send(process, call)
        if order is not None and order.sender_dies:
            process.kill()
            if order.fate is None:
                return
        fate = order.fate if order is not None and order.fate is not None else self._drawn(call)
        if fate is not Fate.WELL:
            self.on_fate(process, call, fate)
        self._send(process, perform, deliver, fate=fate, order=order or Order())

    def _drawn(self, call: Call) -> Fate:
        for fate, probability in self.weather.fates():
            if (call.is_write or fate in (Fate.LOST, Fate.REFUSED)) and self._timeline.chance(probability):
                return fate
        return Fate.WELL

    def _send(
        self, process: Process, perform: Perform, deliver: Callable[[Any], None], *, fate: Fate, order: Order
    ) -> None:
        there, back = self._way(), self._way()
        later = self._timeline.later

        def answer(result: Any) -> None:
            def take_in() -> None:
                if order.arrives is not None:
                    order.arrives()
                deliver(result)
                if order.heard is not None:
                    process.hear(order.heard)

            later(back, lambda: process.hear(take_in))

        match fate:
            case Fate.WELL | Fate.REFUSED | Fate.BROKEN:
                later(there, lambda: answer(perform(fate)))
            case Fate.TWICE:
                later(there, lambda: answer(perform(Fate.WELL)))
                self.late_calls += 1
                later(there + self._timeline.between(0.0, self.weather.late_up_to), lambda: self._arrive(perform, fate))
            case Fate.LOST:
                later(self._patience, lambda: answer(perform(Fate.LOST)))
            case Fate.ANSWER_LOST:
                later(there, lambda: perform(Fate.WELL))
                later(self._patience, lambda: answer(perform(Fate.LOST)))
            case Fate.LATE:
                wait = order.after or self._timeline.between(
                    self._patience, max(self._patience, self.weather.late_up_to)
                )
                self.late_calls += 1
                later(wait, lambda: self._arrive(perform, fate))
                later(self._patience, lambda: answer(perform(Fate.LOST)))

    def _arrive(self, perform: Perform, fate: Fate) -> None:
        self.late_calls -= 1
        perform(fate)

    def _way(self) -> float:
        weather = self.weather
        if self._timeline.chance(weather.slow):
            return self._timeline.between(weather.slowest, weather.slow_up_to)
        return self._timeline.between(weather.quickest, weather.slowest)
