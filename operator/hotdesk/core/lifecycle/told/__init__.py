"""What a workspace is told after its claim: warned, stopped, woken, archived, restored."""

from hotdesk.core.lifecycle.told.at_rest import archived, archiving, held_asleep, resting, stopped, stopping
from hotdesk.core.lifecycle.told.at_work import (
    active,
    is_unstoppable,
    respecified,
    running,
    starting,
    unstoppable,
    unsure,
    warned,
)
from hotdesk.core.lifecycle.told.files import not_restored, restored, saved, unsaved

__all__ = [
    "active",
    "archived",
    "archiving",
    "held_asleep",
    "is_unstoppable",
    "not_restored",
    "respecified",
    "resting",
    "restored",
    "running",
    "saved",
    "starting",
    "stopped",
    "stopping",
    "unsaved",
    "unstoppable",
    "unsure",
    "warned",
]
