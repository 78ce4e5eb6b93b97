"""Everything an operator does, flow by flow: what is there before, and what sets it off. The crash matrix runs each."""

from collections.abc import Callable
from dataclasses import dataclass

from simworld.people import People

Do = Callable[[People], object]


def _desk(people: People) -> None:
    people.make_group("desk")
    people.make_pool("desk", idle=2, maxMachines=4)


def _lab(people: People) -> None:
    people.make_group("lab")
    people.make_pool("lab", idle=3, maxMachines=3, slotsPerMachine=3)


def _come(count: int = 1, pool: str = "desk") -> Do:
    return lambda people: [people.come(pool) for _ in range(count)]


def _nothing(_people: People) -> None:
    pass


@dataclass(frozen=True)
class Flow:
    """One flow: from rest, with `before` done, through `then`, to rest again."""

    name: str
    then: Do
    before: Do = _nothing
    pool: Do = _desk
    takes_over: bool = False  # the operator that dies is one that took over in the middle of it


def _takeover(people: People) -> None:
    people.come("desk")
    people.come("desk")
    people.world.pass_time(0.006)  # claimed, and not all of it published
    people.world.alive[0].kill()
    people.world.start_operator()


FLOWS = (
    Flow("claim", _come()),
    Flow("claim of several slots", _come(3, "lab"), pool=_lab),
    Flow("secure two", _come(2)),
    Flow("release", lambda people: people.leave(0), before=_come()),
    Flow("release of one slot of two", lambda people: people.leave(0), before=_come(2, "lab"), pool=_lab),
    Flow("come again", lambda people: people.come_again(0), before=_come()),
    Flow("shrink", lambda people: people.turn("desk", buffer={"idle": 0, "scaleDownDelay": "0s"})),
    Flow("lower ceiling", lambda people: people.turn("desk", maxMachines=2), before=_come()),
    Flow("ceiling with a queue", _come(4), before=_come(2)),
    Flow("leave at the ceiling", lambda people: people.leave(0), before=_come(6)),
    Flow("refill", lambda people: people.turn("desk", buffer={"idle": 3}, maxMachines=5)),
    Flow("group set-up", _desk, pool=_nothing),
    Flow("machine lost", lambda people: people.terminate(0), before=_come()),
    Flow("idle machine lost", lambda people: people.terminate(0)),
    Flow("pool deletion", lambda people: people.drop_pool("desk")),
    Flow("pool deletion under a user", lambda people: (people.drop_pool("desk"), people.leave(0)), before=_come()),
    Flow("takeover", _takeover, takes_over=True),
)
