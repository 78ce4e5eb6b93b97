"""A machine's way outside of claims: registered, probed, ready or quarantined, reaped, terminated, forgotten."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from hotdesk.api.v1alpha1 import ReapReason
from hotdesk.core import machine_status
from hotdesk.core.actions import (
    ForgetMachine,
    ProbeMachine,
    ProtectMembers,
    ReapMachine,
    RegisterMachine,
    ReportMachine,
    TagMachines,
    TerminateInstance,
    TerminateMember,
)
from hotdesk.core.facts import Instance
from hotdesk.core.group.capacity import Sizing
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.standing import Standing, is_running, is_safe_member
from hotdesk.core.tags import POOL_TAG
from hotdesk.core.usage import lacks_end

REGISTER_AT_ONCE = 50  # records planned per pass; few are written at a time, and who is left out is planned again
PROTECT_AT_ONCE = 50  # ids, AWS's limit for SetInstanceProtection
LABEL_AT_ONCE = 200  # ids; EC2's limit for CreateTags is 1,000
_WITHOUT_PROBE_DEADLINE = timedelta(minutes=10)
FAILURES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class BootRecord:
    """How machines of the pool became ready lately; it slows down the replacement of ones that never do."""

    boot_times: tuple[timedelta, ...] = ()  # launch to ready, newest last
    failures: int = 0  # machines in a row that missed their deadline
    last_failure: datetime | None = None

    def ready(self, took: timedelta) -> "BootRecord":
        """Return the record after one machine became ready."""
        return BootRecord(boot_times=(*self.boot_times, took)[-20:])

    def failed(self, at: datetime) -> "BootRecord":
        """Return the record after one machine missed its deadline."""
        return BootRecord(boot_times=self.boot_times, failures=self.failures + 1, last_failure=at)

    def typical(self) -> timedelta | None:
        """Return the median time from launch to ready, None before the first."""
        return sorted(self.boot_times)[len(self.boot_times) // 2] if self.boot_times else None

    def may_replace(self, *, deadline: timedelta, now: datetime) -> bool:
        """Tell whether a quarantined machine may be replaced now: three at once, then at doubling intervals."""
        if self.failures <= FAILURES_IN_A_ROW or self.last_failure is None:
            return True
        patience: timedelta = deadline * min(2 ** (self.failures - FAILURES_IN_A_ROW), 64)
        return now - self.last_failure >= patience


def plan_records(facts: PoolFacts) -> Iterator[RegisterMachine | ForgetMachine]:
    """Give every member a record, those in service first; delete the records of machines that EC2 has terminated."""
    arrived = [name for name in facts.unregistered if facts.members[name].lifecycle == "InService"]
    for name in sorted(arrived or facts.unregistered)[:REGISTER_AT_ONCE]:
        member = facts.members[name]
        yield RegisterMachine(name=name, zone=member.zone, slots=facts.slots_per_machine)
    for name in facts.by_standing[Standing.GONE]:
        spec = facts.machines[name].spec
        if not (spec.claims or spec.owed or spec.used):
            yield ForgetMachine(machine=facts.machines[name])
    for name in facts.by_standing[Standing.STRAY] if is_deleted(facts) else ():
        if not is_ours(facts, facts.instances[name]):
            yield ForgetMachine(machine=facts.machines[name])


def plan_probes(facts: PoolFacts, *, ready: frozenset[str], now: datetime) -> Iterator[ProbeMachine | ReportMachine]:
    """Bring booting machines to ready, or into quarantine past their deadline; `ready` passed their probe."""
    if facts.pool is None:
        return
    readiness = facts.pool.spec.readiness
    deadline = deadline_of(facts)
    for name in facts.by_standing[Standing.BOOTING]:
        machine, instance = facts.machines[name], facts.instances[name]
        if machine.status.ready_at is not None:
            continue
        # A member of a group that is taken over may have run for days; it has its chance from when it is first seen.
        seen = machine.metadata.creation_timestamp or now
        began = max(seen, instance.launched_at or seen)
        is_up = is_running(instance) and facts.members[name].lifecycle == "InService"
        if is_up and (readiness is None or name in ready):
            if is_safe_member(facts.members[name]):  # else it is being protected, and ready when a look shows it
                yield ReportMachine(machine=machine, status=machine_status.ready(facts, machine, now=now))
        elif now - began >= deadline:
            status = machine_status.quarantined(facts, machine, deadline=deadline, now=now)
            yield ReportMachine(machine=machine, status=status)
        elif is_up and readiness is not None and instance.private_ip is not None:
            yield ProbeMachine(name=name, ip=instance.private_ip, readiness=readiness)


def plan_reaps(facts: PoolFacts, sizing: Sizing, boots: BootRecord, *, now: datetime) -> Iterator[ReapMachine]:
    """Decide which unclaimed machines are given back: broken and doomed ones, then what is more than wanted."""
    if facts.pool is not None and boots.may_replace(deadline=deadline_of(facts), now=now):
        for name in islice(facts.by_standing[Standing.QUARANTINED], 1 if boots.failures > FAILURES_IN_A_ROW else None):
            yield ReapMachine(machine=facts.machines[name], reason="NotReady")
    for name in facts.by_standing[Standing.DOOMED]:
        if name not in facts.busy:  # its replacement is launched before AWS takes it
            yield ReapMachine(machine=facts.machines[name], reason="Interrupted")
    reason = _why_surplus(facts)
    for name in islice(_dispensable(facts), sizing.surplus):
        if name in facts.busy:
            continue  # one that is being reaped just now, or claimed: it is looked at again when that has ended
        yield ReapMachine(machine=facts.machines[name], reason=reason)
    for name in facts.by_standing[Standing.STRAY] if is_deleted(facts) else ():
        if is_ours(facts, facts.instances[name]):
            yield ReapMachine(machine=facts.machines[name], reason=reason)


def plan_terminations(facts: PoolFacts, *, is_settled: bool) -> Iterator[TerminateMember | TerminateInstance]:
    """End every reaped machine; members only once desired capacity is right, so that AWS replaces what it should."""
    for name in facts.by_standing[Standing.REAPING]:
        member, instance = facts.members.get(name), facts.instances.get(name)
        if instance is None or not instance.state.is_live or facts.is_stale(name):
            continue
        if lacks_end(facts.machines[name], instance):
            continue  # it was stopped before: the end of its run is put on record first
        if member is None:
            if is_ours(facts, instance):
                yield TerminateInstance(name=name)
        elif is_settled and not member.lifecycle.startswith(("Terminating", "Detaching")):
            yield TerminateMember(name=name)


def plan_protection(facts: PoolFacts) -> ProtectMembers | None:
    """Protect members that are in service and not protected, claimed ones first."""
    exposed = [name for name in facts.unprotected if not facts.is_stale(name)]
    exposed.sort(key=lambda name: (facts.standings.get(name) is not Standing.CLAIMED, name))
    return ProtectMembers(ids=tuple(exposed[:PROTECT_AT_ONCE])) if exposed else None


def plan_pool_tags(facts: PoolFacts) -> TagMachines | None:
    """Label members that were launched before the group had our tags: complete looks find machines by them."""
    unlabelled = sorted(name for name in facts.unlabelled if not facts.is_stale(name))
    return TagMachines(ids=tuple(unlabelled[:LABEL_AT_ONCE]), tags=((POOL_TAG, facts.name),)) if unlabelled else None


def deadline_of(facts: PoolFacts) -> timedelta:
    """Return how long after its launch a machine must be ready."""
    readiness = facts.pool.spec.readiness if facts.pool is not None else None
    return readiness.deadline if readiness is not None else _WITHOUT_PROBE_DEADLINE


def _why_surplus(facts: PoolFacts) -> ReapReason:
    return "PoolDeleted" if is_deleted(facts) else "Surplus"


def is_deleted(facts: PoolFacts) -> bool:
    """Tell whether the pool is on its way out."""
    return facts.pool is not None and facts.pool.metadata.deletion_timestamp is not None


def is_ours(facts: PoolFacts, instance: Instance) -> bool:
    """Tell whether an instance outside the group was launched for this pool.

    A record alone proves nothing: one written by hand may name anybody's instance, and such a one is never ended.
    """
    return instance.tags.get(POOL_TAG) == facts.name


def _dispensable(facts: PoolFacts) -> Iterator[str]:
    """Yield members that may be given back: booting before idle, the newest first: claims take the oldest."""

    def newest(name: str) -> str:
        ready_at = facts.machines[name].status.ready_at
        return ready_at.isoformat() if ready_at is not None else "~"

    for standing in (Standing.BOOTING, Standing.IDLE):
        names = (name for name in facts.by_standing[standing] if name in facts.members)
        yield from sorted(names, key=newest, reverse=True)
