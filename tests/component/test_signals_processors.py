"""Whose processors are busy: asked seldom, many at once, of a simulated CloudWatch where it matters."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from component.simulated_cloud import running_cloud
from factories import machine_id
from fakes.awsworld import ManualClock
from hotdesk.adapters.aws.fleets import AwsFleets
from hotdesk.adapters.aws.meter import AwsMeter
from hotdesk.adapters.signals.network import NetworkSignals
from hotdesk.adapters.signals.processors import Processors
from hotdesk.api.v1alpha1 import Activity, CpuEvidence
from hotdesk.core.evidence import Question
from hotdesk.core.processors import PERIOD, Load
from hotdesk.ports import Denied, Unanswered

BUSY = Activity(cpu=CpuEvidence(above_percent=50))


class FakeMeters:
    """CloudWatch in memory: what each place was asked, and what it answers."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.percent: dict[str, float] = {}
        self.trouble: Exception | None = None
        self.gate: asyncio.Event | None = None

    def meter(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> SimpleNamespace:
        where = f"{region} {endpoint_url} {role_arn}"

        async def loads(
            machines: Collection[str], *, since: datetime, until: datetime
        ) -> Mapping[str, tuple[Load, ...]]:
            assert since < until
            self.asked.append((where, tuple(machines)))
            if self.gate is not None:
                await self.gate.wait()
            if self.trouble is not None:
                raise self.trouble
            row = [self.clock.now() - 2 * PERIOD, self.clock.now() - 3 * PERIOD]
            return {name: tuple(Load(began, self.percent[name]) for began in row) for name in self.percent}

        return SimpleNamespace(loads=loads)


class NoSecrets:
    async def fetch(self, ref: object) -> str:
        raise AssertionError(f"nobody needs {ref}")


def question(
    machine: str, *, activity: Activity = BUSY, region: str = "eu-west-1", role: str | None = None
) -> Question:
    return Question(machine=machine, ip="10.0.0.1", activity=activity, region=region, role_arn=role)


class Room:
    """Signals beside a fake CloudWatch."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.meters = FakeMeters(self.clock)
        self.processors = Processors(self.meters, self.clock, gathering=timedelta(milliseconds=50))
        self.signals = NetworkSignals(secrets=NoSecrets(), processors=self.processors, clock=self.clock)


def test_who_is_busy_is_prolonged_since_the_busy_row_began_and_nobody_else():
    async def scenario() -> None:
        room = Room()
        room.meters.percent = {"i-1": 90, "i-2": 50}
        busy, calm, unknown = await room.signals.ask([question("i-1"), question("i-2"), question("i-3")])
        assert busy.busy_since == room.clock.now() - 3 * PERIOD
        assert busy.busy_for_at_most == timedelta(hours=12)
        assert (busy.failure, busy.last_input, busy.source) == (None, None, None)  # it never begins activity
        assert calm.busy_since is unknown.busy_since is calm.failure is unknown.failure is None

    asyncio.run(scenario())


def test_each_place_is_asked_once_for_all_its_machines_and_not_again_for_minutes():
    async def scenario() -> None:
        room = Room()
        here = [question(f"i-{number}") for number in range(3)]
        there = [question("i-8", region="us-east-1"), question("i-9", role="arn:aws:iam::1:role/r")]
        nobody = [question("i-7", activity=Activity())]
        for _ in range(2):
            await room.signals.ask([*here, *there, *nobody])
        assert sorted(room.meters.asked) == [
            ("eu-west-1 None None", ("i-0", "i-1", "i-2")),
            ("eu-west-1 None arn:aws:iam::1:role/r", ("i-9",)),
            ("us-east-1 None None", ("i-8",)),
        ]
        room.clock.advance(timedelta(seconds=239))
        await room.signals.ask(here)
        assert len(room.meters.asked) == 3
        room.clock.advance(timedelta(seconds=1))
        await room.signals.ask(here[:1])
        assert room.meters.asked[3:] == [("eu-west-1 None None", ("i-0",))]

    asyncio.run(scenario())


def test_questions_that_come_within_moments_are_gathered_in_one_call():
    async def scenario() -> None:
        room = Room()
        room.meters.percent = {f"i-{number}": 90 for number in range(30)}
        answers = await asyncio.gather(*(room.signals.ask([question(name)]) for name in room.meters.percent))
        assert all(evidence.busy_since for (evidence,) in answers)
        ((_, machines),) = room.meters.asked
        assert sorted(machines) == sorted(room.meters.percent)
        room.clock.advance(timedelta(seconds=240))
        await room.signals.ask([question("i-1")])
        assert len(room.meters.asked) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "trouble", [Denied("not allowed"), Unanswered("no answer"), RuntimeError("nobody thought of it")]
)
def test_where_cloudwatch_does_not_answer_nobody_knows_and_it_is_asked_again_after_a_minute(trouble):
    async def scenario() -> None:
        room = Room()
        room.meters.percent = {"i-1": 90}
        room.meters.trouble = trouble
        (evidence,) = await room.signals.ask([question("i-1")])
        assert evidence.failure
        assert "nobody" not in evidence.failure
        room.meters.trouble = None
        room.clock.advance(timedelta(seconds=59))
        assert (await room.signals.ask([question("i-1")]))[0].failure
        room.clock.advance(timedelta(seconds=1))
        assert (await room.signals.ask([question("i-1")]))[0].busy_since

    asyncio.run(scenario())


def test_a_slow_answer_holds_up_nobody_and_serves_the_next_question(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hotdesk.adapters.signals.processors._PATIENCE", 0.01)

    async def scenario() -> None:
        room = Room()
        room.meters.percent, room.meters.gate = {"i-1": 90}, asyncio.Event()
        (evidence,) = await room.signals.ask([question("i-1")])
        assert evidence.failure == "CloudWatch has not answered yet"
        room.meters.gate.set()
        await asyncio.gather(*room.processors._tasks)
        (evidence,) = await room.signals.ask([question("i-1")])
        assert evidence.failure is None
        assert evidence.busy_since
        assert len(room.meters.asked) == 1
        room.meters.gate.clear()
        room.clock.advance(timedelta(seconds=240))
        (evidence,) = await room.signals.ask([question("i-1")])
        assert evidence.failure is None  # what it knew still holds
        assert evidence.busy_since
        room.meters.gate.set()
        await asyncio.gather(*room.processors._tasks)

    asyncio.run(scenario())


def test_five_hundred_machines_ride_in_one_call_and_all_pages_are_read():
    asked = []

    async def read(_service: str, _operation: str, parameters: dict, convert) -> SimpleNamespace:
        asked.append(parameters)
        ids = [query["Id"] for query in parameters["MetricDataQueries"]]
        is_second = "NextToken" in parameters
        began = datetime(2026, 1, 1, tzinfo=UTC) + PERIOD * is_second
        status = "Complete" if is_second else "PartialData"
        results = [{"Id": name, "Timestamps": [began], "Values": [7.0], "StatusCode": status} for name in ids]
        return SimpleNamespace(facts=convert({"MetricDataResults": results}), next_token=None if is_second else "more")

    async def scenario() -> None:
        machines = [machine_id(number) for number in range(1001)]
        until = datetime(2026, 1, 1, tzinfo=UTC)
        loads = await AwsMeter(SimpleNamespace(read=read)).loads(machines, since=until - PERIOD, until=until)
        assert list(loads) == machines
        assert {len(row) for row in loads.values()} == {2}
        assert [len(parameters["MetricDataQueries"]) for parameters in asked] == [500, 500, 500, 500, 1, 1]

    asyncio.run(scenario())


@pytest.mark.parametrize("status", ["InternalError", "Forbidden"])
def test_a_result_that_is_incomplete_is_no_answer(status):
    async def read(_service: str, _operation: str, _parameters: dict, convert) -> None:
        convert({"MetricDataResults": [{"Id": "m0", "Timestamps": [], "Values": [], "StatusCode": status}]})

    meter = AwsMeter(SimpleNamespace(read=read))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(Unanswered, match=status):
        asyncio.run(meter.loads(["i-1"], since=now - PERIOD, until=now))


def test_the_simulated_cloudwatch_is_understood(tmp_path, monkeypatch: pytest.MonkeyPatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("hotdesk.adapters.aws.meter.PERIOD", timedelta(seconds=1))
    calls = []

    async def scenario(cloud, machines) -> None:
        fleets = AwsFleets(on_call=lambda action, outcome, _seconds: calls.append((action, outcome)))
        meter = fleets.meter(region=cloud.aws.ready.region, endpoint_url=cloud.aws.endpoint, role_arn=None)
        async with asyncio.timeout(60):
            while True:
                now = datetime.now(UTC)  # noqa: TID251  # the simulator runs in real time
                loads = await meter.loads(machines, since=now - timedelta(minutes=5), until=now)
                if {load.percent for load in loads[machines[0]]} >= {93.5} and loads[machines[1]]:
                    break
        fleets.close()
        assert {load.percent for load in loads[machines[1]]} == {1.0}
        assert loads["i-0123456789abcdef0"] == ()
        assert all(
            earlier.began < later.began
            for earlier, later in zip(loads[machines[0]], loads[machines[0]][1:], strict=False)
        )

    with running_cloud(tmp_path, metricPeriod=1, metricDelay=0) as cloud:
        made = cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=2, MaxCount=2)["Instances"]
        machines = [instance["InstanceId"] for instance in made]
        for machine in machines:
            cloud.until_state(machine, "running")
        cloud.sim(f"machines/{machines[0]}/cpu", method="POST", body={"percent": 93.5})
        asyncio.run(scenario(cloud, [*machines, "i-0123456789abcdef0"]))
    assert set(calls) == {("cloudwatch:GetMetricData", "ok")}
