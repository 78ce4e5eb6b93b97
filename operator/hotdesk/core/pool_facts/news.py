"""What news of a pool, its workspaces and machines change of what is known of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hotdesk.api.v1alpha1 import Machine, MachinePool, Workspace
from hotdesk.core.eligibility import Surroundings
from hotdesk.core.names import Names
from hotdesk.core.pool_facts.admission import admit, hold, settle, settle_all, settle_everybody
from hotdesk.core.pool_facts.known import Arrival, claimants
from hotdesk.core.pool_facts.looks import Looks
from hotdesk.core.pool_facts.time_used import clock
from hotdesk.core.pool_facts.weighing import weigh


@dataclass(slots=True)
class PoolFacts(Looks):
    """What is known of one pool. The methods take news in; the rest is read by the planner."""

    def turn(self, now: datetime) -> None:
        """Let it be now: an owner may have used up its minutes of the day, or a new day begins."""
        admit(self, self.quota.turn(now))

    # -- news of Kubernetes -----------------------------------------------------------------------------------------

    def set_pool(self, pool: MachinePool | None) -> None:
        """Take in the pool as it is now; None when it does not exist."""
        if pool is not None and self.pool is not None and _is_old(pool, self.pool):
            return
        before, slots = self.pool, self.slots_per_machine
        self.pool = pool
        if before is not None and (pool is None or pool.spec.aws != before.spec.aws):
            self.forget_aws()
        if slots != self.slots_per_machine:
            for name in self.members.keys() - self.machines.keys():
                weigh(self, name)
        if before is None or pool is None or _rules(before) != _rules(pool):
            self._limit(pool)
        admit(self, self.quota.take_today(pool.status.today if pool is not None else None))
        if before is None or pool is None or _life(before) != _life(pool):
            for name in self.machines:
                weigh(self, name)
            self.life.astir |= Names(self.workspaces)

    def set_surroundings(self, surroundings: Surroundings) -> None:
        """Take in namespaces, priorities and the pool's rival."""
        if surroundings != self.surroundings:
            if surroundings.rival != self.surroundings.rival:
                self.forget_aws()  # what was seen while another pool managed the group is no ground to act on
            self.surroundings = surroundings
            settle_everybody(self)

    def upsert_workspace(self, workspace: Workspace) -> None:
        """Take in a workspace; news older than what is known is ignored."""
        uid = workspace.metadata.uid
        known = self.workspaces.get(uid)
        if known is not None and _is_old(workspace, known):
            return
        if known is None:
            self.arrived += 1
            self.arrivals[uid] = Arrival(self.arrived, int(workspace.metadata.resource_version))
        self.workspaces[uid] = workspace
        self.life.saw(workspace)
        if workspace.status.machine is not None:
            self.questions.doubt(workspace.status.machine)
        self._seat(known, workspace)
        settle(self, workspace)

    def remove_workspace(self, uid: str) -> None:
        """Take in that a workspace is gone, as far as the sender knows."""
        known = self.workspaces.pop(uid, None)
        if known is None:
            return
        self._seat(known, None)
        self.arrivals.pop(uid, None)
        self.waiting.pop(uid, None)
        self.held.pop(uid, None)
        self.asleep.pop(uid, None)
        self.unreported.discard(uid)
        self.resting.discard(uid)
        self.life.forget(uid)
        self.unsettled_workspaces.discard(uid)
        self.unsettled_machines |= Names(sorted(self.claims_of.get(uid, ())))
        admit(self, self.quota.leave(uid))

    def upsert_machine(self, machine: Machine) -> None:
        """Take in a machine; news older than what is known is ignored."""
        name = machine.metadata.name
        if machine.spec.pool != self.name:  # read by its name, and made for another pool meanwhile
            self.remove_machine(name)
            return
        known = self.machines.get(name)
        if known is not None and known.metadata.uid == machine.metadata.uid and _is_old(machine, known):
            return
        affected = claimants(known) | claimants(machine)
        self._forget_claims(known)
        self.machines[name] = machine
        self.orphans.forget(name)
        for claim in machine.spec.claims:
            self.claims_of[claim.workspace.uid].add(name)
        weigh(self, name)
        if machine.spec.claims:
            self.unsettled_machines.add(name)
        settle_all(self, affected)

    def remove_machine(self, name: str) -> None:
        """Take in that a machine's record is gone."""
        known = self.machines.pop(name, None)
        if known is None:
            return
        self._forget_claims(known)
        self.unsettled_machines.discard(name)
        self.absences.end((name,))
        self.life.forget_machine(name)
        weigh(self, name)
        settle_all(self, claimants(known) | self.seats.get(name, set()))

    # -- claims under way -------------------------------------------------------------------------------------------

    def begin_claim(self, name: str, uids: Iterable[str]) -> None:
        """Take a machine and the workspaces it shall serve out of the planner's sight, before anything is awaited."""
        self.busy.add(name)
        self.offers.drop(name)
        for uid in uids:
            self.serving.add(uid)
            self.waiting.pop(uid, None)
            hold(self, uid)

    def end_claim(self, name: str, uids: Iterable[str]) -> None:
        """Put them back into sight, however the claim ended; call it after the news it brought."""
        self.busy.discard(name)
        ended = set(uids)
        self.serving -= ended
        weigh(self, name)
        if name in self.machines and self.machines[name].spec.claims:
            self.unsettled_machines.add(name)
        settle_all(self, ended)

    # -- what follows -----------------------------------------------------------------------------------------------

    def _limit(self, pool: MachinePool | None) -> None:
        """Sort everybody by the rules of a pool; whether time is kept at all depends on them."""
        self.quota.limit(pool.spec.quota if pool is not None else None)
        for name in self.machines:
            clock(self, name)
        settle_everybody(self)

    def _seat(self, before: Workspace | None, after: Workspace | None) -> None:
        """Keep who is published where; what that changes for a machine is weighed anew."""
        left = before.status.machine if before is not None else None
        taken = after.status.machine if after is not None else None
        if left == taken:
            return
        if before is not None and left is not None:
            self.seats[left].discard(before.metadata.uid)
            if not self.seats[left]:
                del self.seats[left]
            weigh(self, left)
        if after is not None and taken is not None:
            self.seats[taken].add(after.metadata.uid)
            weigh(self, taken)

    def _forget_claims(self, machine: Machine | None) -> None:
        if machine is None:
            return
        for uid in claimants(machine):
            names = self.claims_of[uid]
            names.discard(machine.metadata.name)
            if not names:
                del self.claims_of[uid]


def _rules(pool: MachinePool) -> tuple[object, ...]:
    """Return what of a pool decides who may be served."""
    return pool.spec.allowed_namespaces, pool.spec.quota, pool.spec.paused, pool.metadata.deletion_timestamp is None


def _life(pool: MachinePool) -> tuple[object, ...]:
    """Return what of a pool decides how long machines in use run, and how their files are kept."""
    return pool.spec.lifecycle, pool.spec.backup, pool.spec.activity


def _is_old(new: Workspace | Machine | MachinePool, known: Workspace | Machine | MachinePool) -> bool:
    """Tell whether news of the same object says nothing new; versions of one kind only ever rise."""
    return int(new.metadata.resource_version) <= int(known.metadata.resource_version)
