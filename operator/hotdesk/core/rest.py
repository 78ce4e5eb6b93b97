"""Whether anything is left to be done about the power and the files of a machine that serves."""

from hotdesk.api.v1alpha1 import Machine, MachinePool
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.core.proofs import unsaved


def is_moving(machine: Machine, instance: Instance | None, pool: MachinePool | None) -> bool:
    """Tell whether a machine is to be started, stopped, or saved from; one that nobody has seen yet is not."""
    if machine.spec.owed:
        return True
    if instance is None or not machine.spec.claims:
        return False
    stop = machine.spec.stop
    if stop is None:
        is_up = instance.state is InstanceState.RUNNING and not is_restarted(machine, instance)
        return not is_up or is_told_otherwise(machine)
    is_stopped = stop.final and instance.state is InstanceState.STOPPED and machine.status.phase == "Stopped"
    return not is_stopped or bool(unsaved(machine, instance, pool))


def is_told_otherwise(machine: Machine) -> bool:
    """Tell whether the record of a machine that runs says otherwise: a stop was taken back, or a look came late."""
    return machine.status.phase in ("Stopping", "Stopped", "Starting")


def is_restarted(machine: Machine, instance: Instance) -> bool:
    """Tell whether the instance was started again since its record was last brought up to date."""
    known, seen = machine.status.launched_at, instance.launched_at
    return known is not None and seen is not None and known.replace(microsecond=0) != seen.replace(microsecond=0)


def is_asleep(machine: Machine, instance: Instance | None) -> bool:
    """Tell whether EC2 shows the machine stopped, after the decision to stop it."""
    stop = machine.spec.stop
    return stop is not None and stop.final and instance is not None and instance.state is InstanceState.STOPPED
