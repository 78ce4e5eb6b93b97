"""The ledger on the simulated S3: written once whatever goes wrong, and added up by `hotdesk usage`."""

import asyncio
import json
import logging
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from component.simulated_cloud import Cloud, running_cloud
from factories import machine_id
from hotdesk.adapters.aws.ledger import NoLedger, S3Ledger, make_ledger
from hotdesk.adapters.aws.ledger_records import Place, intervals_in
from hotdesk.cli import main
from hotdesk.core.usage import Interval
from hotdesk.ports import Denied, Refused, Throttled, Unanswered

STARTED = datetime(2026, 3, 31, 23, 0, 0, 500, tzinfo=UTC)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory):
    with running_cloud(tmp_path_factory.mktemp("aws")) as cloud:
        yield cloud


@pytest.fixture
def s3(cloud: Cloud):
    cloud.sim("faults", method="DELETE")
    client = cloud.client("s3")
    yield client
    client.close()


@pytest.fixture
def place(cloud: Cloud, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty ledger, and the environment of who reads it."""
    bucket = f"finance-{next(cloud._names)}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": cloud.aws.ready.region})
    settings = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_ENDPOINT_URL": cloud.aws.endpoint,
        "AWS_REGION": cloud.aws.ready.region,
        "HOTDESK_LEDGER": f"s3://{bucket}/hotdesk",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return Place(bucket, "hotdesk/")


def interval(name: str = "demo", *, hours: float = 2, start: datetime = STARTED, **fields: Any) -> Interval:
    known = {"pool": "dev", "namespace": "team", "owner": "ada", "machine": machine_id(1), "slot": 0}
    return Interval(
        **{**known, **fields},
        workspace=name,
        uid=f"uid-{name}",
        started_at=start,
        ended_at=start + timedelta(hours=hours),
    )


def run(cloud: Cloud, place: Place, *calls: Interval) -> list[Interval]:
    """Write intervals one after the other, as one process does."""

    async def write() -> list[Interval]:
        ledger = make_ledger(place, region=cloud.aws.ready.region)
        try:
            return [await ledger.write(one) for one in calls]
        finally:
            ledger.close()

    return _run(write())


def _run(wanted: Coroutine[Any, Any, list[Interval]]) -> list[Interval]:
    return asyncio.run(wanted)


def kept(s3: Any, place: Place) -> dict[str, tuple[Interval, ...]]:
    listed = s3.list_objects_v2(Bucket=place.bucket).get("Contents", ())
    return {
        one["Key"]: intervals_in(s3.get_object(Bucket=place.bucket, Key=one["Key"])["Body"].read()) for one in listed
    }


def usage(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["usage", *arguments])


class TestWriting:
    def test_an_interval_is_one_object_under_the_day_of_its_end(self, cloud: Cloud, s3: Any, place: Place):
        assert run(cloud, place, interval()) == [interval()]
        key = f"hotdesk/2026/04/01/uid-demo-20260331T230000000500Z-{machine_id(1)}-0.jsonl"
        assert kept(s3, place) == {key: (interval(),)}

    def test_writing_it_again_changes_nothing_and_says_nothing(self, cloud, s3, place, caplog):
        assert run(cloud, place, interval(), interval()) == [interval()] * 2
        assert list(kept(s3, place).values()) == [(interval(),)]
        assert not caplog.records

    def test_the_first_end_that_was_written_stands_and_the_other_is_an_error(self, cloud, s3, place, caplog):
        later = replace(interval(), ended_at=interval().ended_at + timedelta(seconds=20))
        assert run(cloud, place, interval(), later) == [interval()] * 2
        assert list(kept(s3, place).values()) == [(interval(),)]
        assert [record.levelno for record in caplog.records] == [logging.ERROR]

    @pytest.mark.parametrize("kind", ["drop-before", "drop-after"])
    def test_after_a_lost_call_or_answer_it_is_written_once(self, cloud, s3, place, kind: str):
        cloud.fault("PutObject", kind, count=1)
        with pytest.raises(Unanswered):
            run(cloud, place, interval())
        assert run(cloud, place, interval()) == [interval()]
        assert list(kept(s3, place).values()) == [(interval(),)]

    def test_two_writers_at_once_agree(self, cloud, s3, place):
        ends = [replace(interval(), ended_at=interval().ended_at + timedelta(seconds=n)) for n in range(6)]

        async def write() -> list[Interval]:
            ledgers = [make_ledger(place, region=cloud.aws.ready.region) for _ in ends]
            try:
                writes = (ledger.write(one) for ledger, one in zip(ledgers, ends, strict=True))
                return list(await asyncio.gather(*writes))
            finally:
                for ledger in ledgers:
                    ledger.close()

        found = set(_run(write()))
        assert len(found) == 1
        assert list(kept(s3, place).values()) == [tuple(found)]

    @pytest.mark.usefixtures("place")
    def test_a_bucket_that_is_not_there_is_named(self, cloud):
        with pytest.raises(Refused, match="NoSuchBucket"):
            run(cloud, Place("no-such-bucket"), interval())

    def test_what_s3_refuses_is_told(self, cloud, place):
        cloud.fault("PutObject", "error", code="AccessDenied", count=1)
        with pytest.raises(Denied, match="s3:PutObject"):
            run(cloud, place, interval())
        cloud.fault("PutObject", "throttle", count=1)
        with pytest.raises(Throttled):
            run(cloud, place, interval())

    def test_a_refusal_is_no_proof_that_something_is_kept(self, cloud, s3, place):
        cloud.fault("PutObject", "error", code="PreconditionFailed", count=1)
        with pytest.raises(Refused):
            run(cloud, place, interval())
        assert kept(s3, place) == {}

    def test_without_a_place_nothing_is_kept(self):
        ledger = make_ledger(None, region="eu-west-1")
        assert isinstance(ledger, NoLedger)
        assert not isinstance(ledger, S3Ledger)
        assert _run(asyncio.wait_for(_all([ledger.write(interval())]), 5)) == [interval()]
        ledger.close()


async def _all(writes: list[Coroutine[Any, Any, Interval]]) -> list[Interval]:
    return [await write for write in writes]


class TestReading:
    def test_a_month_is_added_up_by_owner_and_cut_at_its_borders(self, cloud, place):
        run(cloud, place, interval(), interval("b", owner="eve", start=STARTED - timedelta(days=1), hours=0.001))
        march = usage("--month", "2026-03")
        assert march.exit_code == 0, march.output
        assert march.stdout == (
            "OWNER   RUNNING   BILLED MINUTES   INTERVALS\n"
            "ada     1:00:00                0           0\n"
            "eve     0:00:04                1           1\n"
            "TOTAL   1:00:04                1           1\n"
        )
        assert "ada     1:00:00              120           1\n" in usage("--month", "2026-04").stdout

    def test_an_interval_over_several_months_has_time_in_each(self, cloud, place):
        run(cloud, place, interval(hours=24 * 61))
        for month, hours in (("2026-03", 1), ("2026-04", 30 * 24), ("2026-05", 30 * 24 + 23), ("2026-06", None)):
            sums = json.loads(usage("--month", month, "-o", "json").stdout)["sums"]
            assert [round(one["seconds"] / 3600) for one in sums] == ([] if hours is None else [hours])

    def test_json_gives_the_sums_their_total_and_the_period(self, cloud, place):
        run(cloud, place, interval())
        asked = ("--since", "2026-03-31T23:30:00Z", "--until", "2026-04-02", "--by", "workspace", "--output", "json")
        assert json.loads(usage(*asked).stdout) == {
            "since": "2026-03-31T23:30:00Z",
            "until": "2026-04-02T00:00:00Z",
            "by": "workspace",
            "sums": [{"workspace": "team/demo", "seconds": 5400.0005, "billedMinutes": 120, "intervals": 1}],
            "total": {"seconds": 5400.0005, "billedMinutes": 120, "intervals": 1},
        }

    def test_csv_has_no_total_and_no_formula(self, cloud, place):
        run(cloud, place, interval(owner="=1+1", start=STARTED.replace(microsecond=0)))
        assert usage("--month", "2026-04", "-o", "csv").stdout == (
            "owner,seconds,billedMinutes,intervals\n'=1+1,3600.0,120,1\n"
        )

    @pytest.mark.parametrize(("by", "name"), [("pool", "dev"), ("day", "2026-03-31"), ("workspace", "team/demo")])
    def test_sums_are_by_what_is_asked_for(self, cloud, place, by: str, name: str):
        run(cloud, place, interval())
        (row,) = json.loads(usage("--month", "2026-03", "--by", by, "-o", "json").stdout)["sums"]
        assert (row[by], row["seconds"]) == (name, 3599.9995)

    @pytest.mark.usefixtures("place")
    def test_an_empty_ledger_adds_up_to_nothing(self):
        found = usage("-o", "json")
        assert (found.exit_code, json.loads(found.stdout)["sums"]) == (0, [])

    def test_what_cannot_be_read_is_reported_and_left_out(self, cloud, s3, place):
        run(cloud, place, interval())
        for name in ("notes.txt", "uid-x-20260331T230000000500Z-i-0.jsonl"):
            s3.put_object(Bucket=place.bucket, Key=f"hotdesk/2026/04/01/{name}", Body=b"{}")
        found = usage("--month", "2026-04")
        assert found.exit_code == 3
        assert "TOTAL   1:00:00              120           1\n" in found.stdout
        assert [line.split(":")[1].strip() for line in found.stderr.splitlines()] == [
            "hotdesk/2026/04/01/notes.txt",
            "hotdesk/2026/04/01/uid-x-20260331T230000000500Z-i-0.jsonl",
        ]

    def test_no_object_is_read_whose_key_says_that_it_lies_elsewhere(self, cloud, place):
        run(cloud, place, interval("old", start=STARTED - timedelta(days=9)), interval("new"))
        before = cloud.sim("calls?since=0")["next"]
        usage("--since", "2026-03-25", "--until", "2026-03-31")
        actions = [call["action"] for call in cloud.sim(f"calls?since={before}")["calls"]]
        assert set(actions) == {"ListObjectsV2"}

    @pytest.mark.parametrize("action", ["ListObjectsV2", "GetObject"])
    def test_a_reader_without_rights_is_told_which(self, cloud, place, action: str):
        run(cloud, place, interval())
        cloud.fault(action, "error", code="AccessDenied", count=9)
        found = usage("--month", "2026-04")
        assert found.exit_code == 1
        assert f"s3:{'ListBucket' if action == 'ListObjectsV2' else action}" in found.stderr

    @pytest.mark.usefixtures("place")
    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (["--month", "2026-13"], 2, "write a month like 2026-11"),
            (["--month", "2026-11", "--since", "2026-11-01"], 2, "not both"),
            (["--since", "yesterday"], 2, "write a time like"),
            (["--since", "2026-11-02", "--until", "2026-11-01"], 2, "must lie before"),
            (["--until", "2026-11-01"], 2, "--until needs --since"),
            (["--ledger", "finance"], 1, "s3://BUCKET/PREFIX"),
            (["--ledger", "s3://no-such-bucket"], 1, "NoSuchBucket"),
        ],
    )
    def test_bad_questions_are_answered_with_a_sentence(self, arguments, code: int, said: str):
        found = usage(*arguments)
        assert found.exit_code == code
        assert said in found.stderr

    def test_without_a_ledger_there_is_nothing_to_read(self, monkeypatch):
        monkeypatch.delenv("HOTDESK_LEDGER", raising=False)
        found = usage()
        assert (found.exit_code, "HOTDESK_LEDGER" in found.stderr) == (1, True)
