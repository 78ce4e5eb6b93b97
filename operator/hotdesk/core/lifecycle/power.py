"""Starting, stopping and guarding machines that serve: from what was decided and what EC2 shows, one step at a time."""

from collections.abc import Iterator
from datetime import datetime

from hotdesk.api.v1alpha1 import Machine
from hotdesk.core import machine_status
from hotdesk.core.actions import (
    FinishStop,
    GiveUpStart,
    GuardInstance,
    ProbeMachine,
    ReportMachine,
    StartInstance,
    StopInstance,
)
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.proofs import backup_of, is_archived, unsaved
from hotdesk.core.rest import is_restarted, is_told_otherwise
from hotdesk.core.usage import lacks_end

PowerAction = GiveUpStart | StartInstance | StopInstance | GuardInstance | ProbeMachine | ReportMachine | FinishStop


def plan_power(facts: PoolFacts, *, ready: frozenset[str], now: datetime) -> Iterator[PowerAction]:
    """Bring every machine that is neither plainly running nor plainly stopped one step further."""
    for name in tuple(facts.life.moving):
        machine, instance = facts.machines.get(name), facts.instances.get(name)
        if machine is None or instance is None or not machine.spec.claims or name in facts.busy:
            continue
        if facts.is_stale(name) or name in facts.members:  # AWS ends a member that is stopped
            continue
        if lacks_end(machine, instance):
            continue  # its end is put on record first: a start would make EC2 forget it
        if machine.spec.stop is None:
            yield from _to_running(facts, machine, instance, ready=ready)
        else:
            yield from _to_rest(facts, machine, instance, now=now)


def _to_running(
    facts: PoolFacts, machine: Machine, instance: Instance, *, ready: frozenset[str]
) -> Iterator[PowerAction]:
    """Start a machine in use that does not run, whoever stopped it; then guard it, probe it, and say so."""
    name = machine.metadata.name
    if instance.state is not InstanceState.RUNNING:
        if machine.status.phase != "Starting":
            yield ReportMachine(machine=machine, status=machine_status.with_phase(facts, machine, "Starting"))
        elif instance.state is InstanceState.STOPPED:
            stopped_at = _last_written(facts, machine) if name in facts.life.without_room else None
            if stopped_at is not None:
                yield GiveUpStart(machine=machine, stopped_at=stopped_at)
            else:
                yield StartInstance(name=name)
    elif is_restarted(machine, instance):
        readiness = facts.pool.spec.readiness if facts.pool is not None else None
        if not instance.spot and not machine.status.stop_protected:
            # What is left of an earlier call to stop it, still on its way, shall do nothing.
            yield GuardInstance(machine=machine, protect=True)
        elif readiness is not None and name not in ready:
            if instance.private_ip is not None:
                yield ProbeMachine(name=name, ip=instance.private_ip, readiness=readiness)
        else:
            yield ReportMachine(machine=machine, status=machine_status.restarted(facts, machine))
    elif is_told_otherwise(machine):
        yield ReportMachine(machine=machine, status=machine_status.with_phase(facts, machine, "Claimed"))


def _to_rest(facts: PoolFacts, machine: Machine, instance: Instance, *, now: datetime) -> Iterator[PowerAction]:
    """Stop a machine: what must be saved while it runs comes first, then the guard goes, then the power."""
    stop = machine.spec.stop
    if stop is None:
        return
    if not stop.final:
        if machine.status.phase != "Stopping":
            yield ReportMachine(machine=machine, status=machine_status.with_phase(facts, machine, "Stopping"))
        # A spot machine cannot be stopped: once its files are saved it goes.
        is_to_be_saved = is_archived(facts.pool) and bool(unsaved(machine, instance, facts.pool))
        if not instance.spot and (not is_to_be_saved or instance.state is InstanceState.STOPPED):
            yield FinishStop(machine=machine)
    elif instance.state is InstanceState.RUNNING:
        if is_archived(facts.pool) and unsaved(machine, instance, facts.pool):
            return  # somebody started it after it was saved: it is saved anew while it runs
        if machine.status.stop_protected:
            yield GuardInstance(machine=machine, protect=False)
        else:
            yield StopInstance(name=machine.metadata.name)
    elif instance.state is InstanceState.STOPPED and machine.status.phase != "Stopped":
        status = machine_status.with_phase(facts, machine, "Stopped")
        yield ReportMachine(machine=machine, status=status.model_copy(update={"stopped_at": now}))


def _last_written(facts: PoolFacts, machine: Machine) -> datetime | None:
    """Return after which moment nobody has written to a stopped machine's disk, if its files can be brought away."""
    if backup_of(facts.pool) is None:
        return None  # they are on this disk only: it is started as soon as AWS has room
    users = [facts.workspaces.get(claim.workspace.uid) for claim in machine.spec.claims]
    times = [user.status.stopped_at for user in users if user is not None and user.status.stopped_at is not None]
    return min(times) if len(times) == len(machine.spec.claims) else None
