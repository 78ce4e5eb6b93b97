"""What people are told: one notice for each transition that somebody would ask about."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hotdesk.api.v1alpha1 import Notifications

NoticeKind = Literal["Workspace", "Machine", "MachinePool"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence about one object. Two with the same object, reason and `key` are one."""

    kind: NoticeKind
    name: str
    uid: str
    reason: str  # CamelCase, as `kubectl get events` shows it: Claimed, StopWarning, Stopped, BackupFailed, …
    message: str
    at: datetime
    namespace: str = ""
    is_warning: bool = False
    key: str = ""  # what it is about beyond the object, like the deadline of a warning
    send_to: Notifications | None = None  # beside the Event; None for what only Events tell
