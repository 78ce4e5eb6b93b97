"""What a Machine's status says: what was seen of it, and what became of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from hotdesk.api.conditions import ConditionStatus, set_condition
from hotdesk.api.v1alpha1 import Machine, MachinePhase, MachineStatus
from hotdesk.core.actions import ReportMachine
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.standing import Standing

REPORTS_AT_ONCE = 20
"""Machines reported per pass; few are written at a time, and who is left out is planned again."""


def plan_reports(facts: PoolFacts, *, now: datetime) -> Iterator[ReportMachine]:
    """Write what became of machines: out of the group's reach, reaped, or astray."""
    for name in islice(facts.detached, REPORTS_AT_ONCE):
        machine = facts.machines[name]
        status = _status(facts, machine, phase="Claimed")
        if machine.status.ready_at is None:  # its record was lost: it had users before, so it was ready
            status = status.model_copy(update={"ready_at": now})
        message = "It left its Auto Scaling group: nothing but its own workspace ends it."
        yield ReportMachine(
            machine=machine, status=_with_condition(machine, status, "Secured", "True", "Detached", message, now)
        )
    for name in facts.by_standing[Standing.REAPING]:
        machine = facts.machines[name]
        if machine.status.phase != "Reaping" and facts.instances.get(name) is not None:
            yield ReportMachine(machine=machine, status=_status(facts, machine, phase="Reaping"))
    for name in facts.by_standing[Standing.STRAY]:
        machine = facts.machines[name]
        message = (
            f"It is not a member of the pool's Auto Scaling group and nobody has claimed it: attach it to the group, "
            f"or terminate instance {name}."
        )
        status = _with_condition(machine, machine.status, "Ready", "False", "OutsideGroup", message, now)
        if status != machine.status:
            yield ReportMachine(machine=machine, status=status)


def ready(facts: PoolFacts, machine: Machine, *, now: datetime) -> MachineStatus:
    """Return the status that makes a machine idle: everything a claim will hand over."""
    status = _status(facts, machine, phase="Idle").model_copy(update={"ready_at": now})
    return _with_condition(machine, status, "Ready", "True", "ProbeSucceeded", "It may be handed out.", now)


def quarantined(facts: PoolFacts, machine: Machine, *, deadline: timedelta, now: datetime) -> MachineStatus:
    """Return the status of a machine that missed its readiness deadline."""
    message = f"It was not ready {deadline.total_seconds() / 60:g} min after its launch and is being replaced."
    status = _status(facts, machine, phase="Quarantined")
    return _with_condition(machine, status, "Ready", "False", "DeadlineExceeded", message, now)


def with_phase(facts: PoolFacts, machine: Machine, phase: MachinePhase) -> MachineStatus:
    """Return the status of a machine that is being stopped or started; the start it tells is the earlier one."""
    status = _status(facts, machine, phase=phase)
    return status.model_copy(update={"launched_at": machine.status.launched_at})


def restarted(facts: PoolFacts, machine: Machine) -> MachineStatus:
    """Return the status of a machine that serves again after a start: its addresses are those of now."""
    return _status(facts, machine, phase="Claimed").model_copy(update={"stopped_at": None})


def _status(facts: PoolFacts, machine: Machine, *, phase: MachinePhase) -> MachineStatus:
    name = machine.metadata.name
    instance = facts.instances.get(name)
    seen: dict[str, object] = {"phase": phase, "observed_generation": machine.metadata.generation}
    if facts.group is not None:
        seen["in_group"] = name in facts.members
    if instance is not None:
        seen |= {
            "private_ip": instance.private_ip,
            "public_ip": instance.public_ip,
            "zone": instance.zone or None,
            "instance_type": instance.instance_type or None,
            "lifecycle": "spot" if instance.spot else "on-demand",
            "launched_at": instance.launched_at,
        }
    return machine.status.model_copy(update=seen)


def _with_condition(  # the fields of a condition
    machine: Machine,
    status: MachineStatus,
    kind: str,
    value: ConditionStatus,
    reason: str,
    message: str,
    now: datetime,
) -> MachineStatus:
    conditions = set_condition(
        status.conditions,
        type=kind,
        status=value,
        reason=reason,
        message=message,
        observed_generation=machine.metadata.generation,
        now=now,
    )
    return status.model_copy(update={"conditions": conditions})
