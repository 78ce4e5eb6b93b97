"""What the actors need besides Kubernetes and AWS."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hotdesk.api.v1alpha1 import Readiness, SecretKey
from hotdesk.core.evidence import Evidence, Question
from hotdesk.core.notices import Notice


class Prober(Protocol):
    """Asks a machine whether it is ready."""

    async def is_ready(self, *, ip: str, readiness: Readiness) -> bool:
        """Return whether the probe succeeded within its time; never raises."""


class Signals(Protocol):
    """Asks the programs on machines, and CloudWatch, who is at work."""

    async def ask(self, questions: Sequence[Question]) -> Sequence[Evidence]:
        """Answer every question, in their order, within seconds; never raises: no answer is evidence too."""


class Notifier(Protocol):
    """Tells people; losing a notice loses nothing else."""

    def tell(self, notice: Notice) -> None:
        """Take a notice and deliver it when there is time, at most once; never waits and never raises."""


class Secrets(Protocol):
    """The Secrets of the operator's own namespace."""

    async def fetch(self, ref: SecretKey) -> str:
        """Return the value of one key. Raises NotFound, Denied or Unanswered."""


class Clock(Protocol):
    """Time, for those who may not read a clock."""

    def now(self) -> datetime:
        """Return the current time in UTC."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps."""


class Metrics(Protocol):
    """Counters that the actors fill."""

    def claim_published(self, *, pool: str, seconds: float) -> None:
        """Record one claim: seconds from the Workspace's arrival here to its IP being accepted by the API server."""

    def claim_hit(self, *, pool: str) -> None:
        """Count a workspace that found an idle slot at once."""

    def claim_missed(self, *, pool: str, cause: str) -> None:
        """Count a workspace that had to wait, with the cause."""

    def pool_counts(self, *, pool: str, counts: Mapping[str, int]) -> None:
        """Set the gauges of one pool (idle, booting, claimed, waiting, …)."""

    def unsecured_age(self, *, pool: str, seconds: float) -> None:
        """Set the age of the oldest claim whose machine is still within its group's reach."""

    def pool_removed(self, *, pool: str) -> None:
        """Forget the gauges of a pool that is gone."""

    def pool_left(self, *, pool: str) -> None:
        """Forget the gauges of a pool that another replica owns; what was counted here stays counted."""

    def pool_owned(self, *, pool: str) -> None:
        """Show that this replica owns a pool, until it is left."""

    def lease_renewed(self, *, outcome: str, seconds: float) -> None:
        """Count one try to renew this replica's Lease; the outcome is `ok` or the name of an error."""
