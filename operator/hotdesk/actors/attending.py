"""Asking who is at work: claimed machines are asked evenly over time, and soon where a decision waits for it."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Final, Protocol
from zlib import crc32

from hotdesk.actors.world import Pace
from hotdesk.api.v1alpha1 import Activity
from hotdesk.core.evidence import Evidence, Question
from hotdesk.ports import Clock, Signals

log = logging.getLogger(__name__)

_TICK: Final = 0.1  # seconds: what becomes due within one is asked together; a question costs 1 ms of CPU
_SHARE: Final = 10  # no answer grows older than this part of the idle timeout
_AT_ONCE: Final = 1000  # machines whose answers are awaited; beyond them, whoever waits longest is next


class Attended(Protocol):
    """A pool whose machines are asked."""

    @property
    def name(self) -> str:
        """The pool's name."""

    def questions(self, now: datetime) -> Sequence[Question]:
        """Return what may be asked: one question for each machine that is claimed and runs. Called once, at first."""

    def changed_questions(self, now: datetime) -> Mapping[str, Question | None]:
        """Return what may have changed since then; None: that machine is asked no more. Called every 5 s."""

    def take_evidence(self, evidence: Sequence[Evidence]) -> None:
        """Take answers in; some may be about machines that it has let go meanwhile."""


@dataclass(slots=True)
class _Turn:
    """One machine that is asked again and again; monotonic seconds."""

    subject: Attended
    question: Question
    seen: float
    due: float = 0.0
    asked: float | None = None
    is_awaited: bool = False
    is_over: bool = False


class Attending:
    """One task for all pools that this process acts for. It only passes on what it hears."""

    def __init__(self, signals: Signals, clock: Clock, pace: Pace) -> None:
        self._signals = signals
        self._clock = clock
        self._pace = pace
        self._subjects: dict[str, Attended] = {}
        self._fresh: dict[str, float] = {}  # until when a pool's questions are taken for fresh
        self._unheard: set[str] = set()  # pools whose last questions were not heard
        self._turns: dict[str, dict[str, _Turn]] = {}  # by pool and machine
        self._heap: list[tuple[float, int, _Turn]] = []  # an entry counts only while its turn is due at its time
        self._numbers = count()
        self._asking: set[asyncio.Task[None]] = set()
        self._awaited = 0
        self._news = asyncio.Event()

    def attend(self, subject: Attended) -> None:
        """Ask a pool's machines from now on."""
        self.leave(subject)
        self._subjects[subject.name] = subject
        self._news.set()

    def leave(self, subject: Attended) -> None:
        """Ask them no more; answers under way are for nobody."""
        for turn in self._turns.pop(subject.name, {}).values():
            turn.is_over = True
        for known in (self._subjects, self._fresh):
            known.pop(subject.name, None)

    async def run(self) -> None:
        """Ask, for ever."""
        try:
            while True:
                self._news.clear()
                self._refresh()
                self._ask_due()
                await self._pause()
        finally:
            for task in self._asking:
                task.cancel()

    async def _pause(self) -> None:
        """Wait a tick for what becomes due; without a pool, until there is one."""
        try:
            async with asyncio.timeout(_TICK if self._subjects else None):
                await self._news.wait()
        except TimeoutError:
            return

    # -- who may be asked -------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        now = self._clock.monotonic()
        for name, subject in self._subjects.items():
            if self._fresh.get(name, now) > now:
                continue
            self._fresh[name] = now + self._pace.attend_urgent.total_seconds()
            try:
                self._hear(subject, now=now)
            except Exception:
                # One pool's trouble must not keep the others from being asked.
                log.exception("a pool's questions are not known", extra={"pool": name})
                self._unheard.add(name)

    def _hear(self, subject: Attended, *, now: float) -> None:
        """Hear of all questions of a pool at first, and after trouble; then only of those that may have changed."""
        name, moment = subject.name, self._clock.now()
        changed = subject.changed_questions(moment)
        if name not in self._turns or name in self._unheard:
            asked = {question.machine: question for question in subject.questions(moment)}
            changed = {**dict.fromkeys(self._turns.get(name, {})), **asked}
            self._unheard.discard(name)
        turns = self._turns.setdefault(name, {})
        for machine, question in changed.items():
            turn = turns.get(machine)
            if question is None or not _asks_something(question.activity):
                if turn is not None:
                    turns.pop(machine).is_over = True
                continue
            if turn is None:
                turn = turns[machine] = _Turn(subject=subject, question=question, seen=now)
            turn.question = question
            self._queue(turn)

    def _queue(self, turn: _Turn) -> None:
        turn.due = self._due(turn)
        heappush(self._heap, (turn.due, next(self._numbers), turn))

    # -- asking -----------------------------------------------------------------------------------------------------

    def _ask_due(self) -> None:
        now = self._clock.monotonic()
        chosen: list[_Turn] = []
        while self._heap and self._heap[0][0] <= now and len(chosen) < _AT_ONCE - self._awaited:
            due, _, turn = heappop(self._heap)
            if due != turn.due or turn.is_awaited or turn.is_over:
                continue
            turn.asked, turn.is_awaited = now, True
            turn.due = self._due(turn)
            chosen.append(turn)
        if not chosen:
            return
        self._awaited += len(chosen)
        task = asyncio.get_running_loop().create_task(self._ask(chosen), name="ask who is at work")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _due(self, turn: _Turn) -> float:
        step = self._step(turn.question)
        if turn.asked is not None:
            return turn.asked + step
        return turn.seen if turn.question.is_urgent else turn.seen + step * _jitter(turn.question.machine)

    def _step(self, question: Question) -> float:
        step = self._pace.attend
        if question.idle_timeout is not None:
            step = min(step, question.idle_timeout / _SHARE)
        if question.is_urgent:
            step = min(step, self._pace.attend_urgent)
        return step.total_seconds()

    async def _ask(self, turns: Sequence[_Turn]) -> None:
        try:
            answers = await self._signals.ask([turn.question for turn in turns])
            for subject in {turn.subject.name: turn.subject for turn in turns}.values():
                heard = [answer for turn, answer in zip(turns, answers, strict=True) if turn.subject is subject]
                if self._subjects.get(subject.name) is subject:
                    subject.take_evidence(heard)
        except Exception:
            log.exception("asking who is at work failed")  # they are asked again in their turn
        finally:
            self._awaited -= len(turns)
            for turn in turns:
                turn.is_awaited = False
                if not turn.is_over:
                    self._queue(turn)


def _asks_something(activity: Activity) -> bool:
    return any(part is not None for part in (activity.code_server, activity.jupyter, activity.http, activity.cpu))


def _jitter(machine: str) -> float:
    """Return which part of its first pause a machine waits, so that those that begin together are spread."""
    return crc32(machine.encode()) / 2**32
