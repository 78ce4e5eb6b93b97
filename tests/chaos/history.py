"""What happened in one run, as users, the API server and AWS saw it: plain records, in nobody's interpretation.

Times are seconds since 1970 by this computer's clock, which all of them share. Versions are etcd's revisions, by which
objects of all kinds compare.
"""

from dataclasses import dataclass, field

Slot = tuple[str, int]
"""Machine and slot."""


@dataclass(frozen=True, slots=True)
class WorkspaceSeen:
    """One state of a workspace, from a user's watch."""

    at: float
    version: int
    uid: str
    name: str
    pool: str
    phase: str = ""
    machine: str | None = None
    slot: int = 0
    address: str = ""
    is_ready: bool = False
    is_gone: bool = False

    @property
    def seat(self) -> Slot | None:
        """The slot the user is told is its own; one that is archived has left it already."""
        return None if self.is_gone or self.machine is None or self.phase == "Archiving" else (self.machine, self.slot)


@dataclass(frozen=True, slots=True)
class MachineSeen:
    """One state of a Machine record, from a watch."""

    at: float
    version: int
    name: str
    pool: str
    claims: tuple[tuple[int, str], ...] = ()
    """Slot and UID of who holds it."""
    reap: str | None = None
    """Why it is to end."""
    is_to_stop: bool = False
    """It is decided past turning back that it is stopped."""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class LeaseSeen:
    """One state of a Lease: `pool-…` names who acts for a pool, `replica-…` is the life of a replica."""

    at: float
    version: int
    name: str
    uid: str
    holder: str = ""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One write that the API server has audited."""

    process: str
    """Who sent it: every start of an operator has a credential of its own."""
    began: float
    ended: float
    verb: str
    kind: str
    """Plural; with the subresource, `workspaces/status`."""
    name: str
    code: int
    guard: int | None = None
    """The version that the object had to have."""
    version: int | None = None
    """The version it has got."""
    pool: str | None = None
    """The pool it is about, where the object says."""

    @property
    def is_done(self) -> bool:
        """Whether the API server carried it out."""
        return self.code < 300


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One call that AWS has seen."""

    n: int
    at: float
    process: str
    action: str
    status: int
    group: str | None = None


@dataclass(frozen=True, slots=True)
class InstanceChange:
    """One change of an instance's state, as AWS made it."""

    at: float
    machine: str
    state: str
    cause: str


@dataclass(frozen=True, slots=True)
class Live:
    """How many machines of a group were alive from a moment on."""

    at: float
    group: str
    count: int
    cause: str


@dataclass(frozen=True, slots=True)
class Order:
    """What a user asked for: `create`, `delete`, `wake`, `read`. `ended` is None where no answer came."""

    began: float
    ended: float | None
    what: str
    name: str
    pool: str
    uid: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """What the run did to a part: `kill`, `pause`, `resume`, `start`, `cut`, `mend`, …"""

    at: float
    what: str
    whom: str
    process: str = ""
    """The credential of the process it was done to."""


@dataclass(frozen=True)
class History:
    """Everything of one run. Each tuple is in the order in which it happened."""

    ceilings: dict[str, int] = field(default_factory=dict)
    """Group -> most live machines."""
    pools: dict[str, str] = field(default_factory=dict)
    """Pool -> group."""
    resting: frozenset[str] = frozenset()
    """Pools whose machines are stopped and archived by their lifecycle."""
    probed: frozenset[str] = frozenset()
    """Pools with always enough machines, in which claims are timed."""
    began: float = 0.0
    ended: float = 0.0
    workspaces: tuple[WorkspaceSeen, ...] = ()
    machines: tuple[MachineSeen, ...] = ()
    leases: tuple[LeaseSeen, ...] = ()
    writes: tuple[Write, ...] = ()
    calls: tuple[AwsCall, ...] = ()
    changes: tuple[InstanceChange, ...] = ()
    live: tuple[Live, ...] = ()
    orders: tuple[Order, ...] = ()
    deeds: tuple[Deed, ...] = ()
    left: tuple[str, ...] = ()
    """What was not at rest at the end although it had time to be: sentences."""
