"""CloudWatch: the CPU use of machines, in periods, some time after the fact."""

from collections.abc import Iterator, Mapping

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.cpu import Span
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.world import Handler, World

MOST_QUERIES = 500


def _get(world: World, params: Params, call: Call) -> Params:
    queries = params["MetricDataQueries"]
    if len(queries) > MOST_QUERIES:
        raise AwsError(
            "ValidationError", f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
        )
    if params["StartTime"] >= params["EndTime"]:
        raise AwsError("ValidationError", "The parameter EndTime must be greater than StartTime.")
    return {"MetricDataResults": [_result(world, query, params, call) for query in queries], "Messages": []}


def _result(world: World, query: Params, params: Params, call: Call) -> Params:
    stat = query.get("MetricStat")
    if stat is None:
        raise AwsError("ValidationError", "The simulated CloudWatch knows no expressions: give a MetricStat.")
    points = list(_points(world, stat, params, call))
    if params.get("ScanBy", "TimestampDescending") == "TimestampDescending":
        points.reverse()
    return {
        "Id": query["Id"],
        "Label": query.get("Label", stat["Metric"]["MetricName"]),
        "Timestamps": [moment(time) for time, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": "Complete",
    }


def _points(world: World, stat: Params, params: Params, call: Call) -> Iterator[tuple[float, float]]:
    metric, config = stat["Metric"], world.config
    named = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
    if (metric.get("Namespace"), metric.get("MetricName")) != ("AWS/EC2", "CPUUtilization"):
        return
    period = max(float(stat["Period"]), config.metric_period)
    known_until = min(call.time - config.metric_delay, params["EndTime"].timestamp() + period)
    spans = list(world.cpu.spans(named.get("InstanceId", ""), world.fleet.history, now=call.time))
    start = params["StartTime"].timestamp() // period * period
    while start + period <= known_until and start < params["EndTime"].timestamp():
        value = _value(spans, start, start + period, stat["Stat"])
        if value is not None:
            yield start, value
        start += period


def _value(spans: list[Span], begin: float, end: float, stat: str) -> float | None:
    inside = [(min(last, end) - max(first, begin), percent) for first, last, percent in spans]
    inside = [(length, percent) for length, percent in inside if length > 0]
    if not inside:
        return None
    if stat in {"Maximum", "Minimum"}:
        return (max if stat == "Maximum" else min)(percent for _, percent in inside)
    return sum(length * percent for length, percent in inside) / sum(length for length, _ in inside)


ACTIONS: Mapping[str, Handler] = {"GetMetricData": _get}
