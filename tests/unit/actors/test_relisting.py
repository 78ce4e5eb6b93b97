"""When everything is listed and compared: once a replay is over, and now and then anyway."""

import asyncio
from typing import Any

from fakes.quicktime import in_quick_time
from hotdesk.actors.relisting import Replays, resync_for_ever


class Lists:
    """Counts the lists, and when they began."""

    def __init__(self) -> None:
        self.at: list[float] = []

    async def resync(self) -> None:
        self.at.append(asyncio.get_running_loop().time())


async def replay(wanted: asyncio.Event, *, seconds: int) -> None:
    """Replay an object every half a second."""
    for _ in range(2 * seconds):
        wanted.set()
        await asyncio.sleep(0.5)


async def listed(*, seconds: int, then: int) -> list[float]:
    """Return after how many seconds lists began, with a replay at the start that lasts so long."""
    lists: Any = Lists()
    replays = Replays()
    began = asyncio.get_running_loop().time()
    listing = asyncio.create_task(resync_for_ever(lists, every=300, replays=replays))
    await replay(replays.wanted, seconds=seconds)
    await asyncio.sleep(then)
    listing.cancel()
    return [at - began for at in lists.at]


@in_quick_time
async def test_a_replay_is_followed_by_one_list_when_it_is_over():
    (only,) = await listed(seconds=10, then=60)
    assert 10 <= only <= 12


def test_a_replay_is_over_when_all_that_was_known_was_told():
    replays = Replays({"a", "b"})
    for uid in ("b", "unknown"):
        replays.told(uid)
        assert not replays.over.is_set()
    replays.told("a")
    assert replays.over.is_set()
    assert Replays().over.is_set()


@in_quick_time
async def test_a_replay_is_over_when_a_list_was_had_since_though_something_vanished_before_it_was_told():
    replays, lists = Replays({"vanished"}), Lists()
    listing = asyncio.create_task(resync_for_ever(lists, every=300, replays=replays))  # type: ignore[arg-type]  # all it needs
    replays.wanted.set()
    await replays.over.wait()
    assert len(lists.at) == 1
    listing.cancel()


@in_quick_time
async def test_without_news_it_lists_every_so_often():
    assert await listed(seconds=0, then=700) == [300, 600]


@in_quick_time
async def test_replays_without_end_do_not_keep_it_from_listing():
    found = await listed(seconds=100, then=10)
    assert found[0] <= 31
    assert len(found) >= 3
