"""All the simulated AWS knows, in one place; one thread owns it, so every call sees a settled state."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hotdesk_local.aws import clock
from hotdesk_local.aws.calls import Call, CallLog
from hotdesk_local.aws.config import Config
from hotdesk_local.aws.cpu import Cpu
from hotdesk_local.aws.ebs import Storage
from hotdesk_local.aws.errors import no_such_group
from hotdesk_local.aws.events import Events
from hotdesk_local.aws.fleet import Fleet
from hotdesk_local.aws.model import Group, LaunchTemplate, Member, Network, Params
from hotdesk_local.aws.s3_model import ObjectStore
from hotdesk_local.aws.spot import Spot
from hotdesk_local.aws.sqs import Queues
from hotdesk_local.aws.ssm import Guests

ACCOUNT = "123456789012"


@dataclass(slots=True)
class World:
    """The account: its fleet, its groups and the network they live in."""

    region: str
    fleet: Fleet
    network: Network
    image: str
    storage: Storage
    guests: Guests
    s3: ObjectStore
    queues: Queues
    events: Events
    spot: Spot
    cpu: Cpu = field(default_factory=Cpu)
    topics: set[str] = field(default_factory=set)
    """SNS topics by ARN."""
    endpoint: str = ""
    """Where clients reach it; empty without a server."""
    now: Callable[[], float] = clock.now
    templates: dict[str, LaunchTemplate] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    moving: dict[str, Member] = field(default_factory=dict)
    """Members that are Detaching or EnteringStandby, by instance id."""

    @property
    def calls(self) -> CallLog:
        """Return the record of calls."""
        return self.fleet.calls

    @property
    def config(self) -> Config:
        """Return the behaviour in force."""
        return self.fleet.config

    def configure(self, config: Config) -> None:
        """Change the behaviour at once; groups that wait after a failed launch try again."""
        self.fleet.config = config
        for group in self.groups.values():
            group.retry_at = 0.0
            group.needs_look = True

    def group(self, name: str) -> Group:
        """Return a group; raises AWS's error when there is none of this name."""
        found = self.groups.get(name)
        if found is None:
            raise no_such_group(name)
        return found


class NothingYet(Exception):  # noqa: N818  # a long poll that waits is no error
    """There is nothing to answer yet; ask again until then."""

    def __init__(self, until: float) -> None:
        super().__init__(until)
        self.until = until


Handler = Callable[[World, Params, Call], Params]
"""Carries out one action: parameters and answer in boto3's shape; raises AwsError."""
