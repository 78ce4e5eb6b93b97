"""What people and nature do to one machine, past every rule of AWS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hotdesk_local.aws.model import Instance
from hotdesk_local.aws.ssm_model import Mood
from hotdesk_local.aws.world import World
from hotdesk_local.machines.host import Machines

PERSON = "person"


@dataclass(frozen=True, slots=True)
class Deed:
    """One deed: to whom, when, and what the request's JSON body said."""

    world: World
    machines: Machines
    instance: Instance
    said: Mapping[str, Any]

    @property
    def now(self) -> float:
        """Return the moment of the deed."""
        return self.world.now()


def _terminate(deed: Deed) -> None:
    deed.world.fleet.terminate(deed.instance, cause=PERSON, now=deed.now)


def _stop(deed: Deed) -> None:
    deed.world.fleet.stop(deed.instance, cause=PERSON, now=deed.now)


def _start(deed: Deed) -> None:
    deed.world.fleet.start(deed.instance, cause=PERSON, now=deed.now)


def _reclaim(deed: Deed) -> None:
    deed.world.spot.reclaim(deed.instance, now=deed.now)


def _rebalance(deed: Deed) -> None:
    deed.world.events.recommend_rebalance(deed.instance, now=deed.now)


def _maintenance(deed: Deed) -> None:
    deed.world.events.announce_maintenance(deed.instance, now=deed.now)


def _hang(deed: Deed) -> None:
    deed.machines.hang(deed.instance.id, hanging=True)


def _heal(deed: Deed) -> None:
    deed.machines.hang(deed.instance.id, hanging=False)


def _agent(deed: Deed) -> None:
    deed.world.guests.moods[deed.instance.id] = Mood(str(deed.said.get("mood")))


def _cpu(deed: Deed) -> None:
    deed.world.cpu.say(deed.instance.id, float(deed.said["percent"]), now=deed.now)


def _busy(deed: Deed) -> None:
    if not deed.machines.work(deed.instance.id, busy=bool(deed.said.get("busy", True))):
        raise ValueError("only a running machine with jupyter or activity can be busy")


DEEDS: Mapping[str, Callable[[Deed], None]] = {
    "terminate": _terminate,
    "stop": _stop,
    "start": _start,
    "reclaim": _reclaim,
    "rebalance": _rebalance,
    "maintenance": _maintenance,
    "hang": _hang,
    "heal": _heal,
    "agent": _agent,
    "cpu": _cpu,
    "busy": _busy,
}
"""By the last part of `POST machines/ID/…`. They raise AwsError, or ValueError and KeyError for what was said."""
