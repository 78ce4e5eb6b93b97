"""A world on simulated time: an API server, an AWS, operators that live and die, and the people around them."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from fakes.apiserver.kinds import Kind
from fakes.apiserver.storage import Json
from hotdesk.adapters.kube import watch as kube_watch
from hotdesk.adapters.kube.connection import open_session
from hotdesk_local.aws.history import Change, History
from simworld import operators
from simworld.apiserver import SimApiServer
from simworld.aws import SimAws
from simworld.awsclients import BOOKS, AwsLine
from simworld.disks import Disks
from simworld.files import Files
from simworld.network import Network, Weather
from simworld.operators import Operator
from simworld.session import SimConnection, SimHttp
from simworld.timeline import Timeline
from simworld.trace import Trace

NAMESPACE = "team"
_MOST_SKEW = 120.0  # seconds; AWS refuses whoever is off by five minutes
AWS_WEATHER = Weather(quickest=0.02, slowest=0.2)  # seconds
_HEARS_WITHIN = 75.0  # seconds: a resync is every 60
log = logging.getLogger("hotdesk")


class SimWorld:
    """Everything there is; use it as a context. Time passes only in `pass_time` and `until`."""

    def __init__(
        self, *, seed: int = 0, shares: bool = True, keeps_books: bool = False, root: Path | None = None, **aws: Any
    ) -> None:
        """Make it; with `shares` false no operator asks for a Lease, so that two of them act at once.

        With `keeps_books` operators write into a ledger in S3 for how long machines ran. Below `root` files are real,
        and so is the vault.
        """
        self.shares = shares
        self.keeps_books = keeps_books
        self.lease_namespace = operators.NAMESPACE
        self.timeline = Timeline(seed=seed)
        self.trace = Trace(self.timeline)
        self.server = SimApiServer(self.timeline, self.trace)
        self.aws = SimAws(self.timeline, root=root, **aws)
        self.line = AwsLine(self.aws, self.timeline, self.trace)
        self.line.network.weather = AWS_WEATHER
        self.files: Any = Files(self.aws, self.timeline, self.trace)
        if root is not None:
            self.files = Disks(self.aws, self.line, self.timeline, self.trace, root=root)
        self.files.network.weather = AWS_WEATHER
        self.largest_skew = 0.0  # seconds that any operator's wall clock was ever off
        self.skews: dict[str, float] = {}  # the same of each
        self.operators: list[Operator] = []
        self.faults: list[str] = []  # what an operator did that no operator ever should, besides the laws
        self.disturbed_at = 0.0  # when something last went wrong, or an operator came or went
        self._names = 0
        if keeps_books:
            self.aws.perform("s3", "CreateBucket", {"Bucket": BOOKS.bucket})
        self._patches = patch.object(kube_watch, "open_session", _open_http)
        self._listener = _Listener(self)
        self.aws.world.fleet.history = _ToldHistory(self._tell_change)
        self.server.storage.subscribe(self._tell_write)
        for name in (NAMESPACE, operators.NAMESPACE):
            self.server.create("namespaces", {"metadata": {"name": name}})

    def __enter__(self) -> Self:
        self._patches.start()
        log.addHandler(self._listener)
        return self

    def __exit__(self, *_: object) -> None:
        log.removeHandler(self._listener)
        self._patches.stop()
        for operator in self.operators:
            operator.process.bury()

    @property
    def alive(self) -> list[Operator]:
        """The operators that have not ended."""
        return [operator for operator in self.operators if operator.is_alive]

    def take_over(self, other: "SimWorld") -> None:
        """Go on from where another world is; its operators stay behind."""
        self.timeline.now = self.disturbed_at = other.timeline.now
        self.server.take_over(other.server)
        self.aws.take_over(other.aws)
        self.files.take_over(other.files)

    def disturb(self) -> None:
        """Note that from now on operators may know less than they should, for a while."""
        self.disturbed_at = self.timeline.now

    @property
    def networks(self) -> dict[str, Network]:
        """The ways from the operators to everybody else."""
        return {"the API server": self.server.network, "AWS": self.line.network, "the vault": self.files.network}

    @property
    def is_calm(self) -> bool:
        """Whether every call is answered, and every operator runs and hears."""
        return not any(network.weather.is_bad or network.late_calls for network in self.networks.values()) and all(
            not operator.process.is_paused for operator in self.alive
        )

    def has_been_calm(self, seconds: float) -> bool:
        """Tell whether nothing was wrong for so long."""
        if not self.is_calm:
            self.disturb()
        return self.timeline.now - self.disturbed_at >= seconds

    def is_hearing(self, name: str) -> bool:
        """Tell whether an operator must know by now what was written a while ago."""
        return self.has_been_calm(_HEARS_WITHIN) and any(operator.name == name for operator in self.alive)

    def start_operator(self) -> Operator:
        """Start one more replica."""
        self.disturb()
        self._names += 1
        name = f"op{self._names}"
        self.trace.add(name, "starts")
        operator = Operator(
            name,
            server=self.server,
            aws=self.line,
            files=self.files,
            timeline=self.timeline,
            trace=self.trace,
            shares=self.shares,
            keeps_books=self.keeps_books,
        )
        self.operators.append(operator)
        return operator

    def pass_time(self, seconds: float) -> None:
        """Let the world go on."""
        self.timeline.run(seconds)

    def break_watches(self, number: int, *, compact: bool, mute: bool) -> None:
        """Break every watch, or one (then let it fall silent if wanted); compacted, they must list anew."""
        self.disturb()
        self.trace.add("api", f"watches break: {number} {compact=} {mute=}")
        watches = self.server.watches
        if compact:
            self.server.compact()
        if mute and watches:
            watches[number % len(watches)].mute(seconds=self.timeline.between(5, 90))
            return
        for watch in tuple(watches):
            watch.end()

    def step_clock(self, operator: Operator, seconds: float) -> None:
        """Let the wall clock of one operator jump."""
        self.trace.add(operator.name, f"its clock steps by {seconds} s")
        operator.process.skew = max(-_MOST_SKEW, min(_MOST_SKEW, operator.process.skew + seconds))
        self.largest_skew = max(self.largest_skew, abs(operator.process.skew))
        self.skews[operator.name] = max(self.skews.get(operator.name, 0.0), abs(operator.process.skew))

    def until(self, condition: Callable[[], bool], *, within: float, every: float = 0.0) -> bool:
        """Let time pass until the condition holds, asked after everything that happens or every so many seconds."""
        if not every:
            return condition() or self.timeline.run(within, until=condition)
        end = self.timeline.now + within
        while not condition():
            if self.timeline.now >= end:
                return False
            self.timeline.run(every)
        return True

    def _tell_change(self, change: Change) -> None:
        self.trace.add("aws", f"{change.instance} {change.what}: {change.old} -> {change.new} ({change.cause})")

    def _tell_write(self, kind: Kind, event_type: str, stored: Json) -> None:
        if self.server.writer == "people":
            name = stored["metadata"]["name"]
            self.trace.add("people", f"{event_type} {kind.plural} {name} rv={stored['metadata']['resourceVersion']}")


class _ToldHistory(History):
    """Tells somebody of every change."""

    def __init__(self, tell: Callable[[Change], None]) -> None:
        super().__init__()
        self.listeners = [tell]

    def add(self, change: Change) -> None:
        super().add(change)
        for tell in self.listeners:
            tell(change)


class _Listener(logging.Handler):
    """Takes the operators' own reports of faults in their code for what they are."""

    def __init__(self, world: SimWorld) -> None:
        super().__init__(level=logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        said = f"{record.getMessage()}: {record.exc_info[1]!r}" if record.exc_info else record.getMessage()
        self._world.trace.add("log", said)
        if record.exc_info:
            self._world.faults.append(logging.Formatter().format(record))


def _open_http(connection: Any, **settings: Any) -> Any:
    return SimHttp(connection) if isinstance(connection, SimConnection) else open_session(connection, **settings)
