"""How a notice is brought to somebody who may be in trouble; on simulated time."""

import asyncio
from collections.abc import Awaitable, Callable

from fakes.quicktime import START, QuickClock, in_quick_time
from hotdesk.adapters.backlog import Backlog
from hotdesk.adapters.delivery import Delivery, Patience
from hotdesk.core.notices import Notice
from hotdesk.ports import HotdeskError, Refused, Throttled, Unanswered


def notice(key: str = "", *, is_warning: bool = False) -> Notice:
    return Notice(
        kind="Workspace",
        namespace="team",
        name="demo",
        uid="uid",
        reason="Stopped",
        message="It is stopped.",
        at=START,
        key=key,
        is_warning=is_warning,
    )


class Post:
    """Somebody who is told, and answers as the test wants."""

    def __init__(self, *answers: HotdeskError | None) -> None:
        self.answers = list(answers)
        self.tries: list[tuple[str, float]] = []
        self.outcomes: list[tuple[str, str, str]] = []
        self.ended = asyncio.Event()
        self.delivery = Delivery(
            clock=QuickClock(),
            patience=Patience(),
            on_outcome=lambda told, outcome, error: self.outcomes.append((told.key, outcome, error)),
            on_end=self.ended.set,
        )

    def take(self, key: str) -> None:
        self.delivery.take(notice(key), self._send(key))

    def _send(self, key: str) -> Callable[[], Awaitable[None]]:
        async def send() -> None:
            self.tries.append((key, asyncio.get_running_loop().time()))
            if self.answers and (error := self.answers.pop(0)) is not None:
                raise error

        return send


@in_quick_time
async def test_it_is_tried_again_later_and_later_for_five_minutes():
    post = Post(*[Unanswered("nobody there")] * 100)
    post.take("a")
    await post.ended.wait()
    assert [at for _, at in post.tries] == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert post.outcomes == [("a", "failed", "nobody there")]


@in_quick_time
async def test_what_waited_behind_a_long_trouble_is_tried_once_at_least():
    post = Post(*[Throttled("too many")] * 100)
    for key in ("a", "b", "c"):
        post.take(key)
    await post.ended.wait()
    assert {key for key, _ in post.tries} == {"a", "b", "c"}
    assert max(at for _, at in post.tries) <= 300
    assert [outcome for _, outcome, _ in post.outcomes] == ["failed"] * 3


@in_quick_time
async def test_what_is_refused_is_not_tried_again_and_the_next_one_goes_on():
    post = Post(Refused("no"), None)
    post.take("a")
    post.take("b")
    await post.ended.wait()
    assert post.tries == [("a", 0), ("b", 0)]
    assert post.outcomes == [("a", "failed", "no"), ("b", "told", "")]


@in_quick_time
async def test_a_fault_of_ours_in_one_notice_does_not_stop_the_others(caplog):
    post = Post()

    async def broken() -> None:
        raise KeyError("a fault")

    post.delivery.take(notice("a"), broken)
    post.take("b")
    await post.ended.wait()
    assert [(key, outcome) for key, outcome, _ in post.outcomes] == [("a", "failed"), ("b", "told")]
    assert "a notice could not be sent" in caplog.text


def test_a_full_backlog_drops_the_oldest_ordinary_notice_and_warnings_last():
    backlog = Backlog(limit=2)
    assert backlog.put(notice("1", is_warning=True)) is None
    assert backlog.put(notice("2")) is None
    assert backlog.put(notice("3")) == notice("2")
    assert backlog.put(notice("4", is_warning=True)) == notice("3")
    assert backlog.put(notice("5", is_warning=True)) == notice("1", is_warning=True)
    assert [backlog.take(), backlog.take(), backlog.take()] == [
        notice("4", is_warning=True),
        notice("5", is_warning=True),
        None,
    ]


def test_notices_leave_in_the_order_they_came_whatever_they_are():
    backlog = Backlog(limit=10)
    for number in range(6):
        backlog.put(notice(str(number), is_warning=number % 2 == 0))
    assert [told.key for told in iter(backlog.take, None)] == list("012345")
