"""The shapes of load: when each Workspace is created."""

import random
from dataclasses import dataclass

_SEED = 20260101  # the same arrivals in every run, for the floor and for Hotdesk


@dataclass(frozen=True)
class Shape:
    """Rounds of creates. A round begins when every IP of the one before is visible; within it nothing is waited for."""

    name: str
    title: str
    rounds: tuple[tuple[float, ...], ...]
    """The seconds after the beginning of its round at which each create is sent."""

    @property
    def claims(self) -> int:
        """How many Workspaces it creates."""
        return sum(len(offsets) for offsets in self.rounds)


def serial(count: int) -> Shape:
    """One after the other."""
    return Shape(name="serial", title=f"serial {count}", rounds=((0.0,),) * count)


def parallel(width: int, times: int) -> Shape:
    """So many at once, several times."""
    return Shape(name="parallel", title=f"{width} parallel x {times}", rounds=((0.0,) * width,) * times)


def burst(count: int) -> Shape:
    """All at once."""
    return Shape(name="burst", title=f"burst {count}", rounds=((0.0,) * count,))


def poisson(rate: int, seconds: float) -> Shape:
    """Arrivals that know nothing of each other, `rate` a second."""
    draw = random.Random(_SEED)  # noqa: S311  # arrivals, not secrets
    offsets: list[float] = []
    moment = draw.expovariate(rate)
    while moment < seconds:
        offsets.append(moment)
        moment += draw.expovariate(rate)
    return Shape(name=f"poisson{rate}", title=f"Poisson {rate}/s, {seconds:g} s", rounds=(tuple(offsets),))
