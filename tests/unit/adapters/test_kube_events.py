"""How Events are written: slowly, once, in order, and at nobody's expense; on simulated time."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from itertools import pairwise
from typing import Any

import orjson

from fakes.quicktime import START, QuickClock, in_quick_time
from hotdesk.adapters.backlog import Backlog
from hotdesk.adapters.kube.events import KubeEvents, event_name, event_of
from hotdesk.adapters.kube.session import Answer
from hotdesk.core.notices import Notice
from hotdesk.ports import Unanswered


@dataclass(frozen=True)
class Sent:
    at: float
    method: str
    path: str
    body: dict[str, Any]


class Api:
    """As much of the API server as Events need: names are taken once, and it can be made to refuse."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.names: set[str] = set()
        self.refusals: list[int] = []

    async def write(self, method: str, path: str, *, body: bytes, content_type: str) -> Answer:
        assert content_type == ("application/json" if method == "POST" else "application/merge-patch+json")
        await asyncio.sleep(0.002)
        said = orjson.loads(body)
        self.sent.append(Sent(asyncio.get_running_loop().time(), method, path, said))
        if self.refusals:
            status = self.refusals.pop(0)
            if not status:
                raise Unanswered("nobody answered")
            return Answer(status=status, body=b"{}")
        name = said["metadata"]["name"] if method == "POST" else path.rpartition("/")[2]
        if method == "POST" and name in self.names:
            return Answer(status=HTTPStatus.CONFLICT, body=b"{}")
        self.names.add(name)
        return Answer(status=HTTPStatus.OK, body=b"{}")

    @property
    def notes(self) -> list[str]:
        return [sent.body["note"] for sent in self.sent if sent.method == "POST"]


