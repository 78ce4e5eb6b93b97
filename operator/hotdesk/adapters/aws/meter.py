"""How busy machines' processors are, from CloudWatch."""

import math
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final

from hotdesk.adapters.aws.calls import Answer, Calls, Parameters
from hotdesk.core.processors import PERIOD, Load
from hotdesk.ports import Unanswered

_Loads = tuple[tuple[str, tuple[Load, ...]], ...]

_QUERIES_PER_CALL: Final = 500  # CloudWatch's limit; a query is 36 figures of 3 hours, and a page holds 100,800
_INCOMPLETE: Final = frozenset({"InternalError", "Forbidden"})  # of a result; PartialData has its rest on another page


class AwsMeter:
    """CloudWatch in one region with one set of credentials. Every machine asked for is paid for."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def loads(
        self, machines: Collection[str], *, since: datetime, until: datetime
    ) -> Mapping[str, tuple[Load, ...]]:
        """Return what was measured of each machine, the oldest first; nothing of those that did not run.

        Raises what reads of the Fleet raise.
        """
        found: dict[str, tuple[Load, ...]] = dict.fromkeys(machines, ())
        remaining = iter(found)
        while batch := tuple(islice(remaining, _QUERIES_PER_CALL)):
            named = {f"m{number}": machine for number, machine in enumerate(batch)}
            asked: Parameters = {
                "MetricDataQueries": [_query(name, machine) for name, machine in named.items()],
                "StartTime": since,
                "EndTime": until,
                "ScanBy": "TimestampAscending",
            }
            async for loads in self._pages(asked, named):
                for machine, more in loads:
                    found[machine] += more
        return found

    async def _pages(self, asked: Parameters, named: Mapping[str, str]) -> AsyncIterator[_Loads]:
        convert = partial(_loads_of, named=named)
        page = await self._calls.read("cloudwatch", "GetMetricData", asked, convert)
        yield page.facts
        while page.next_token is not None:
            asked = {**asked, "NextToken": page.next_token}
            page = await self._calls.read("cloudwatch", "GetMetricData", asked, convert)
            yield page.facts


def _query(name: str, machine: str) -> dict[str, Any]:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/EC2",
                "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": "InstanceId", "Value": machine}],
            },
            "Period": int(PERIOD.total_seconds()),
            "Stat": "Average",
        },
    }


def _loads_of(answer: Answer, *, named: Mapping[str, str]) -> _Loads:
    return tuple((named[result["Id"]], _measured(result)) for result in answer["MetricDataResults"])


def _measured(result: Answer) -> tuple[Load, ...]:
    if result.get("StatusCode") in _INCOMPLETE:
        raise Unanswered(f"cloudwatch:GetMetricData gave no figures: {result['StatusCode']}")
    measured = zip(result["Timestamps"], result["Values"], strict=True)
    return tuple(Load(began=began, percent=float(value)) for began, value in measured if math.isfinite(value))
