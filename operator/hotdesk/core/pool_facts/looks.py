"""What a look at AWS, or an answer of it, changes of what is known of a pool."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from hotdesk.core.facts import Instance, Observation
from hotdesk.core.names import Names
from hotdesk.core.pool_facts.known import Known
from hotdesk.core.pool_facts.weighing import weigh


@dataclass(slots=True)
class Looks(Known):
    """Takes in news of AWS."""

    def observe(self, observation: Observation) -> None:
        """Take in what a look at AWS showed."""
        members, instances = self.members, dict(self.instances)
        self._take_group(observation)
        self.observation = observation
        self.deleted &= {one.id for one in observation.leftovers}
        self.acted_at = {name: at for name, at in self.acted_at.items() if at > observation.began}
        if observation.complete:
            self._take_survey(observation)
        else:
            self.instances.update(observation.instances)
        expected = instances.keys() | self.machines.keys() if observation.complete else set(observation.asked)
        self._count_absences(expected - observation.instances.keys(), at=observation.began)
        self.absences.end(observation.instances)
        # Only what looks different costs more than a comparison; an absent one may have become GONE by waiting.
        for name in Names((*members, *self.members)):
            if members.get(name) != self.members.get(name):
                weigh(self, name)
        for name in Names((*instances, *self.instances, *self.absences)):
            if name in self.absences or instances.get(name) != self.instances.get(name):
                weigh(self, name)

    def capacity_answered(self, *, at: float, desired: int | None = None, max_size: int | None = None) -> None:
        """Take in that AWS accepted a capacity call; looks that began before `at` (monotonic) do not know it yet."""
        self.capacity_answered_at = at
        if self.group is not None:
            self.group = replace(
                self.group,
                desired=self.group.desired if desired is None else desired,
                max_size=self.group.max_size if max_size is None else max_size,
            )

    def acted(self, ids: Iterable[str], *, at: float) -> None:
        """Take in that AWS was asked to change these instances, whatever it answered, at a monotonic time."""
        self.acted_at.update(dict.fromkeys(ids, at))

    def deleted_leftover(self, name: str) -> None:
        """Take in that AWS has deleted a volume or a snapshot."""
        self.deleted.add(name)

    def tagged(self, ids: Iterable[str], tags: Mapping[str, str]) -> None:
        """Take in that AWS accepted these tags."""
        for name in ids:
            if name in self.instances:
                instance = self.instances[name]
                self.instances[name] = replace(instance, tags={**instance.tags, **tags})
                weigh(self, name)

    def forget_aws(self) -> None:
        """Drop what was seen: the pool is gone or looks elsewhere from now on, or another replica looks after it."""
        seen = Names((*self.members, *self.instances, *self.machines))
        self.group, self.members, self.observation, self.is_surveyed = None, {}, None, False
        self.capacity_answered_at = None
        for kept in (self.instances, self.absences, self.acted_at, self.orphans.seen, self.deleted):
            kept.clear()
        for name in seen:
            weigh(self, name)

    def _take_group(self, observation: Observation) -> None:
        group, before = observation.group, self.group
        is_stale = self.capacity_answered_at is not None and observation.began < self.capacity_answered_at
        if group is not None and before is not None and is_stale:
            group = replace(group, desired=before.desired, max_size=before.max_size)
        self.group = group
        self.members = group.members if group is not None else {}
        self.counted = sum(member.is_counted for member in self.members.values())

    def _take_survey(self, observation: Observation) -> None:
        """Take in the instances of a complete look; those seen ending that it shows no more are kept."""
        self.is_surveyed = True
        before = self.instances
        absent = sorted((before.keys() | self.machines.keys()) - observation.instances.keys())
        self.instances = dict(observation.instances)
        self.instances |= {name: before[name] for name in absent if self._has_ended(before, name)}
        unknown = observation.instances.keys() - self.machines.keys() - self.members.keys()
        self.orphans.look((name for name in unknown if self.is_orphan(name)), at=observation.started_at)

    def _count_absences(self, absent: AbstractSet[str], *, at: float) -> None:
        for name in sorted(absent):
            if not self._has_ended(self.instances, name):
                self.instances.pop(name, None)
            self.absences.miss(name, at=at, has_record=name in self.machines)

    def _has_ended(self, instances: Mapping[str, Instance], name: str) -> bool:
        """Tell whether a machine was seen ending: that stays true when EC2 shows it no more."""
        return name in self.machines and name in instances and not instances[name].state.is_live
