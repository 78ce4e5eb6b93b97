"""What becomes of a claimed machine, flow by flow: rest, wake, archive, restore, deletion, interruption, moving on."""

from collections.abc import Callable
from typing import Any

from laws.flows import Do, Flow
from simworld.people import People
from simworld.rest import unrest

SNAPSHOT = {"method": "EBSSnapshot"}
ARCHIVE = {"method": "S3Archive", "s3": {"bucket": "files"}}
_SETTLES_WITHIN = 2400.0  # seconds
_QUICK = {"idleTimeout": "90s"}
_CALM = {"idleTimeout": "Never", "warnBefore": "30s", "retention": "Never"}


def _pool(backup: dict[str, Any] | None = None, *, spot: bool = False, slots: int = 1) -> Do:
    def make(people: People) -> None:
        people.make_group("desk", spot=spot)
        people.make_pool("desk", idle=1, maxMachines=3, slotsPerMachine=slots, lifecycle=_CALM, backup=backup)

    return make


def _steps(*steps: Callable[[People], object]) -> Do:
    """Do one thing after the other, the world coming to rest between them."""

    def do(people: People) -> None:
        for number, step in enumerate(steps):
            if number:
                _rest(people)
            step(people)

    return do


def _at_once(*steps: Callable[[People], object]) -> Do:
    return lambda people: [step(people) for step in steps]


def _come(owner: str = "ada", **spec: Any) -> Do:
    return lambda people: people.come("desk", owner=owner, **spec)


def _work(number: int = 0) -> Do:
    def work(people: People) -> None:
        assert people.work(number), "nobody can work there"

    return work


def _idle(number: int = 0, **more: Any) -> Do:
    """Let a workspace idle from now on: its machine will rest."""
    return lambda people: people.change(number, **(_QUICK | more))


def _stay(number: int = 0) -> Do:
    """Let a workspace that wakes stay awake."""
    return lambda people: people.change(number, idleTimeout="Never", retention=None)


def _beat(number: int = 0) -> Do:
    return lambda people: people.beat(number)


def _ask(number: int = 0) -> Do:
    return lambda people: people.ask_to_wake(number)


def _halt(strategy: str) -> Do:
    return lambda people: people.change(0, runStrategy=strategy)


def _leave(people: People) -> None:
    people.leave(0)


def _elsewhere(people: People) -> None:
    """Let there be no room any more in the zone of the user's machine."""
    (workspace,) = people.world.server.objects("workspaces")
    machine = people.world.aws.world.fleet.instances[workspace["status"]["machine"]]
    people.world.aws.configure(zoneCapacity={machine.subnet.zone: 0})


def _interrupt(people: People) -> None:
    (workspace,) = people.world.server.objects("workspaces")
    people.announce_end_of(workspace["status"]["machine"])


def _rest(people: People) -> None:
    is_at_rest = people.world.until(lambda: not unrest(people.world), within=_SETTLES_WITHIN, every=2)
    assert is_at_rest, "\n".join([*unrest(people.world), people.world.trace.told(last=60)])
    people.witness.check()


_AT_WORK = _steps(_come(), _work())
_STOPPED = _steps(_come(), _work(), _idle())
_ARCHIVED = _steps(_come(), _work(), _at_once(_elsewhere, _idle(retention="60s")))
_SHARED = _steps(_at_once(_come("ada"), _come("bob")), _at_once(_work(0), _work(1)))
_SHARED_STOPPED = _steps(_SHARED, _at_once(_idle(0), _idle(1)))
_MANY = {"none": None, "EBSSnapshot": SNAPSHOT, "S3Archive": ARCHIVE}
_SAVING = {"EBSSnapshot": SNAPSHOT, "S3Archive": ARCHIVE}


def _flows() -> list[Flow]:
    flows: list[Flow] = []
    for name, backup in _MANY.items():
        pool = _pool(backup)
        flows += [
            Flow(f"idle stop, {name}", _idle(), before=_AT_WORK, pool=pool),
            Flow(f"wake by activity, {name}", _at_once(_stay(), _beat()), before=_STOPPED, pool=pool),
        ]
    for name, backup in _SAVING.items():
        pool = _pool(backup)
        flows += [
            Flow(f"stop and archive, {name}", _idle(retention="60s"), before=_AT_WORK, pool=pool),
            Flow(f"wake elsewhere, {name}", _at_once(_stay(), _beat()), before=_ARCHIVED, pool=pool),
            Flow(f"restoreFrom, {name}", _come(restoreFrom={"workspace": "w1"}), before=_STOPPED, pool=pool),
            Flow(f"delete at work, {name}", _leave, before=_AT_WORK, pool=pool),
            Flow(f"delete at rest, {name}", _leave, before=_STOPPED, pool=pool),
            Flow(f"no room to start, {name}", _at_once(_elsewhere, _stay(), _beat()), before=_STOPPED, pool=pool),
            Flow(f"shared rest, {name}", _at_once(_idle(0), _idle(1)), before=_SHARED, pool=_pool(backup, slots=2)),
        ]
    shared = _pool(SNAPSHOT, slots=2)
    spot = _pool(ARCHIVE, spot=True)
    flows += [
        Flow("wake by annotation", _at_once(_stay(), _ask()), before=_STOPPED, pool=_pool()),
        Flow("shared wake", _at_once(_stay(0), _stay(1), _beat(0), _beat(1)), before=_SHARED_STOPPED, pool=shared),
        Flow("shared release", _leave, before=_SHARED, pool=shared),
        Flow("halt", _halt("Halted"), before=_AT_WORK, pool=_pool(ARCHIVE)),
        Flow("halt ends on demand", _halt("Always"), before=_steps(_AT_WORK, _halt("Halted")), pool=_pool()),
        Flow("spot idle", _idle(), before=_AT_WORK, pool=spot),
        Flow("spot interruption", _interrupt, before=_AT_WORK, pool=spot),
        Flow("come again at rest", lambda people: people.come_again(0), before=_STOPPED, pool=_pool(SNAPSHOT)),
    ]
    return flows


LIFECYCLE_FLOWS = tuple(_flows())
