"""The Ledger port on S3: one object an interval, which is written once and never changed."""

import logging
from collections.abc import Callable
from typing import Any, Final

from hotdesk.adapters.aws.budgets import Budgets
from hotdesk.adapters.aws.calls import THREADS, Calls, OnCall
from hotdesk.adapters.aws.clients import Clients, Target, Timeouts
from hotdesk.adapters.aws.ledger_records import Place, intervals_in, key_of, line_of
from hotdesk.core.usage import Interval
from hotdesk.ports import Conflict, HotdeskError, NotFound, Refused, Unanswered

log = logging.getLogger(__name__)

LARGEST: Final = 1 << 16  # bytes of an object that is read; ours have some 400


class NoLedger:
    """Keeps nothing: for an operator that was given no place for it."""

    async def write(self, interval: Interval) -> Interval:
        """Return the interval."""
        return interval

    def close(self) -> None:
        """Do nothing."""


class S3Ledger:
    """Keeps one object of JSON lines for each interval; see `hotdesk.ports.Ledger` for the contract.

    S3 itself decides who is first: `If-None-Match: *` refuses to overwrite.
    """

    def __init__(self, calls: Calls, *, place: Place) -> None:
        self._calls = calls
        self._place = place

    async def write(self, interval: Interval) -> Interval:
        """Keep an interval, or return the one that was kept before under its key."""
        key = key_of(interval, place=self._place)
        asked = {
            "Bucket": self._place.bucket,
            "Key": key,
            "Body": line_of(interval),
            "ContentType": "application/x-ndjson",
            "IfNoneMatch": "*",
        }
        try:
            await self._calls.write("s3", "PutObject", asked)
        except (Conflict, Refused) as refusal:
            return await self._kept(key, interval, refusal=refusal)
        return interval

    def close(self) -> None:
        """Take no more calls."""
        self._calls.close()

    async def _kept(self, key: str, interval: Interval, *, refusal: HotdeskError) -> Interval:
        """Return what is there already; if nothing is, the refusal meant something else."""
        try:
            page = await self._calls.read("s3", "GetObject", {"Bucket": self._place.bucket, "Key": key}, _body)
            (kept,) = intervals_in(page.facts)
        except (Unanswered, NotFound, ValueError) as error:
            raise Refused(str(refusal)) from error
        if kept != interval:
            log.error(
                "the ledger keeps another end of an interval than is known now; the first word stands",
                extra={"key": key, "kept": kept.ended_at.isoformat(), "now": interval.ended_at.isoformat()},
            )
        return kept


def make_ledger(
    place: Place | None,
    *,
    region: str,
    endpoint_url: str | None = None,
    on_call: OnCall = lambda _action, _outcome, _seconds: None,
    gate: Callable[[], None] = lambda: None,
) -> S3Ledger | NoLedger:
    """Return the ledger at a place, with our own credentials; making it calls nothing."""
    if place is None:
        return NoLedger()
    target = Target(region=region, endpoint_url=endpoint_url)
    clients = Clients(target=target, timeouts=Timeouts(), connections=THREADS)
    return S3Ledger(Calls(clients=clients, budgets=Budgets(), on_call=on_call, gate=gate), place=place)


def _body(answer: dict[str, Any]) -> bytes:
    return bytes(answer["Body"].read(LARGEST))
