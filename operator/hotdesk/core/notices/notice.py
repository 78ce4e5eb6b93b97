"""What people are told: one notice for each transition that somebody would ask about."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from hotdesk.api.v1alpha1 import MachinePool, Notifications

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
    pool: MachinePool | None = None  # whose `send_to` it is: its AWS credentials publish, and it hears of failures

    @property
    def id(self) -> str:
        """The same for the same object, reason and key, in every process and at any time: 32 hexadecimal digits."""
        return sha256(f"{self.uid}\n{self.reason}\n{self.key}".encode()).hexdigest()[:32]


def moment(time: datetime | None) -> str:
    """Return a time as a key: to the second, because some times are stored no finer; empty for none."""
    if time is None:
        return ""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
