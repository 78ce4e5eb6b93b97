"""What a receiver of notices gets: signed, once, again while it is in trouble, and never elsewhere."""

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from typing import Any, Self

import pytest
from aiohttp import web

from component.gateways import MovedClock, until
from factories import NOW, pool
from hotdesk.adapters.aws.topics import AwsTopics
from hotdesk.adapters.delivery import Patience
from hotdesk.adapters.notifier import ChannelNotifier
from hotdesk.adapters.webhook import Webhooks, signature
from hotdesk.api.v1alpha1 import MachinePool, SecretKey
from hotdesk.api.v1alpha1.lifecycle import Notifications, Webhook
from hotdesk.core.notices import Notice
from hotdesk.ports import NotFound, Unanswered

KEY = "a key that only two know"
QUICK = Patience(first=timedelta(milliseconds=5), longest=timedelta(milliseconds=20), total=timedelta(seconds=30))


class Receiver:
    """A server that verifies what it gets as docs/notices.md says, and answers as the test wants."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.forged = 0
        self.elsewhere = 0
        self.answers: list[int] = []
        self.port = 0
        self.hold: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/a-secret-path"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hook/a-secret-path", self._take)
        app.router.add_route("*", "/elsewhere", self._stray)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not _is_genuine(body, request.headers["Hotdesk-Signature"]):
            self.forged += 1
        self.got.append(json.loads(body))
        self.ids.append(request.headers["Hotdesk-Id"])
        if self.hold is not None:
            await self.hold.wait()
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": "/elsewhere"} if 300 <= status < 400 else {})

    async def _stray(self, _: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response()


def _is_genuine(body: bytes, header: str) -> bool:
    parts = dict(part.split("=", 1) for part in header.split(","))
    proof = hmac.new(KEY.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(proof, parts["v1"])


class Keys:
    """The operator's Secrets."""

    def __init__(self) -> None:
        self.is_there = True

    async def fetch(self, ref: SecretKey) -> str:
        if not self.is_there:
            raise NotFound(f"Secret hotdesk-system/{ref.name} does not exist: create it there")
        return KEY


class Told:
    """What Events would be written."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def tell(self, notice: Notice) -> None:
        self.notices.append(notice)

    async def run(self) -> None:
        await asyncio.Event().wait()

    @property
    def complaints(self) -> list[Notice]:
        return [notice for notice in self.notices if notice.reason == "NotificationFailed"]


class Office:
    """A notifier, and whoever it tells."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.keys = Keys()
        self.events = Told()
        self.counts: Counter[str] = Counter()
        self.clock = MovedClock()
        self.notifier: ChannelNotifier

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Office"]:
        async with Webhooks(self.keys, self.clock, timeout=timedelta(seconds=5)) as webhooks:
            self.notifier = ChannelNotifier(
                events=self.events,  # type: ignore[arg-type]  # as much of it as is used
                topics=AwsTopics(),
                webhooks=webhooks,
                clock=self.clock,
                on_notice=lambda *, channel, outcome: self.counts.update([f"{channel} {outcome}"]),
                patience=QUICK,
            )
            running = asyncio.create_task(self.notifier.run())
            yield self
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def pool(self, url: str | None = None) -> MachinePool:
        hook = Webhook(url=url or self.receiver.url, secret_ref=SecretKey(name="hotdesk-pool-secrets", key="hook"))
        return pool(notifications=Notifications(webhook=hook))

    def notice(self, key: str = "2026-03-02T12:10:00Z", *, url: str | None = None, **fields: Any) -> Notice:
        to = self.pool(url)
        made = Notice(
            kind="Workspace",
            namespace="team",
            name="demo",
            uid="uid-demo",
            reason="StopWarning",
            message="This workspace will be stopped at 12:10: nobody is there.",
            at=NOW,
            is_warning=True,
            key=key,
            send_to=to.spec.notifications,
            pool=to,
        )
        return replace(made, **fields)

    async def counted(self, what: str, times: int = 1) -> None:
        await until(lambda: self.counts[what], times)


