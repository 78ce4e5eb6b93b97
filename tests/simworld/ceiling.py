"""Law 3: live machines never exceed `maxMachines`, with the one exception that the design states."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fakes.apiserver.storage import Json
from hotdesk_local.aws.model import COUNTED, Group, Instance
from simworld.network import Call, Fate
from simworld.world import SimWorld

_IN_TIME = 1.0  # seconds that a call may take; whatever takes longer comes late
_REBALANCES = 900.0  # seconds that a rebalance which people allowed may take
_SETTINGS = ("DesiredCapacity", "MaxSize")


@dataclass(frozen=True)
class _Setting:
    """What a capacity call has set."""

    value: int
    is_late: bool


class Ceiling:
    """Knows what every group is allowed, and who else has a hand in it."""

    def __init__(self, world: SimWorld, breach: Callable[[int | str, str], None]) -> None:
        self._world = world
        self._breach = breach
        self._limits: dict[str, tuple[str, int]] = {}  # pool -> group and maxMachines
        self._former: dict[str, int] = {}  # group -> a higher limit that was in force until the fence stands
        self._set: dict[str, dict[str, _Setting]] = defaultdict(dict)  # group -> what operators have set last
        self._called_at: dict[str, float] = {}  # group -> when the latest capacity call was carried out
        self._pushed: dict[str, set[str]] = defaultdict(set)  # group -> machines that people pushed out of it
        self._rebalancing: dict[str, float] = {}

    def people_pushed_out(self, group: str, machine: str) -> None:
        """Take in that people made the group launch one in place of a machine that lives on."""
        self._pushed[group].add(machine)

    def room(self, group: str) -> int:
        """Return how many members the group may have."""
        limit = self._own_limit(group)
        return max(0, limit - self._outside(group)) if limit is not None else 0

    def people_let_rebalance(self, group: str) -> None:
        """Take in that people let AWS launch one more than it should for a while."""
        self._rebalancing[group] = self._world.timeline.now

    def pool(self, stored: Json, *, is_gone: bool) -> None:
        name, group = stored["metadata"]["name"], str(stored["spec"]["aws"]["autoScalingGroupName"])
        before = self._own_limit(group)
        if is_gone:
            self._limits.pop(name, None)
        else:
            self._limits[name] = group, int(stored["spec"]["maxMachines"])
        after = self._own_limit(group)
        if after is not None and after < (len(self._world.aws.live(group)) if before is None else before):
            self._former[group] = max(before or len(self._world.aws.live(group)), self._former.get(group, 0))
        self.changed()

    def launched(self, instance: Instance) -> None:
        """Judge a launch."""
        group = instance.origin
        if group is None or (limit := self._limit(group)) is None:
            return
        live = len(self._world.aws.live(group))
        if live > limit and not self._is_excused(group):
            self._breach(3, f"{live} machines of group {group} are live, {limit} are allowed")

    def called(self, call: Call, params: Mapping[str, Any], fate: Fate) -> None:
        """Take in a call that was carried out."""
        name = str(params.get("AutoScalingGroupName"))
        asked = [setting for setting in _SETTINGS if setting in params]
        if asked and fate is not Fate.REFUSED and (group := self._world.aws.group(name)) is not None:
            is_late = self._is_late(call, name)
            self._called_at[name] = self._world.timeline.now
            self._note(group, {setting: int(params[setting]) for setting in asked}, is_late=is_late)
        self.changed()

    def _note(self, group: Group, asked: Mapping[str, int], *, is_late: bool) -> None:
        """Note who has set what is in force; a MaxSize pulls the desired capacity down with it, whoever set that."""
        made = self._set[group.name]
        for setting, value in _in_force(group).items():
            if asked.get(setting) == value:
                made[setting] = _Setting(value, is_late)
            elif setting in made and value < made[setting].value and "MaxSize" in asked:
                made[setting] = replace(made[setting], value=value)

    def changed(self) -> None:
        """Drop a former limit once the fence of the present one stands."""
        for group in tuple(self._former):
            found, limit = self._world.aws.group(group), self._own_limit(group)
            if found is None or limit is None:
                continue
            beyond = self._outside(group) + self._about_to_leave(group)
            if len(self._world.aws.live(group)) <= limit and found.max_size + beyond <= limit:
                del self._former[group]

    def _limit(self, group: str) -> int | None:
        own = self._own_limit(group)
        if own is None:
            return None
        instances = self._world.aws.world.fleet.instances
        pushed = sum(1 for name in self._pushed[group] if name in instances and _is_out(instances[name]))
        began = self._rebalancing.get(group)
        rebalance = int(began is not None and self._world.timeline.now - began < _REBALANCES)
        return max(own, self._former.get(group, 0)) + pushed + rebalance

    def _own_limit(self, group: str) -> int | None:
        """Return the limit of the oldest pool that names the group: the others are told to stand back."""
        return next((limit for where, limit in self._limits.values() if where == group), None)

    def _outside(self, group: str) -> int:
        """Return how many live machines desired capacity does not count."""
        live = self._world.aws.live(group)
        return sum(i.member is None or i.member.lifecycle not in COUNTED for i in live)

    def _about_to_leave(self, group: str) -> int:
        """Return how many members are claimed: a detach that was right under the former limit may be on its way."""
        members = {i.id for i in self._world.aws.live(group) if i.member is not None and i.member.lifecycle in COUNTED}
        records = self._world.server.objects("machines")
        return sum(record["metadata"]["name"] in members and bool(record["spec"].get("claims")) for record in records)

    def _is_late(self, call: Call, group: str) -> bool:
        """Tell whether a call took long, or another one was faster: either way it was decided on what is no more."""
        is_overtaken = self._called_at.get(group, float("-inf")) > call.left_at
        return is_overtaken or self._world.timeline.now - call.left_at > _IN_TIME

    def _is_excused(self, group: str) -> bool:
        """Tell whether two late calls are in force at once, the design's one exception: MaxSize and desired capacity.

        One alone never suffices: a desired capacity is refused above MaxSize, and a MaxSize alone launches nothing.
        """
        found, made = self._world.aws.group(group), self._set[group]
        if found is None or not made.keys() >= set(_SETTINGS):
            return False
        return all(made[setting] == _Setting(value, is_late=True) for setting, value in _in_force(found).items())


def _in_force(group: Group) -> dict[str, int]:
    return {"DesiredCapacity": group.desired, "MaxSize": group.max_size}


def _is_out(instance: Instance) -> bool:
    return instance.state.value not in ("shutting-down", "terminated")
