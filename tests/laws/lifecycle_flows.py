"""What becomes of a claimed machine, flow by flow: rest, wake, archive, restore, deletion, interruption, moving on."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from laws.flows import Do, Flow
from simworld.people import People
from simworld.rest import unrest

SNAPSHOT = {"method": "EBSSnapshot"}
ARCHIVE = {"method": "S3Archive", "s3": {"bucket": "files"}}
_SETTLES_WITHIN = 2400.0  # seconds
_QUICK = {"idleTimeout": "90s"}
_ONE = {"maxRunningPerOwner": 1}
_CALM = {"idleTimeout": "Never", "warnBefore": "30s", "retention": "Never"}


def _pool(backup: dict[str, Any] | None = None, *, spot: bool = False, slots: int = 1, **more: Any) -> Do:
    def make(people: People) -> None:
        people.make_group("desk", spot=spot)
        people.make_pool("desk", idle=1, maxMachines=3, slotsPerMachine=slots, lifecycle=_CALM, backup=backup, **more)

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
    """Let there be no room any more in the zone of the user's machine, and no other machine either."""
    (workspace,) = people.world.server.objects("workspaces")
    aws = people.world.aws
    machine = aws.world.fleet.instances[workspace["status"]["machine"]]
    aws.configure(zoneCapacity={machine.subnet.zone: 0})
    for idle in [one for one in aws.live("desk") if one.subnet == machine.subnet and one is not machine]:
        aws.end(idle.id, cause="person")


def _interrupt(people: People) -> None:
    (workspace,) = people.world.server.objects("workspaces")
    people.announce_end_of(workspace["status"]["machine"])


def _start_by_hand(people: People) -> None:
    """Let a person start a machine at rest in the console, and change a file there."""
    people.start(0)
    people.change(0, retention="60s")


def _halt_at_once(people: People) -> None:
    people.come("desk")
    _until_phase(people, "Running")
    people.change(0, runStrategy="Halted")