def in_office(test: Callable[[Office], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        async def scenario() -> None:
            async with asyncio.timeout(60), Receiver() as receiver, Office(receiver).open() as office:
                await test(office)

        asyncio.run(scenario())

    del run.__wrapped__  # type: ignore[attr-defined]  # pytest would ask for the office
    return run


@in_office
async def test_a_notice_arrives_signed_with_everything_that_it_says(office: Office):
    notice = office.notice()
    office.notifier.tell(notice)
    await office.counted("webhook told")
    assert office.receiver.got == [
        {
            "kind": "Workspace",
            "namespace": "team",
            "name": "demo",
            "uid": "uid-demo",
            "reason": "StopWarning",
            "message": "This workspace will be stopped at 12:10: nobody is there.",
            "at": "2026-03-02T12:00:00.000000Z",
            "key": "2026-03-02T12:10:00Z",
            "id": notice.id,
        }
    ]
    assert office.receiver.ids == [notice.id]
    assert office.receiver.forged == 0
    assert office.events.notices == [notice]


def test_the_signature_is_the_one_that_the_documents_show():
    assert signature(b'{"a": 1}', key="key", at=1767323045) == (
        "t=1767323045,v1=9f2526022961261538fa674336af32e0420558a37417783c863f069c120a2990"
    )


@in_office
async def test_the_same_deadline_is_told_once_and_the_next_one_again(office: Office):
    for key in ("one", "one", "two", "one", "two"):
        office.notifier.tell(office.notice(key))
    await office.counted("webhook told", 2)
    assert [got["key"] for got in office.receiver.got] == ["one", "two"]


@in_office
async def test_a_receiver_in_trouble_is_told_again_until_it_takes_it(office: Office):
    office.receiver.answers = [503, 500, 429, 204]
    office.notifier.tell(office.notice("one"))
    office.notifier.tell(office.notice("two"))
    await office.counted("webhook told", 2)
    assert [got["key"] for got in office.receiver.got] == ["one"] * 4 + ["two"]  # in their order
    assert len(set(office.receiver.ids[:4])) == 1
    assert office.receiver.forged == 0
    assert office.events.complaints == []


@in_office
async def test_one_that_refuses_is_not_asked_again_and_the_pool_hears_of_it(office: Office):
    office.receiver.answers = [400]
    office.notifier.tell(office.notice("one"))
    office.notifier.tell(office.notice("two"))
    await office.counted("webhook told")
    assert [got["key"] for got in office.receiver.got] == ["one", "two"]
    assert office.counts["webhook failed"] == 1
    (complaint,) = office.events.complaints
    assert (complaint.kind, complaint.name, complaint.uid, complaint.is_warning) == (
        "MachinePool",
        "pool",
        "uid-pool",
        True,
    )
    assert f"http://127.0.0.1:{office.receiver.port} answered 400" in complaint.message
    assert "a-secret-path" not in complaint.message
    assert complaint.send_to is None


@in_office
async def test_a_redirect_is_not_followed(office: Office):
    office.receiver.answers = [307]
    office.notifier.tell(office.notice())
    await office.counted("webhook failed")
    assert len(office.receiver.got) == 1
    assert office.receiver.elsewhere == 0
    assert "redirects are not followed" in office.events.complaints[0].message


@in_office
async def test_when_the_time_is_over_it_is_given_up(office: Office):
    office.receiver.answers = [503] * 1000
    office.notifier.tell(office.notice())
    await until(lambda: len(office.receiver.got) >= 3, True)  # noqa: FBT003
    office.clock.added += 60
    await office.counted("webhook failed")
    assert "answered 503" in office.events.complaints[0].message


@in_office
async def test_one_that_hangs_or_is_gone_keeps_nobody_else_waiting(office: Office):
    async with Receiver() as hanging, Receiver() as gone:
        nowhere = gone.url
        hanging.hold = asyncio.Event()
        await gone._runner.cleanup()
        office.notifier.tell(office.notice("one", url=hanging.url))
        office.notifier.tell(office.notice("two", url=nowhere))
        office.notifier.tell(office.notice("three"))
        await office.counted("webhook told")
        assert [got["key"] for got in office.receiver.got] == ["three"]
        hanging.hold.set()
        await office.counted("webhook told", 2)


@in_office
async def test_one_that_takes_too_long_counts_as_no_answer(office: Office):
    office.receiver.hold = asyncio.Event()
    notice = office.notice()
    assert notice.send_to is not None
    assert notice.send_to.webhook is not None
    async with Webhooks(office.keys, office.clock, timeout=timedelta(milliseconds=50)) as impatient:
        with pytest.raises(Unanswered, match="did not answer"):
            await impatient.post(notice, notice.send_to.webhook)
    office.receiver.hold.set()


@in_office
async def test_without_the_key_nothing_is_sent_and_the_pool_hears_which_secret_is_missing(office: Office):
    office.keys.is_there = False
    office.notifier.tell(office.notice())
    await office.counted("webhook failed")
    assert office.receiver.got == []
    assert "Secret hotdesk-system/hotdesk-pool-secrets does not exist" in office.events.complaints[0].message


@in_office
async def test_what_events_alone_tell_is_sent_nowhere(office: Office):
    office.notifier.tell(office.notice("quiet", send_to=None, pool=None))
    office.notifier.tell(office.notice("loud"))
    await office.counted("webhook told")
    assert [got["key"] for got in office.receiver.got] == ["loud"]
    assert [notice.key for notice in office.events.notices] == ["quiet", "loud"]


@in_office
async def test_telling_never_raises_whatever_is_wrong(office: Office):
    office.notifier.tell(office.notice(url="http://[not-an-address/"))
    await office.counted("webhook failed")
    assert "cannot be used" in office.events.complaints[0].message

    def broken(_: Notice) -> None:
        raise RuntimeError("a fault of ours")

    office.events.tell = broken  # type: ignore[method-assign]
    office.notifier.tell(office.notice("two"))
