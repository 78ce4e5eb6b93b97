"""Which machines' processors are busy: CloudWatch, asked for many at once and seldom, since each answer is paid for."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from hotdesk.core.evidence import Question
from hotdesk.core.processors import WINDOW, Load, busy_since
from hotdesk.ports import Clock, HotdeskError

log = logging.getLogger(__name__)

_EVERY: Final = 240.0  # seconds; there is a new figure every five minutes
_RETRY: Final = 60.0  # seconds after a failure
_FORGOTTEN: Final = 3600.0  # seconds
_PATIENCE: Final = 5.0  # seconds; an answer that comes later serves the next question
Place = tuple[str, str | None, str | None]


class Meter(Protocol):
    """CloudWatch in one region with one set of credentials."""

    async def loads(
        self, machines: Collection[str], *, since: datetime, until: datetime
    ) -> Mapping[str, Sequence[Load]]:
        """Return what was measured of each machine. Raises what reads of the Fleet raise."""


class Meters(Protocol):
    """Makes the meter of a place."""

    def meter(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> Meter:
        """Return the meter; making it calls nothing."""


@dataclass(frozen=True, slots=True)
class Busy:
    """What is known of one machine's processors: since when they are busy, or why nobody knows."""

    since: datetime | None = None
    failure: str | None = None


@dataclass(slots=True)
class _Known:
    asked: float
    loads: Sequence[Load] = ()
    failure: str | None = "CloudWatch has not answered yet"
    good_for: float = _EVERY


class Processors:
    """Remembers what was measured for some minutes. Belongs to one event loop."""

    def __init__(self, meters: Meters, clock: Clock, *, gathering: timedelta = timedelta(seconds=2)) -> None:
        """`gathering` is how long questions are gathered before a call: CloudWatch takes few calls and long ones."""
        self._meters = meters
        self._clock = clock
        self._gathering = gathering.total_seconds()
        self._gathered: dict[Place, tuple[asyncio.Task[None], list[str]]] = {}
        self._known: dict[str, _Known] = {}
        self._swept = clock.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()

    async def look(self, questions: Sequence[Question], *, now: datetime) -> Mapping[str, Busy]:
        """Return what is known of the machines whose pool wants it, within seconds; never raises."""
        wanted = [question for question in questions if question.activity.cpu is not None]
        due = [question for question in wanted if self._is_due(question.machine)]
        tasks = {self._gather(place, machines) for place, machines in _by_place(due).items()}
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE)
        return {question.machine: self._judge(question, now=now) for question in wanted}

    def _is_due(self, machine: str) -> bool:
        known = self._known.get(machine)
        return known is None or self._clock.monotonic() - known.asked >= known.good_for

    def _gather(self, place: Place, machines: Sequence[str]) -> asyncio.Task[None]:
        asked = self._clock.monotonic()
        self._sweep(asked)
        for machine in machines:  # what is known of it holds until the answer comes
            known = self._known.setdefault(machine, _Known(asked))
            known.asked, known.good_for = asked, _EVERY
        if place not in self._gathered:
            task = asyncio.create_task(self._measure_gathered(place))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self._gathered[place] = task, []
        task, gathered = self._gathered[place]
        gathered += machines
        return task

    async def _measure_gathered(self, place: Place) -> None:
        await asyncio.sleep(self._gathering)
        _, machines = self._gathered.pop(place)
        await self._measure(place, machines, now=self._clock.now())

    def _sweep(self, now: float) -> None:
        if now - self._swept >= _FORGOTTEN:
            self._swept = now
            self._known = {name: known for name, known in self._known.items() if now - known.asked < _FORGOTTEN}

    async def _measure(self, place: Place, machines: Sequence[str], *, now: datetime) -> None:
        region, endpoint_url, role_arn = place
        try:
            meter = self._meters.meter(region=region, endpoint_url=endpoint_url, role_arn=role_arn)
            loads = await meter.loads(machines, since=now - WINDOW, until=now)
        except HotdeskError as error:
            self._fail(machines, str(error))
        except Exception:
            log.exception("measuring processors failed")
            self._fail(machines, "CloudWatch's answer cannot be read")
        else:
            for machine in machines:
                self._known[machine].loads = loads.get(machine, ())
                self._known[machine].failure = None

    def _fail(self, machines: Sequence[str], failure: str) -> None:
        for machine in machines:
            self._known[machine].failure = failure
            self._known[machine].good_for = _RETRY

    def _judge(self, question: Question, *, now: datetime) -> Busy:
        known, cpu = self._known[question.machine], question.activity.cpu
        if known.failure is not None or cpu is None:
            return Busy(failure=known.failure)
        return Busy(since=busy_since(known.loads, above=cpu.above_percent, now=now))


def _by_place(questions: Sequence[Question]) -> Mapping[Place, list[str]]:
    places: dict[Place, list[str]] = {}
    for question in questions:
        places.setdefault((question.region, question.endpoint_url, question.role_arn), []).append(question.machine)
    return places
