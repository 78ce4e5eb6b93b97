"""The crash matrix: a flow is run once undisturbed and its writes are noted; then once for each way to die at each."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, partial
from pathlib import Path

from laws.flows import Flow
from simworld.network import Call, Fate, Order
from simworld.operators import Operator
from simworld.people import People
from simworld.process import Process
from simworld.rest import unrest
from simworld.witness import Witness
from simworld.world import SimWorld

_SETTLES_WITHIN = 2400.0  # seconds
_STARTS_WITHIN = 4.0
_REPLACED_AFTER = 1.0  # seconds until the next operator starts
_LATE = 4.0  # seconds after its sender's death, when its successor is at work
_REPEATED = 2  # calls that look alike are taken so often


class Death(StrEnum):
    """When the operator dies."""

    BEFORE = "before it"
    AFTER = "after it"
    ANSWER_LOST = "after it, the answer lost"
    LATE = "and it comes late"


@dataclass(frozen=True)
class Cell:
    """One way to die."""

    flow: Flow
    operators: int
    number: int  # of the write, from 1
    call: str
    death: Death

    def __str__(self) -> str:
        return f"{self.flow.name}, {self.operators} operator(s): dies {self.death}: write {self.number}, {self.call}"


@dataclass
class Executioner:
    """Counts the writes of one operator from the moment the flow is set off, and ends it at one of them."""

    victim: Operator
    cell: Cell | None
    calls: list[Call]
    is_dying: bool = False
    overtaken: set[int] = field(default_factory=set)  # writes after which others left before the answer was heard

    def __call__(self, process: Process, call: Call) -> Order | None:
        if process is not self.victim.process or not call.is_write:
            return None
        if self.is_dying:
            return Order(sender_dies=True)
        self.calls.append(call)
        if self.cell is None:
            return Order(heard=partial(self._hear, len(self.calls)))
        if len(self.calls) != self.cell.number:
            return None
        match self.cell.death:
            case Death.BEFORE:
                return Order(sender_dies=True)
            case Death.AFTER:
                return Order(fate=Fate.WELL, arrives=self._doom, heard=self.victim.kill)
            case Death.ANSWER_LOST:
                return Order(fate=Fate.ANSWER_LOST, sender_dies=True)
            case Death.LATE:
                return Order(fate=Fate.LATE, sender_dies=True, after=_LATE)

    def _doom(self) -> None:
        self.is_dying = True

    def _hear(self, number: int) -> None:
        if len(self.calls) > number:
            self.overtaken.add(number)


@cache
def start_of(flow: Flow, root: Path | None = None) -> tuple[SimWorld, Witness]:
    """Return the world at rest from which a flow starts; without operators, which remember nothing anyway."""
    with SimWorld(seed=1, shares=False, keeps_books=True, root=root) as world:
        witness = Witness(world)
        people = People(world, witness)
        flow.pool(people)
        world.start_operator()
        assert _rests(world), unrest(world)
        flow.before(people)
        assert _rests(world), unrest(world)
        witness.check()
    return world, witness


def cells_of(flow: Flow, operators: int, *, root: Path | None = None) -> Iterator[Cell]:
    """Run the flow undisturbed, and yield every way to die in it that leaves a world of its own."""
    undisturbed, _ = run(flow, operators, cell=None, root=root)
    seen = Counter[str]()
    for number, call in enumerate(undisturbed.calls, 1):
        seen[_shape(call)] += 1
        if seen[_shape(call)] <= _REPEATED:
            for death in Death:
                # Where nothing else was sent before the answer came, it is all the same whether it was heard.
                if death is not Death.AFTER or number in undisturbed.overtaken:
                    yield Cell(flow=flow, operators=operators, number=number, call=str(call), death=death)


def run(flow: Flow, operators: int, *, cell: Cell | None, root: Path | None = None) -> tuple[Executioner, SimWorld]:
    """Run a flow to rest; raises AssertionError with the story if a law is broken or it does not come to rest.

    Below `root`, an empty folder that is the flow's alone, files have real bytes.
    """
    with SimWorld(seed=1, shares=False, keeps_books=True, root=root) as world:
        before, earlier = start_of(flow, root)
        world.take_over(before)
        witness = Witness(world)
        witness.catch_up(earlier)
        people = People(world, witness, workspaces=len(world.server.objects("workspaces")))
        for _ in range(operators):
            world.start_operator()
        world.pass_time(_STARTS_WITHIN)
        if flow.takes_over:
            flow.then(people)
        executioner = Executioner(world.alive[-1] if flow.takes_over else world.alive[0], cell, [])
        for network in world.networks.values():
            network.intercept = executioner
        if not flow.takes_over:
            flow.then(people)
        if cell is not None:
            assert world.until(lambda: not executioner.victim.is_alive, within=600), (
                "it did not come to this call again"
            )
            world.pass_time(_REPLACED_AFTER)
            if not world.alive:
                world.start_operator()
        is_at_rest = _rests(world)
        witness.check()
        assert is_at_rest, "\n".join([*unrest(world), "", world.trace.told(last=100)])
        wrong = [*witness.keep.at_rest(), *witness.usage.at_rest()]
        assert not wrong, "\n".join([*wrong, "", world.trace.told(last=150)])
        return executioner, world


def _rests(world: SimWorld) -> bool:
    return world.until(lambda: not unrest(world), within=_SETTLES_WITHIN, every=2)


def _shape(call: Call) -> str:
    """Return what a call is, without numbers and names: repetitions of it teach nothing new."""
    return f"{call.service} {call.verb} {call.about.split(' ')[0]}"
