"""What was seen of people at work: one question to a machine or to CloudWatch, and its answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import Activity


@dataclass(frozen=True, slots=True)
class Question:
    """Ask who is at work on one machine."""

    machine: str
    ip: str
    activity: Activity
    region: str
    endpoint_url: str | None = None  # of AWS, as the pool says
    role_arn: str | None = None
    idle_timeout: timedelta | None = None  # the shortest of those who work there: answers must be newer than a tenth
    is_urgent: bool = False  # a decision waits for the answer: ask soon


@dataclass(frozen=True, slots=True)
class Evidence:
    """The answer of one machine, for all of its slots."""

    machine: str
    at: datetime  # when it was asked
    source: str | None = None  # CodeServer, Jupyter or HTTP: what saw the latest input
    last_input: datetime | None = None  # when somebody last worked; None: never since it started
    busy_since: datetime | None = None  # its processors are busy, as CloudWatch last measured; may only prolong
    busy_for_at_most: timedelta | None = None  # how long that may prolong activity, as the pool says
    failure: str | None = None  # why there is no answer: then nobody knows, which is not the same as nobody there
