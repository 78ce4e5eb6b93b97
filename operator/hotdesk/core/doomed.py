"""Which machines AWS has announced to take, and when; the announcement is kept in the machine's own record."""

from hotdesk.api.v1alpha1 import Interruption, InterruptionReason, Machine
from hotdesk.core.announcements import Announced, Announcement
from hotdesk.core.facts import Instance

_REASONS: dict[Announced, InterruptionReason] = {
    Announced.SPOT_INTERRUPTION: "SpotInterruption",
    Announced.MAINTENANCE: "Maintenance",
}


def doom_of(machine: Machine, instance: Instance | None) -> Interruption | None:
    """Return what is announced of a machine; None if nothing is.

    A start after the announcement voids it: a machine that was stopped and started runs on another host.
    """
    doom = machine.status.interruption
    return None if doom is None or _has_restarted(instance, doom) else doom


def is_doom(announcement: Announcement) -> bool:
    """Tell whether it announces that AWS takes a machine; a rebalance recommendation only says that it may."""
    return announcement.what in _REASONS


def noted(machine: Machine, instance: Instance | None, announcement: Announcement) -> Interruption | None:
    """Return what the record should say after an announcement; None if it says so, or is past it.

    Of two announcements the one that comes true first counts, so that neither repetition nor order matters.
    """
    reason = _REASONS.get(announcement.what)
    if reason is None or machine.spec.reap is not None:
        return None
    doom = Interruption(reason=reason, announced_at=announcement.at, at=announcement.due or announcement.at)
    known = doom_of(machine, instance)
    if _has_restarted(instance, doom) or (known is not None and known.at <= doom.at):
        return None
    return doom


def _has_restarted(instance: Instance | None, doom: Interruption) -> bool:
    return instance is not None and instance.launched_at is not None and instance.launched_at > doom.announced_at