def _forget_a_volume(people: People) -> None:
    """Let a volume be left of a restore that somebody gave up, for longer than it may take to notice."""
    tags = {"hotdesk.dev/pool": "desk", "hotdesk.dev/restore": "job", "hotdesk.dev/workspace-uid": "gone"}
    specification = {"ResourceType": "volume", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
    aws = people.world.aws
    asked = {"AvailabilityZone": aws.live("desk")[0].subnet.zone, "Size": 1, "TagSpecifications": [specification]}
    aws.perform("ec2", "CreateVolume", asked)
    people.world.pass_time(60.0)
    aws.world.storage.advance(now=aws.now)  # of itself it does only where files have bytes
    people.world.pass_time(7500.0)


def _work_for_long(people: People) -> None:
    people.work(0)
    people.world.pass_time(70)


def _return_while_saved(people: People) -> None:
    """Let a user return while files are being saved, work, and go for good."""
    people.change(0, **_QUICK)
    _until_phase(people, "Stopping")
    people.world.pass_time(1.0)
    people.beat(0)
    _until_phase(people, "Running")
    people.work(0)
    people.change(0, retention="60s")


def _return_while_stopped(people: People) -> None:
    """Let a user return between the call to stop and the stop."""
    people.change(0, **_QUICK)
    _until_phase(people, "Stopping")
    people.world.pass_time(8.0)
    people.change(0, idleTimeout="Never")
    people.beat(0)


def _return_unheard(people: People) -> None:
    """Let a user return in the last moment, of which the operator's watches tell it too late."""
    people.change(0, **_QUICK)
    people.world.until(lambda: _stop_at(people) is not None, within=_SETTLES_WITHIN)
    stop_at = _stop_at(people)
    people.world.server.watch_lag = (4.0, 5.0)
    people.world.until(lambda: stop_at is None or people.world.timeline.moment >= stop_at, within=200, every=0.5)
    people.change(0, idleTimeout="Never")
    people.beat(0)
    people.world.pass_time(8.0)
    people.world.server.watch_lag = (0.001, 0.01)


def _stop_at(people: People) -> datetime | None:
    """Return the moment a second before the announced stop."""
    ahead = people.world.server.objects("workspaces")[0]["status"].get("next") or {}
    return datetime.fromisoformat(ahead["at"]) - timedelta(seconds=1) if ahead.get("warnedAt") else None


def _until_phase(people: People, phase: str) -> None:
    def is_there() -> bool:
        return bool(people.world.server.objects("workspaces")[0]["status"].get("phase") == phase)

    people.world.until(is_there, within=_SETTLES_WITHIN)


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
            Flow(f"started by hand, {name}", _start_by_hand, before=_STOPPED, pool=pool),
            Flow(f"back while being stopped, {name}", _return_while_stopped, before=_AT_WORK, pool=pool),
            Flow(f"delete at work, {name}", _leave, before=_AT_WORK, pool=pool),
            Flow(f"delete at rest, {name}", _leave, before=_STOPPED, pool=pool),
            Flow(f"no room to start, {name}", _at_once(_elsewhere, _stay(), _beat()), before=_STOPPED, pool=pool),
            Flow(f"shared rest, {name}", _at_once(_idle(0), _idle(1)), before=_SHARED, pool=_pool(backup, slots=2)),
        ]
    shared = _pool(SNAPSHOT, slots=2)
    spot = _pool(ARCHIVE, spot=True)
    flows += [
        Flow("back while being saved", _return_while_saved, before=_AT_WORK, pool=_pool(ARCHIVE)),
        Flow("one of two may be archived", _at_once(_idle(0, retention="60s"), _idle(1)), before=_SHARED, pool=shared),
        Flow("one of two wakes", _at_once(_stay(0), _stay(1), _beat(1)), before=_SHARED_STOPPED, pool=shared),
        Flow("halt at once", _halt_at_once, pool=_pool()),
        Flow("work after a restore", _work_for_long, before=_steps(_ARCHIVED, _at_once(_stay(), _beat())), pool=spot),
        Flow(
            "left over by a restore",
            _forget_a_volume,
            before=lambda people: people.turn("desk", aws={"leaks": "Terminate"}),
            pool=_pool(),
        ),
        Flow("back unheard", _return_unheard, before=_AT_WORK, pool=_pool()),
        Flow(
            "lifetime",
            lambda people: people.turn("desk", lifecycle=_CALM | {"maxLifetime": "5m"}),
            before=_AT_WORK,
            pool=_pool(),
        ),
        Flow("idle at once", _come(**_QUICK), pool=_pool()),
        Flow("wake by annotation", _at_once(_stay(), _ask()), before=_STOPPED, pool=_pool()),
        Flow("shared wake", _at_once(_stay(0), _stay(1), _beat(0), _beat(1)), before=_SHARED_STOPPED, pool=shared),
        Flow("shared release", _leave, before=_SHARED, pool=shared),
        Flow("halt", _halt("Halted"), before=_AT_WORK, pool=_pool(ARCHIVE)),
        Flow("halt ends on demand", _halt("Always"), before=_steps(_AT_WORK, _halt("Halted")), pool=_pool()),
        Flow("spot idle", _idle(), before=_AT_WORK, pool=spot),
        Flow("spot idle, snapshot", _idle(), before=_AT_WORK, pool=_pool(SNAPSHOT, spot=True)),
        Flow("spot interruption", _interrupt, before=_AT_WORK, pool=spot),
        Flow("quota", _at_once(_come(), _come(), _come("bob")), pool=_pool(slots=3, quota=_ONE)),
        Flow("quota with room again", _leave, before=_at_once(_come(), _come()), pool=_pool(slots=3, quota=_ONE)),
        Flow("come again at rest", lambda people: people.come_again(0), before=_STOPPED, pool=_pool(SNAPSHOT)),
    ]
    return flows


LIFECYCLE_FLOWS = tuple(_flows())
