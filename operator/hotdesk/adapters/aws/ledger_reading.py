"""The ledger as `hotdesk usage` reads it: what may lie within a period is listed and read, and nothing is written."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

from botocore import exceptions as sdk

from hotdesk.adapters.aws.clients import Clients, Target, Timeouts
from hotdesk.adapters.aws.errors import translate
from hotdesk.adapters.aws.ledger import LARGEST
from hotdesk.adapters.aws.ledger_records import Place, intervals_in, times_of
from hotdesk.core.usage import Interval
from hotdesk.core.usage_sums import Period
from hotdesk.ports import NotFound, Refused

_AHEAD: Final = timedelta(days=1)  # by which a writer's clock may be ahead of ours
_AT_ONCE: Final = 1000
_READERS: Final = 16  # objects read at once: each takes some 20 ms, which is nearly all waiting


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that says nothing we understand."""

    key: str
    why: str


def read_ledger(
    place: Place, *, region: str, endpoint_url: str | None = None, period: Period, now: datetime
) -> Iterator[tuple[Interval, ...] | Unreadable]:
    """Yield what every object that may touch the period holds, or why it cannot be read.

    Objects lie under the day on which their interval ended, so those of all days from the period's begin until now
    are listed; those whose key says that they began after the period are not read. Raises what reads of AWS raise.
    """
    clients = Clients(target=Target(region, endpoint_url), timeouts=Timeouts(), connections=_READERS)
    client = clients.client("s3", retries=True)
    keys = (key for key in _keys(client, place, period, now=now) if _may_touch(key, place, period))
    with ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="hotdesk-ledger") as readers:
        while batch := list(islice(keys, _AT_ONCE)):
            yield from readers.map(partial(_read, client, place.bucket), batch)


def _keys(client: Any, place: Place, period: Period, *, now: datetime) -> Iterator[str]:
    first, last = period.since.astimezone(UTC), now.astimezone(UTC) + _AHEAD
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        asked = {"Bucket": place.bucket, "Prefix": place.month(number // 12, number % 12 + 1)}
        try:
            for page in client.get_paginator("list_objects_v2").paginate(**asked):
                yield from (str(listed["Key"]) for listed in page.get("Contents", ()))
        except (sdk.ClientError, sdk.BotoCoreError) as error:
            raise translate(error, service="s3", operation="ListBucket") from error


def _may_touch(key: str, place: Place, period: Period) -> bool:
    """Tell whether an object is worth reading; one whose key is not ours is read and reported."""
    times = times_of(key, place=place)
    if times is None:
        return True
    ended_on, started_at = times
    return ended_on >= period.since.astimezone(UTC).date() and started_at <= period.until


def _read(client: Any, bucket: str, key: str) -> tuple[Interval, ...] | Unreadable:
    try:
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read(LARGEST)
    except (sdk.ClientError, sdk.BotoCoreError) as error:
        ours = translate(error, service="s3", operation="GetObject")
        if isinstance(ours, NotFound | Refused):
            return Unreadable(key, str(ours))
        raise ours from error
    try:
        return intervals_in(body)
    except ValueError as error:
        return Unreadable(key, str(error).partition("\n")[0])
