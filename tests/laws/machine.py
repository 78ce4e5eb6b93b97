"""The law machine: users, platform teams, AWS, people and operators do what they may at any moment; the laws hold."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes.apiserver.storage import Json  # a plain alias
from simworld.people import FINE, LATE, RAIN, STORM, People
from simworld.rest import unrest
from simworld.witness import Witness
from simworld.world import SimWorld

POOLS = ("desk", "lab")
_SETTLES_WITHIN = 5400.0  # seconds: late calls (300), quarantine (180 each, ever more slowly), back-off (30)
_MOST_OPERATORS = 2
_BOTH_ACT_FOR = 150.0  # seconds
_MOST_WORKSPACES = 10
numbers = st.integers(0, 50)
pools = st.sampled_from(POOLS)
moments = st.sampled_from((0.0, 0.003, 0.02, 0.2, 1.0, 4.0))
spans = st.sampled_from((0.0, 0.01, 0.3, 1.0, 3.0, 8.0, 20.0, 20.0, 40.0, 100.0, 300.0))
priorities = st.sampled_from((None, None, "low", "high"))
lags = st.sampled_from((0.01, 0.3, 3.0))
skies = st.sampled_from((FINE, FINE, RAIN, STORM))
aws_skies = st.sampled_from((FINE, FINE, RAIN, STORM, LATE))


def step(**arguments: Any) -> Callable[[Callable[..., None]], Any]:
    """Make a rule after which some time passes: a moment, or long enough for everything that follows."""

    def decorate(happen: Callable[..., None]) -> Any:
        @wraps(happen)
        def happens(self: "LawMachine", then: float, **drawn: Any) -> None:
            assert self.world is not None
            happen(self, **drawn)
            self.world.pass_time(then)

        return rule(then=spans, **arguments)(happens)

    return decorate


def has_room_for_users(machine: "LawMachine") -> bool:
    """Whether one more workspace keeps the world small."""
    assert machine.world is not None
    return len(machine.world.server.objects("workspaces")) < _MOST_WORKSPACES


def has_users(machine: "LawMachine") -> bool:
    """Whether there is a workspace."""
    assert machine.world is not None
    return bool(machine.world.server.objects("workspaces"))


class LawMachine(RuleBasedStateMachine):
    """One world and everything that may happen in it. The rules are the story; the witness judges every write of it."""

    ended: Callable[[SimWorld], None] = staticmethod(lambda _world: None)  # told of each world that ended

    def __init__(self) -> None:
        super().__init__()
        self.world: SimWorld | None = None
        self.spot = False
        self.pool_defaults: dict[str, dict[str, Any]] = {}  # what each pool has besides, also when it is made anew
        self.is_over = False  # nothing bad happens any more, whatever was meant to

    @initialize(
        seed=st.integers(0, 2**32),
        shares=st.sampled_from((False, False, True)),
        slow=st.booleans(),
        xml=st.integers(0, 7),
        operators=st.integers(1, 2),
        lag=lags,
        api=skies,
        aws=aws_skies,
    )
    def begin(
        self, *, seed: int, shares: bool, slow: bool, xml: int, operators: int, lag: float, api: Any, aws: Any
    ) -> None:
        """Set up two pools and their operators. One world in eight speaks XML through boto3."""
        self.world = SimWorld(
            seed=seed, shares=shares, launch=60 if slow else 15, terminate=30, detach=5, healthCheck=20, retry=20
        )
        self.world.__enter__()
        self.world.line.speaks_xml = xml == 0
        self.witness = Witness(self.world)
        self.people = People(self.world, self.witness, pools=self.pool_defaults)
        self.people.set_priorities()
        self.people.make_group("desk", maximum=4, spot=self.spot)
        self.people.make_group("lab", maximum=3, spot=self.spot)
        self.people.make_pool("desk", idle=2, maxMachines=4)
        readiness = {"tcpSocket": {"port": 8080}, "deadline": "10m"}
        self.people.make_pool("lab", idle=3, maxMachines=3, slotsPerMachine=3, readiness=readiness)
        for _ in range(operators):
            self.start_operator()
        self.world.pass_time(90)
        self.people.weather(api=api, aws=aws)
        self.world.server.watch_lag = (0.001, lag)

    def teardown(self) -> None:
        """End faults, and see the world come to rest."""
        if self.world is None:
            return
        try:
            if not self.witness.broken:
                self.settle()
        finally:
            self.world.__exit__()
            self.ended(self.world)

    def settle(self) -> None:
        """Let everything be well again: the world must come to rest, and serve a queue in its order."""
        self.is_over = True
        self.people.calm_down()
        self.leave_unheard(0)
        self.rest()
        self.queue_up()
        self.rest()

    def queue_up(self) -> None:
        """Let more users come than there are machines, and one leave: the next one must be the first of the others."""
        assert self.world is not None
        for _ in range(6):
            self.people.come("desk")
            self.world.pass_time(3.0)
        self.world.pass_time(80.0)
        users = self.world.server.objects("workspaces")
        served = (n for n, user in enumerate(users) if user["spec"]["pool"] == "desk" and _is_served(user))
        if (number := next(served, None)) is not None:
            self.people.leave(number)

    def rest(self) -> None:
        """Within a bound of time the world must be at rest, with no law broken."""
        assert self.world is not None
        world = self.world
        is_at_rest = world.until(
            lambda: bool(self.witness.broken) or not unrest(world), within=_SETTLES_WITHIN, every=10
        )
        self.witness.check()
        told = "\n".join(["the world did not come to rest:", *unrest(world), "", world.trace.told(last=120)])
        assert is_at_rest, told

    @invariant()
    def no_law_is_broken(self) -> None:
        if self.world is not None:
            self.witness.check()

    # -- users --------------------------------------------------------------------------------------------------------

    @precondition(has_room_for_users)
    @step(pool=pools, priority=priorities)
    def a_user_comes(self, pool: str, priority: str | None) -> None:
        self.people.come(pool, priority=priority)

    @precondition(has_room_for_users)
    @step(pool=pools, wants=st.lists(priorities, min_size=2, max_size=5), gap=moments)
    def users_come(self, pool: str, wants: list[str | None], gap: float) -> None:
        for priority in wants:
            self.people.come(pool, priority=priority)
            self.world.pass_time(gap)

    @precondition(has_room_for_users)
    @step(pool=pools, wants=st.lists(priorities, min_size=2, max_size=4), after=moments)
    def users_come_to_two_operators(self, pool: str, wants: list[str | None], after: float) -> None:
        if len(self.world.alive) < _MOST_OPERATORS:
            self.start_operator()
            self.world.pass_time(5.0)
        for priority in wants:
            self.people.come(pool, priority=priority)
            self.world.pass_time(after / 10)

    @precondition(has_room_for_users)
    @step(pool=pools, milliseconds=st.integers(1, 25))
    def a_user_comes_and_comes_again(self, pool: str, milliseconds: int) -> None:
        self.world.server.watch_lag = (0.001, 0.005)
        name = self.people.come(pool)
        self.world.pass_time(milliseconds / 1000)
        self.people.come_again_as(name)

    @precondition(has_room_for_users)
    @step(pool=pools, number=numbers, after=moments, replaced=st.booleans())
    def users_come_while_an_operator_is_killed(self, pool: str, number: int, after: float, *, replaced: bool) -> None:
        for _ in range(2):
            self.people.come(pool)
        if self.world.alive:
            self.an_operator_is_killed_soon(number, after, replaced=replaced)

    @precondition(has_room_for_users)
    @step(pool=pools, idle=st.sampled_from((0, 0, 1)), after=st.sampled_from((0.0, 0.003, 0.1)), first=st.booleans())
    def a_pool_shrinks_while_a_user_comes(self, pool: str, idle: int, after: float, *, first: bool) -> None:
        """Let two operators decide about one machine: what one of them hears first, the other hears last."""
        if len(self.world.alive) < _MOST_OPERATORS:
            self.start_operator()
            self.world.pass_time(5.0)
        self.world.server.watch_lag = (0.001, 0.3)
        if first:
            self.people.come(pool)
            self.world.pass_time(after)
        self.people.turn(pool, buffer={"idle": idle})
        if not first:
            self.world.pass_time(after)
            self.people.come(pool)
        self.world.timeline.later(60.0, lambda: self.people.turn(pool, buffer={"idle": 2}))

    @precondition(has_room_for_users)
    @step(pool=pools, after=moments, seconds=st.sampled_from((5.0, 8.0, 30.0)))
    def users_come_while_an_operator_stands_still(self, pool: str, after: float, seconds: float) -> None:
        if len(self.world.alive) < _MOST_OPERATORS:
            self.start_operator()
            self.world.pass_time(10.0)
        self.people.come(pool)
        self.world.pass_time(after / 10)
        for number in range(len(self.world.alive))[:1]:
            self.an_operator_stands_still_soon(number, 0.0, seconds)
        self.people.come(pool)

    @precondition(has_users)
    @step(number=numbers)
    def a_user_leaves_unheard(self, number: int) -> None:
        self.leave_unheard(number)

    def leave_unheard(self, number: int) -> None:
        """Let a user leave while no watch tells: who lists anew is not told of what vanished."""
        for watch in tuple(self.world.server.watches):
            watch.mute(seconds=20)
        self.people.leave(number)
        self.world.break_watches(0, compact=True, mute=False)

    @precondition(has_users)
    @step(number=numbers, count=st.integers(1, 3))
    def users_leave(self, number: int, count: int) -> None:
        for more in range(count):
            self.people.leave(number + 7 * more)

    @precondition(has_users)
    @step(number=numbers)
    def a_user_comes_again(self, number: int) -> None:
        self.people.come_again(number)

    @precondition(has_users)
    @step(number=numbers, value=st.sampled_from(("red", "blue")))
    def a_user_changes_labels(self, number: int, value: str) -> None:
        self.people.label(number, value)

    @precondition(has_users)
    @step(number=numbers, priority=st.sampled_from(("low", "high", "nobody-has-it")))
    def a_user_changes_priority(self, number: int, priority: str) -> None:
        self.people.change(number, priorityClassName=priority)

    # -- platform teams -----------------------------------------------------------------------------------------------

    @step(pool=pools, idle=st.integers(0, 3), most=st.integers(1, 5))
    def a_pool_is_scaled(self, pool: str, idle: int, most: int) -> None:
        self.people.turn(pool, buffer={"idle": idle}, maxMachines=most)

    @step(pool=pools, seconds=st.sampled_from((2.0, 40.0, 300.0)))
    def a_pool_is_paused_for_a_while(self, pool: str, seconds: float) -> None:
        self.people.turn(pool, paused=True)
        self.world.timeline.later(seconds, lambda: self.people.turn(pool, paused=False))

    @step(pool=pools, seconds=st.sampled_from((0.5, 30.0, 400.0)))
    def a_pool_is_deleted_and_made_anew(self, pool: str, seconds: float) -> None:
        self.people.drop_pool(pool)
        self.world.timeline.later(seconds, lambda: self.people.make_pool(pool, idle=2, maxMachines=4))

    @step(seconds=st.sampled_from((5.0, 100.0, 700.0)))
    def another_pool_names_the_same_group_for_a_while(self, seconds: float) -> None:
        self.people.make_pool("rival", group="desk", idle=1, maxMachines=4)
        self.world.timeline.later(seconds, lambda: self.people.drop_pool("rival"))

    # -- AWS ----------------------------------------------------------------------------------------------------------

    @step(api=skies, aws=aws_skies)
    def the_weather_changes(self, api: Any, aws: Any) -> None:
        self.people.weather(api=api, aws=aws)

    @step(capacity=st.sampled_from((None, None, 1, 3)))
    def aws_runs_out_of_machines(self, capacity: int | None) -> None:
        self.world.aws.configure(capacity=capacity)

    @step(launch=st.sampled_from((5, 30, 120)), consistency=st.sampled_from((0, 0, 5)), retry=st.sampled_from((5, 60)))
    def aws_changes_its_pace(self, launch: int, consistency: int, retry: int) -> None:
        self.world.aws.configure(launch=launch, consistency=consistency, retry=retry)

    @step(number=numbers)
    def aws_loses_a_machine(self, number: int) -> None:
        self.people.terminate(number, cause="reclaim")

    @step(number=numbers)
    def a_machine_stops_answering(self, number: int) -> None:
        if not self.world.aws.hanging:
            self.people.hang(number)

    @step(number=numbers)
    def a_guest_powers_off(self, number: int) -> None:
        self.people.power_off(number)

    # -- people who interfere -----------------------------------------------------------------------------------------

    @step(number=numbers)
    def somebody_terminates_a_machine(self, number: int) -> None:
        self.people.terminate(number)

    @step(number=numbers)
    def somebody_detaches_a_machine(self, number: int) -> None:
        self.people.push_out(number)

    @step(number=numbers)
    def somebody_takes_protection_off(self, number: int) -> None:
        self.people.unprotect(number)

    @step(group=pools, desired=st.integers(0, 5))
    def somebody_sets_desired_capacity(self, group: str, desired: int) -> None:
        self.people.want(group, desired)

    @step(group=pools, spoils=st.booleans())
    def somebody_undoes_the_set_up(self, group: str, spoils: bool) -> None:  # noqa: FBT001
        if spoils:
            self.people.spoil(group)
        else:
            self.people.resume(group)

    # -- operators ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.world.alive) < _MOST_OPERATORS)
    @step()
    def an_operator_starts(self) -> None:
        self.start_operator()

    def start_operator(self) -> None:
        """Start one more. Two that ask nobody correct each other's reports for ever: that goes on for a while only."""
        operator = self.world.start_operator()
        if not self.world.shares and len(self.world.alive) > 1:
            self.world.timeline.later(_BOTH_ACT_FOR, lambda: self.world.alive[1:] and operator.kill())

    @precondition(lambda self: self.world.alive)
    @step(number=numbers, after=moments, replaced=st.booleans())
    def an_operator_is_killed(self, number: int, after: float, replaced: bool) -> None:  # noqa: FBT001
        self.an_operator_is_killed_soon(number, after, replaced=replaced)

    def an_operator_is_killed_soon(self, number: int, after: float, *, replaced: bool) -> None:
        victim = self.world.alive[number % len(self.world.alive)]
        self.world.timeline.later(after, lambda: self.is_over or self._killed(victim, replaced=replaced))

    @precondition(lambda self: self.world.alive)
    @step(number=numbers)
    def an_operator_is_stopped(self, number: int) -> None:
        self.world.disturb()
        self.world.alive[number % len(self.world.alive)].stop()
        self.world.timeline.later(2.0, lambda: self.world.alive[1:] or self.start_operator())

    @precondition(lambda self: self.world.alive)
    @step(number=numbers, after=moments, seconds=st.sampled_from((0.5, 8.0, 70.0, 400.0)))
    def an_operator_stands_still(self, number: int, after: float, seconds: float) -> None:
        self.an_operator_stands_still_soon(number, after, seconds)

    def an_operator_stands_still_soon(self, number: int, after: float, seconds: float) -> None:
        victim = self.world.alive[number % len(self.world.alive)]
        self.world.disturb()
        self.world.timeline.later(after, lambda: self.is_over or victim.pause())
        self.world.timeline.later(after + seconds, victim.go_on)

    @precondition(lambda self: self.world.alive)
    @step(number=numbers, seconds=st.sampled_from((-90.0, -2.0, 2.0, 90.0)))
    def a_wall_clock_steps(self, number: int, seconds: float) -> None:
        self.world.step_clock(self.world.alive[number % len(self.world.alive)], seconds)

    @step(number=numbers, how=st.sampled_from(("end", "mute", "compact")))
    def watches_break(self, number: int, how: str) -> None:
        self.world.break_watches(number, compact=how == "compact", mute=how == "mute")

    @step(lag=lags)
    def watches_lag(self, lag: float) -> None:
        self.world.server.watch_lag = (0.001, lag)

    def _killed(self, victim: Any, *, replaced: bool) -> None:
        victim.kill()
        self.world.disturb()
        if replaced:
            self.world.timeline.later(1.0, lambda: self.world.alive[1:] or self.start_operator())


def _is_served(workspace: Json) -> bool:
    return workspace.get("status", {}).get("machine") is not None
