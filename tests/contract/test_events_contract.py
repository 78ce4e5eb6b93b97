"""What notices become on an API server, and how Secrets are read: on the fake one and on a real one."""

import asyncio
import base64
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from fakes.apiserver.world import NOW, OpenWorld, World, fake_world, in_world, real_world
from hotdesk.adapters.clock import SystemClock
from hotdesk.adapters.kube.connection import find_connection
from hotdesk.adapters.kube.events import EventPace, KubeEvents, event_name
from hotdesk.adapters.kube.secrets import KubeSecrets
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.api.v1alpha1 import SecretKey
from hotdesk.core.notices import Notice
from hotdesk.ports import Denied, NotFound

QUICK = EventPace(gap=0.01, gap_busy=0.01, quiet=0, retry=0.01)


def notice(world: World, **fields: Any) -> Notice:
    about = {"kind": "Workspace", "namespace": world.namespace, "name": "demo", "uid": world.namespace}
    said = {"reason": "StopWarning", "message": "It will be stopped at 12:10: nobody is there.", "key": "12:10"}
    return Notice(**{**about, **said, "at": NOW, "is_warning": True, **fields})


class Telling:
    """Events being written until everything told has come to its end."""

    def __init__(self, world: World, instance: str = "replica-a") -> None:
        self.counts: Counter[str] = Counter()
        self._news = asyncio.Event()
        self.events = KubeEvents(
            world.session, instance=instance, clock=SystemClock(), on_notice=self._count, pace=QUICK
        )

    def _count(self, *, channel: str, outcome: str) -> None:
        self.counts[f"{channel} {outcome}"] += 1
        self._news.set()

    async def tell(self, *notices: Notice, until: Callable[[Counter[str]], bool]) -> None:
        running = asyncio.create_task(self.events.run())
        for told in notices:
            self.events.tell(told)
        while not until(self.counts):
            self._news.clear()
            await self._news.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def total(count: int) -> Callable[[Counter[str]], bool]:
    return lambda counts: counts.total() == count


async def events(world: World, namespace: str) -> list[dict[str, Any]]:
    found = await world.read(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
    return list(found["items"])


class EventsContract:
    @in_world
    async def test_an_event_is_stored_as_it_was_told(self, world: World):
        telling = Telling(world)
        await telling.tell(notice(world), until=total(1))
        assert telling.counts == {"event told": 1}
        (stored,) = await events(world, world.namespace)
        assert stored["metadata"]["name"] == event_name(notice(world))
        said = {field: stored[field] for field in ("reason", "type", "note", "reportingController", "eventTime")}
        assert said == {
            "reason": "StopWarning",
            "type": "Warning",
            "note": "It will be stopped at 12:10: nobody is there.",
            "reportingController": "hotdesk.dev/operator",
            "eventTime": "2026-03-01T12:00:00.123456Z",
        }
        assert stored["regarding"]["uid"] == world.namespace
        assert "series" not in stored

    @in_world
    async def test_what_is_told_again_is_a_count_and_another_process_changes_nothing(self, world: World):
        first = Telling(world)
        await first.tell(notice(world), until=total(1))
        await first.tell(notice(world), until=total(2))
        (stored,) = await events(world, world.namespace)
        assert stored["series"]["count"] == 2
        restarted = Telling(world, instance="replica-b")
        await restarted.tell(notice(world), until=total(1))
        assert restarted.counts == {"event told": 1}
        assert await events(world, world.namespace) == [stored]

    @in_world
    async def test_what_is_in_no_namespace_is_told_in_default(self, world: World):
        told = notice(world, kind="MachinePool", namespace="", name=f"pool-{world.namespace}")
        telling = Telling(world)
        await telling.tell(told, until=total(1))
        assert telling.counts == {"event told": 1}
        names = [stored["metadata"]["name"] for stored in await events(world, "default")]
        assert names.count(event_name(told)) == 1

    @in_world
    async def test_the_longest_name_and_sentence_are_taken(self, world: World):
        told = notice(world, name="a" * 253, message="ü" * 4000, is_warning=False)
        telling = Telling(world)
        await telling.tell(told, until=total(1))
        assert telling.counts == {"event told": 1}

    @in_world
    async def test_in_a_namespace_that_is_gone_it_is_lost_and_the_next_one_is_told(self, world: World):
        telling = Telling(world)
        await telling.tell(notice(world, namespace="nowhere", uid="gone"), notice(world), until=total(2))
        assert telling.counts == {"event failed": 1, "event told": 1}

    @in_world
    async def test_a_secret_is_read_by_key_and_its_last_line_break_is_none_of_it(self, world: World):
        await put_secret(world, hook="a key\n", empty="")
        secrets = KubeSecrets(world.session, namespace=world.namespace, clock=SystemClock())
        assert await secrets.fetch(SecretKey(name="keys", key="hook")) == "a key"
        with pytest.raises(NotFound, match="has no key 'other'"):
            await secrets.fetch(SecretKey(name="keys", key="other"))
        with pytest.raises(NotFound, match="holds no text"):
            await secrets.fetch(SecretKey(name="keys", key="empty"))
        with pytest.raises(NotFound, match=f"Secret {world.namespace}/more does not exist"):
            await secrets.fetch(SecretKey(name="more", key="hook"))
        with pytest.raises(NotFound, match="no Secret can be called"):
            await secrets.fetch(SecretKey(name="../configmaps/x", key="hook"))


async def put_secret(world: World, **data: str) -> None:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": encoded}
    await world.send("POST", f"/api/v1/namespaces/{world.namespace}/secrets", body)


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at


class TestOnTheFake(EventsContract):
    @pytest.fixture
    def world(self) -> OpenWorld:
        return fake_world

    @in_world
    async def test_a_secret_is_read_again_after_a_minute(self, world: World):
        await put_secret(world, hook="old")
        clock = SetClock()
        secrets = KubeSecrets(world.session, namespace=world.namespace, clock=clock)
        hook = SecretKey(name="keys", key="hook")
        assert await secrets.fetch(hook) == "old"
        new = base64.b64encode(b"new").decode()
        world.fake.patch("secrets", "keys", {"data": {"hook": new}}, namespace=world.namespace)
        clock.at = 59
        assert await secrets.fetch(hook) == "old"
        clock.at = 61
        assert await secrets.fetch(hook) == "new"
        assert sum(call.resource == "secrets" and call.verb == "get" for call in world.fake.calls) == 2


@pytest.mark.stack
class TestOnTheRealApiServer(EventsContract):
    @pytest.fixture
    def world(self, controlplane, monkeypatch: pytest.MonkeyPatch) -> OpenWorld:
        monkeypatch.setenv("KUBECONFIG", str(controlplane.kubeconfig))
        return partial(real_world, find_connection())


@pytest.mark.stack
def test_a_secret_that_we_may_not_read_says_what_to_grant(controlplane, namespace: str, monkeypatch):
    controlplane.kubectl("create", "serviceaccount", "nobody", "--namespace", namespace)
    kubeconfig = controlplane.kubeconfig_for(namespace=namespace, service_account="nobody")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))

    async def scenario() -> None:
        async with KubeSession(find_connection()) as session:
            secrets = KubeSecrets(session, namespace=namespace, clock=SystemClock())
            with pytest.raises(Denied, match="add keys to the resourceNames of Role hotdesk-secrets"):
                await secrets.fetch(SecretKey(name="keys", key="hook"))

    asyncio.run(scenario())