class Desk:
    """Events on an API, and what was counted."""

    def __init__(self, api: Api | None = None, **options: Any) -> None:
        self.api = api or Api()
        self.counts: Counter[str] = Counter()
        self.events = KubeEvents(self.api, instance="replica-a", clock=QuickClock(), on_notice=self._count, **options)

    def _count(self, *, channel: str, outcome: str) -> None:
        assert channel == "event"
        self.counts[outcome] += 1

    @asynccontextmanager
    async def at_work(self):
        task = asyncio.create_task(self.events.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def notice(number: int = 0, *, reason: str = "Claimed", **fields: Any) -> Notice:
    made = Notice(
        kind="Workspace",
        namespace="team",
        name=f"ws-{number}",
        uid=f"uid-{number}",
        reason=reason,
        message=f"{reason} {number}.",
        at=START,
    )
    return replace(made, **fields)


async def passed(seconds: float) -> None:
    await asyncio.sleep(seconds)


@in_quick_time
async def test_a_notice_becomes_an_event_beside_its_object():
    desk = Desk()
    async with desk.at_work():
        desk.events.tell(notice(key="k", is_warning=True))
        await passed(5)
    (sent,) = desk.api.sent
    assert (sent.method, sent.path) == ("POST", "/apis/events.k8s.io/v1/namespaces/team/events")
    assert sent.body == event_of(notice(key="k", is_warning=True), instance="replica-a")
    assert sent.body["regarding"]["uid"] == "uid-0"
    assert (sent.body["type"], sent.body["reportingController"]) == ("Warning", "hotdesk.dev/operator")
    assert desk.counts == {"told": 1}


def test_what_is_in_no_namespace_has_its_events_in_default():
    event = event_of(notice(namespace="", kind="MachinePool"), instance="a")
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["regarding"]


def test_an_event_fits_whatever_its_object_is_called_and_however_much_is_said():
    event = event_of(notice(name="a" * 252 + "b", message="ü" * 2000), instance="a")
    assert len(event["metadata"]["name"]) <= 253
    assert len(event["note"].encode()) <= 1024
    assert set(event["note"]) == {"ü"}
    assert ".." not in event_name(notice(name="a" * 235 + "." + "b" * 17))


@in_quick_time
async def test_a_thousand_at_once_are_written_one_by_one_at_ten_a_second_in_their_order():
    desk = Desk()
    async with desk.at_work():
        for number in range(1000):
            desk.events.tell(notice(number))
        assert desk.api.sent == []  # telling writes nothing
        await passed(200)
    assert desk.api.notes == [f"Claimed {number}." for number in range(1000)]
    in_a_second = Counter(int(sent.at) for sent in desk.api.sent)
    assert max(in_a_second.values()) <= 10
    assert desk.api.sent[-1].at < 120
    assert desk.counts == {"told": 1000}


@in_quick_time
async def test_while_notices_come_in_one_a_second_is_written():
    """They come in while claims are made, which go first."""
    desk = Desk()
    async with desk.at_work():
        for number in range(1000):
            desk.events.tell(notice(number))
            await passed(0.02)
        assert 15 <= len(desk.api.sent) <= 21
        gaps = [later.at - earlier.at for earlier, later in pairwise(desk.api.sent)]
        assert min(gaps) >= 1
        await passed(150)
    assert len(desk.api.notes) == 1000


@in_quick_time
async def test_when_too_many_wait_the_oldest_ordinary_ones_go_and_are_counted():
    desk = Desk(backlog=Backlog(limit=10))
    async with desk.at_work():
        desk.events.tell(notice(0, is_warning=True))
        for number in range(1, 30):
            desk.events.tell(notice(number))
        await passed(60)
    assert desk.api.notes == ["Claimed 0.", *(f"Claimed {number}." for number in range(21, 30))]
    assert desk.counts == {"told": 10, "dropped": 20}


@in_quick_time
async def test_one_object_alone_cannot_take_all_the_room():
    desk = Desk()
    async with desk.at_work():
        for key in range(200):
            desk.events.tell(notice(key=str(key)))
        desk.events.tell(notice(1))
        await passed(60)
    assert desk.api.notes.count("Claimed 0.") == 25
    assert "Claimed 1." in desk.api.notes
    assert desk.counts["dropped"] == 175


@in_quick_time
async def test_what_is_told_again_is_counted_in_the_same_event():
    desk = Desk()
    later = notice(at=START + timedelta(minutes=3))
    async with desk.at_work():
        desk.events.tell(notice())
        desk.events.tell(notice())  # before the first was written
        await passed(10)
        assert [sent.body["series"]["count"] for sent in desk.api.sent] == [2]
        desk.events.tell(later)
        desk.events.tell(later)
        await passed(10)
    created, patched = desk.api.sent
    assert (created.method, patched.method) == ("POST", "PATCH")
    assert patched.path.endswith("/events/" + created.body["metadata"]["name"])
    assert patched.body == {"series": {"count": 4, "lastObservedTime": "2026-03-02T12:03:00.000000Z"}}


@in_quick_time
async def test_another_key_or_reason_or_object_is_another_event():
    desk = Desk()
    async with desk.at_work():
        for told in (notice(), notice(key="other"), notice(reason="Stopped"), notice(1)):
            desk.events.tell(told)
        await passed(10)
    assert [sent.method for sent in desk.api.sent] == ["POST"] * 4
    assert len(desk.api.names) == 4


@in_quick_time
async def test_an_hour_later_the_same_is_an_event_of_its_own_again():
    desk = Desk()
    async with desk.at_work():
        desk.events.tell(notice())
        await passed(3601)
        desk.api.names.clear()  # the API server forgets as well
        desk.events.tell(notice())
        await passed(10)
    assert [sent.method for sent in desk.api.sent] == ["POST", "POST"]


@in_quick_time
async def test_after_a_restart_what_was_told_is_not_told_again_and_counts_as_told():
    api = Api()
    first = Desk(api)
    async with first.at_work():
        first.events.tell(notice())
        await passed(10)
    second = Desk(api)
    async with second.at_work():
        second.events.tell(notice())
        await passed(10)
        assert second.counts == {"told": 1}
        second.events.tell(notice())
        await passed(10)
    assert [sent.method for sent in api.sent] == ["POST", "POST", "PATCH"]
    assert len(api.names) == 1


@in_quick_time
async def test_without_an_answer_it_is_tried_again_in_order_and_given_up_after_three_tries():
    desk = Desk()
    desk.api.refusals = [0, 503, 0, 429]
    async with desk.at_work():
        for number in range(3):
            desk.events.tell(notice(number))
        await passed(60)
    assert desk.api.notes == ["Claimed 0."] * 3 + ["Claimed 1."] * 2 + ["Claimed 2."]
    assert desk.counts == {"failed": 1, "told": 2}


@in_quick_time
async def test_what_is_refused_is_lost_alone(caplog):
    desk = Desk()
    desk.api.refusals = [403, 422, 403]
    async with desk.at_work():
        for number in range(4):
            desk.events.tell(notice(number))
        await passed(60)
    assert desk.api.notes == [f"Claimed {number}." for number in range(4)]
    assert desk.counts == {"failed": 3, "told": 1}
    assert sum("may not create events" in line for line in caplog.messages) == 1  # said once, not each time


@in_quick_time
async def test_a_fault_of_ours_in_one_notice_does_not_end_the_others(caplog):
    desk = Desk()
    async with desk.at_work():
        desk.events.tell(notice(0, message=None))
        desk.events.tell(notice(1))
        await passed(10)
    assert desk.api.notes == ["Claimed 1."]
    assert desk.counts == {"failed": 1, "told": 1}
    assert "an Event was lost" in caplog.text


def test_its_name_is_the_same_in_every_process():
    name = event_name(notice(key="2026-03-02T12:10:00Z", reason="StopWarning"))
    assert name == "ws-0.67d23992b39bf603"
