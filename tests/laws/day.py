"""A day in the life of a pool that bills: people, rest, restarts and lost answers, told by a seed."""

from collections.abc import Callable

from simworld.network import Weather
from simworld.operators import Operator
from simworld.people import People
from simworld.rest import unrest
from simworld.witness import Witness
from simworld.world import SimWorld

DAY = 24 * 3600.0  # seconds
_SETTLES_WITHIN = 3 * 3600.0
_Deed = Callable[[], object]
_OWNERS = ("ada", "bob", "eve")
_LIFE = {"idleTimeout": "20m", "warnBefore": "2m", "retention": "40m"}
_SNAPSHOT = {"method": "EBSSnapshot"}
_MOST = 6  # workspaces at once
_BOTH_ACT_FOR = 150.0  # seconds
_API = Weather(lost=0.02, answer_lost=0.03, refused=0.02, broken=0.02)
"""Nothing comes late: a claim counts from when it was sent, and the truth from when it arrived."""
_AWS = Weather(
    quickest=0.02, slowest=0.2, slow=0.03, slow_up_to=2.0, lost=0.03, answer_lost=0.05, refused=0.03, broken=0.03
)


class Day:
    """One world from morning to evening."""

    def __init__(self, world: SimWorld, *, restarts: int, clocks: bool, length: float = DAY) -> None:
        self.world = world
        self.witness = Witness(world)
        self.people = People(world, self.witness)
        self.restarts = 0
        self._clocks = clocks
        self._length = length
        self._gap = length / restarts

    def run(self) -> None:
        """Let it pass, and everybody go home: the world comes to rest, and no law was broken."""
        self._begin()
        while self.world.timeline.now < self._length:
            self._happen()
            self.witness.check()
        self._finish()

    def _begin(self) -> None:
        self.people.make_group("desk", maximum=4)
        self.people.make_group("lab", maximum=3)
        self.people.make_pool("desk", idle=1, maxMachines=4, lifecycle=_LIFE, backup=_SNAPSHOT)
        self.people.make_pool("lab", idle=1, maxMachines=3, slotsPerMachine=2, lifecycle=_LIFE, backup=_SNAPSHOT)
        self.world.start_operator()
        self.world.pass_time(120)
        for _ in range(3):
            self._come()
        self.world.server.network.weather, self.world.line.network.weather = _API, _AWS
        self._restart_later()
        self._watch_over()

    def _happen(self) -> None:
        random = self.world.timeline.random
        number = random.randrange(_MOST)
        happen: list[_Deed] = [
            self._come,
            self._come,
            lambda: self.people.beat(number),
            lambda: self.people.beat(number),
            lambda: self.people.beat(number),
            lambda: self.people.leave(number),
            lambda: self.people.ask_to_wake(number),
            lambda: self.people.terminate(number),
            lambda: self.people.power_off(number),
            self._step_clock,
        ]
        random.choice(happen)()
        self.world.pass_time(random.choice((0.05, 1.0, 20.0, 300.0, 900.0, 1800.0)) * random.uniform(0.5, 1.5))

    def _come(self) -> None:
        random = self.world.timeline.random
        if len(self.world.server.objects("workspaces")) < _MOST:
            self.people.come(random.choice(("desk", "lab")), owner=random.choice(_OWNERS))

    def _step_clock(self) -> None:
        random = self.world.timeline.random
        if self._clocks and self.world.alive:
            self.world.step_clock(random.choice(self.world.alive), random.choice((-90.0, -2.0, 2.0, 90.0)))

    def _restart_later(self) -> None:
        """Kill one of them at a moment like any other, or in the middle of what it does about an end."""
        random = self.world.timeline.random
        self.world.timeline.later(self._gap * random.uniform(0.7, 1.2), self._restart)

    def _restart(self) -> None:
        random = self.world.timeline.random
        if self.world.timeline.now > self._length:
            return
        if self.world.alive:
            victim = self.world.alive[0]
            if random.random() < 0.5:  # its successor acts beside it for a while
                self.world.start_operator()
                self.world.timeline.later(random.uniform(1.0, _BOTH_ACT_FOR), lambda: self._killed(victim))
            else:
                self._killed(victim)
        self._restart_later()

    def _watch_over(self) -> None:
        """Start an operator where there is none, as Kubernetes does."""
        if not self.world.alive:
            self.world.start_operator()
        if self.world.timeline.now < self._length:
            self.world.timeline.later(self.world.timeline.random.choice((0.5, 5.0, 60.0)), self._watch_over)

    def _killed(self, victim: Operator) -> None:
        if victim.is_alive:
            victim.kill()
            self.restarts += 1

    def _finish(self) -> None:
        self.people.calm_down()
        for number in reversed(range(len(self.world.server.objects("workspaces")))):
            if number % 2:
                self.people.leave(number)
            else:
                self.people.change(number, runStrategy="Halted", retention="Never")
        is_at_rest = self.world.until(lambda: not unrest(self.world), within=_SETTLES_WITHIN, every=10)
        self.witness.check()
        assert is_at_rest, "\n".join([*unrest(self.world), "", self.world.trace.told(last=100)])
