"""What is known of one pool: the objects, what AWS showed, and the indices that are kept of both."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from hotdesk.api.v1alpha1 import Machine, MachinePool, Workspace
from hotdesk.core.eligibility import Obstacle, Surroundings
from hotdesk.core.facts import Group, Instance, Member, Observation
from hotdesk.core.life_book import LifeBook
from hotdesk.core.names import Names
from hotdesk.core.offers import Offers
from hotdesk.core.orphans import Orphans
from hotdesk.core.pool_facts.absences import Absences
from hotdesk.core.question_book import QuestionBook
from hotdesk.core.queue import Ticket
from hotdesk.core.quota.owners import OwnerQuota
from hotdesk.core.quota.stretches import Stretch
from hotdesk.core.standing import LOST, NOTHING, Share, Standing
from hotdesk.core.tags import GROUP_TAG, POOL_TAG


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a workspace came to the notice of this process."""

    number: int  # order in which this process saw the workspaces
    version: int  # of the workspace when it was first seen


@dataclass(slots=True)
class Known:
    """The fields that news fill and planners read."""

    name: str
    pool: MachinePool | None = None
    surroundings: Surroundings = field(default_factory=Surroundings)
    workspaces: dict[str, Workspace] = field(default_factory=dict)  # by UID
    machines: dict[str, Machine] = field(default_factory=dict)  # by instance id, as are all below
    members: Mapping[str, Member] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    absences: Absences = field(default_factory=Absences)
    standings: dict[str, Standing] = field(default_factory=dict)
    by_standing: dict[Standing, Names] = field(default_factory=lambda: defaultdict(Names))
    group: Group | None = None
    observation: Observation | None = None
    is_surveyed: bool = False  # whether a complete look at AWS has been had
    capacity_answered_at: float | None = None  # seconds of the monotonic clock, as the next
    acted_at: dict[str, float] = field(default_factory=dict)  # by instance or group: when AWS was asked to change it
    deleted: set[str] = field(default_factory=set)  # leftover volumes and snapshots, of which the list still speaks
    shares: dict[str, Share] = field(default_factory=dict)  # of those that add something to the totals
    totals: Share = NOTHING
    offers: Offers = field(default_factory=Offers)
    arrivals: dict[str, Arrival] = field(default_factory=dict)  # by UID
    arrived: int = 0  # workspaces that this process has seen
    waiting: dict[str, Ticket] = field(default_factory=dict)  # by UID: may be served, and is not
    held: dict[str, Obstacle] = field(default_factory=dict)  # by UID: may not be served, and why
    counted: int = 0  # members that desired capacity counts, claimed ones included
    unprotected: Names = field(default_factory=Names)  # members in service that scale-in could end
    unlabelled: Names = field(default_factory=Names)  # members without the pool's tag
    unregistered: Names = field(default_factory=Names)  # members that have no record yet
    unsecured: Names = field(default_factory=Names)  # claimed, and not yet known to be tagged and out of the group
    detached: Names = field(default_factory=Names)  # claimed and out of the group, which their record does not say yet
    doomed: Names = field(default_factory=Names)  # announced to be taken by AWS, alive, and not being reaped
    orphans: Orphans = field(default_factory=Orphans)
    claims_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # UID -> machines
    seats: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # machine -> UIDs published on it
    unsettled_machines: Names = field(default_factory=Names)  # whose claims are to be looked at
    unsettled_workspaces: Names = field(default_factory=Names)  # whose seat is to be looked at
    unreported: Names = field(default_factory=Names)  # UIDs whose status may be out of date
    serving: set[str] = field(default_factory=set)  # UIDs that a claim under way will publish
    busy: set[str] = field(default_factory=set)  # machines that a claim under way writes to
    resting: Names = field(default_factory=Names)  # UIDs that have no machine and want none
    asleep: dict[str, Obstacle] = field(default_factory=dict)  # by UID: has a stopped machine, and why it is not woken
    stretches: dict[str, frozenset[str]] = field(default_factory=dict)  # by machine: keys of time it runs, or ran
    ended: dict[str, Stretch] = field(default_factory=dict)  # by key: time on machines' records that has ended
    accountable: Names = field(default_factory=Names)  # machines with time used that is not in the ledger yet
    life: LifeBook = field(default_factory=LifeBook)
    questions: QuestionBook = field(default_factory=QuestionBook)
    quota: OwnerQuota = field(init=False)

    def __post_init__(self) -> None:
        self.quota = OwnerQuota(pool=self.name)

    @property
    def slots_per_machine(self) -> int:
        """Slots on machines launched now."""
        return self.pool.spec.slots_per_machine if self.pool is not None else 1

    def knows(self, *, uid: str, name: str, version: str) -> bool:
        """Tell whether a workspace or machine is known in this state or a later one."""
        known = self.workspaces.get(uid) or self.machines.get(name)
        return known is not None and known.metadata.uid == uid and int(version) <= int(known.metadata.resource_version)

    def holders(self, uid: str) -> set[str]:
        """Return the living machines on which a workspace has a claim."""
        return {name for name in self.claims_of.get(uid, ()) if self.standings.get(name) not in LOST}

    def is_stale(self, name: str) -> bool:
        """Tell whether the latest look began before the last change of an instance: it may not show it yet."""
        acted = self.acted_at.get(name)
        return acted is not None and (self.observation is None or self.observation.began < acted)

    def is_orphan(self, name: str) -> bool:
        """Tell whether an instance lives, was launched for this pool, and has neither record, group nor user."""
        instance = self.instances.get(name)
        if instance is None or not instance.state.is_live or instance.tags.get(POOL_TAG) != self.name:
            return False
        is_known = name in self.machines or name in self.members or name in self.seats
        return not is_known and GROUP_TAG not in instance.tags

    def is_gone(self, name: str) -> bool:
        """Tell whether EC2 has long ceased to know a machine."""
        return self.observation is not None and self.absences.is_lasting(name, at=self.observation.began)


def claimants(machine: Machine | None) -> set[str]:
    """Return the UIDs that a machine's record names."""
    return {claim.workspace.uid for claim in machine.spec.claims} if machine is not None else set()
