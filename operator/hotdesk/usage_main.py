"""`hotdesk usage`: the ledger, added up and printed. It needs the rights s3:ListBucket and s3:GetObject, no more."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pydantic import ValidationError

from hotdesk.adapters.aws.ledger_reading import Unreadable, read_ledger
from hotdesk.adapters.aws.ledger_records import place_of
from hotdesk.adapters.clock import SystemClock
from hotdesk.api.wire import explain
from hotdesk.core.usage import Interval
from hotdesk.core.usage_sums import By, Period, Sum, distinct, month, summed, total
from hotdesk.ports import HotdeskError
from hotdesk.settings import LedgerSettings

Output = Literal["table", "json", "csv"]

_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_YEARS: Final = range(2000, 2999)  # a month later is still a time that can be written
_FORMULA: Final = ("=", "+", "-", "@")
_SECOND: Final = timedelta(seconds=1)


class BadPeriod(Exception):  # noqa: N818  # names the fact
    """What is wrong with the period asked for, as a sentence."""


class CannotRead(Exception):  # noqa: N818
    """Why there is nothing to add up, as a sentence."""


def report(*, by: By, period: Period, output: Output, ledger: str | None) -> bool:
    """Print the sums; return whether everything in the ledger could be read."""
    intervals, unreadable = _read(_settings(ledger), period)
    for one in unreadable:
        sys.stderr.write(f"left out, cannot be read: {one.key}: {one.why}\n")
    sums = summed(distinct(intervals), by=by, period=period)
    sys.stdout.write(_WRITERS[output](sums, by, period))
    return not unreadable


def period_of(*, month: str | None, since: str | None, until: str | None) -> Period:
    """Return the period that the options name."""
    now = SystemClock().now()
    if month is not None and (since is not None or until is not None):
        raise BadPeriod("give --month, or --since and --until, not both")
    if month is None and since is not None:
        found = Period(_moment(since), _moment(until) if until is not None else now)
        if found.since >= found.until:
            raise BadPeriod("--since must lie before --until")
        return found
    if until is not None:
        raise BadPeriod("--until needs --since")
    return _month(month or f"{now:%Y-%m}")


def _settings(ledger: str | None) -> LedgerSettings:
    try:
        return LedgerSettings() if ledger is None else LedgerSettings(ledger=ledger)
    except ValidationError as error:
        raise CannotRead(f"write the ledger's place as s3://BUCKET/PREFIX: {explain(error)}") from None


def _read(settings: LedgerSettings, period: Period) -> tuple[list[Interval], list[Unreadable]]:
    if settings.ledger is None:
        raise CannotRead("no ledger is set: give --ledger s3://BUCKET/PREFIX, or set HOTDESK_LEDGER")
    place, now = place_of(settings.ledger), SystemClock().now()
    try:
        found = list(read_ledger(place, region=settings.ledger_region, period=period, now=now))
    except HotdeskError as error:
        raise CannotRead(f"cannot read {settings.ledger}: {error}") from error
    intervals = [interval for one in found if not isinstance(one, Unreadable) for interval in one]
    return intervals, [one for one in found if isinstance(one, Unreadable)]


def _month(text: str) -> Period:
    parts = _MONTH.fullmatch(text)
    if parts is None or int(parts[1]) not in _YEARS:
        raise BadPeriod(f"write a month like 2026-11 instead of {text!r}")
    return month(int(parts[1]), int(parts[2]))


def _moment(text: str) -> datetime:
    """Read a day or a time; one that names no zone is in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.year not in _YEARS:
        raise BadPeriod(f"write a time like 2026-11-01 or 2026-11-01T08:00:00Z instead of {text!r}")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _table(sums: Mapping[str, Sum], by: By, _period: Period) -> str:
    heads = (by.upper(), "RUNNING", "BILLED MINUTES", "INTERVALS")
    rows = [(name, _clock(one.running), f"{one.billed_minutes}", f"{one.intervals}") for name, one in sums.items()]
    whole = total(sums)
    rows.append(("TOTAL", _clock(whole.running), f"{whole.billed_minutes}", f"{whole.intervals}"))
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return "".join(_line(row, widths) for row in (heads, *rows))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    numbers = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
    return "   ".join((row[0].ljust(widths[0]), *numbers)) + "\n"


def _json(sums: Mapping[str, Sum], by: By, period: Period) -> str:
    shown: dict[str, Any] = {
        "since": _written(period.since),
        "until": _written(period.until),
        "by": by,
        "sums": [{by: name, **_figures(one)} for name, one in sums.items()],
        "total": _figures(total(sums)),
    }
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


def _csv(sums: Mapping[str, Sum], by: By, _period: Period) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((by, "seconds", "billedMinutes", "intervals"))
    for name, one in sums.items():
        # A spreadsheet would take such an owner for a formula, and users choose these names.
        shown = f"'{name}" if name.startswith(_FORMULA) else name
        writer.writerow((shown, *_figures(one).values()))
    return text.getvalue()


_WRITERS: Final[Mapping[Output, Callable[[Mapping[str, Sum], By, Period], str]]] = {
    "table": _table,
    "json": _json,
    "csv": _csv,
}


def _figures(one: Sum) -> dict[str, float | int]:
    return {
        "seconds": one.running.total_seconds(),
        "billedMinutes": one.billed_minutes,
        "intervals": one.intervals,
    }


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _clock(running: timedelta) -> str:
    """Return hours, minutes and seconds, like 12:05:09."""
    seconds = (running + _SECOND / 2) // _SECOND
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
