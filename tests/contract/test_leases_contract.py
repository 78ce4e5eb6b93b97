"""What the Leases port promises, on the fake API server and on a real one."""

import asyncio
from functools import partial

import pytest

from fakes.apiserver.faults import Trouble
from fakes.apiserver.world import NOW, OpenWorld, World, fake_world, in_world, real_world
from hotdesk.adapters.kube.connection import find_connection
from hotdesk.adapters.kube.leases import KubeLeases, watch_leases
from hotdesk.api.lease import Lease, LeaseSpec
from hotdesk.core.lease_book import identity_of
from hotdesk.ports import Conflict, NotFound, Unanswered

HELD = LeaseSpec(holder_identity="a_1", lease_duration_seconds=6, acquire_time=NOW, renew_time=NOW)
FREE = LeaseSpec(holder_identity="")


def leases_of(world: World) -> KubeLeases:
    return KubeLeases(world.session, namespace=world.namespace)


class LeasesContract:
    @in_world
    async def test_a_lease_is_stored_with_its_times_to_the_microsecond(self, world: World):
        leases = leases_of(world)
        made = await leases.create_lease(name="pool-x", spec=HELD)
        assert made.spec == HELD
        assert await leases.fetch_lease(name="pool-x") == made
        assert await leases.list_leases() == [made]

    @in_world
    async def test_one_that_exists_is_not_created_again(self, world: World):
        leases = leases_of(world)
        made = await leases.create_lease(name="pool-x", spec=HELD)
        with pytest.raises(Conflict):
            await leases.create_lease(name="pool-x", spec=FREE)
        assert await leases.fetch_lease(name="pool-x") == made

    @in_world
    async def test_of_twenty_that_take_a_free_pool_exactly_one_wins(self, world: World):
        leases = leases_of(world)
        free = await leases.create_lease(name="pool-x", spec=FREE)
        takers = [HELD.model_copy(update={"holder_identity": f"r{number}_1"}) for number in range(20)]
        results = await asyncio.gather(*(leases.patch_lease(free, taker) for taker in takers), return_exceptions=True)
        (won,) = [result for result in results if isinstance(result, Lease)]
        assert sum(isinstance(result, Conflict) for result in results) == 19
        assert await leases.fetch_lease(name="pool-x") == won

    @in_world
    async def test_a_released_lease_is_held_by_nobody_and_keeps_the_rest(self, world: World):
        leases = leases_of(world)
        held = await leases.create_lease(name="pool-x", spec=HELD)
        freed = await leases.patch_lease(held, held.spec.model_copy(update={"holder_identity": ""}))
        assert freed.spec == HELD.model_copy(update={"holder_identity": ""})
        assert freed.metadata.uid == held.metadata.uid

    @in_world
    async def test_one_that_was_renewed_since_it_was_read_cannot_be_deleted(self, world: World):
        """A replica that shows life at the last moment is not deposed."""
        leases = leases_of(world)
        silent = await leases.create_lease(name="replica-a", spec=HELD)
        renewed = await leases.patch_lease(silent, HELD.model_copy(update={"renew_time": NOW.replace(microsecond=1)}))
        assert renewed.metadata.resource_version != silent.metadata.resource_version
        with pytest.raises(Conflict):
            await leases.delete_lease(silent)
        await leases.delete_lease(renewed)
        await leases.delete_lease(renewed)
        assert await leases.fetch_lease(name="replica-a") is None

    @in_world
    async def test_a_deleted_lease_cannot_be_renewed_and_made_anew_it_is_another(self, world: World):
        leases = leases_of(world)
        before = await leases.create_lease(name="replica-a", spec=HELD)
        await leases.delete_lease(before)
        with pytest.raises(NotFound):
            await leases.patch_lease(before, HELD)
        after = await leases.create_lease(name="replica-a", spec=HELD)
        with pytest.raises(Conflict):
            await leases.patch_lease(before, HELD)
        assert identity_of(after) != identity_of(before)

    @in_world
    async def test_leases_of_other_programs_are_not_seen(self, world: World):
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "pool-of-others"},
            "spec": {"holderIdentity": "somebody"},
        }
        await world.send("POST", f"/apis/coordination.k8s.io/v1/namespaces/{world.namespace}/leases", body)
        assert await leases_of(world).list_leases() == []

    @in_world
    async def test_the_watch_tells_what_is_created_changed_and_deleted(self, world: World):
        leases, told, news, begun = leases_of(world), [], asyncio.Event(), asyncio.Event()

        def hear(what: str, lease: Lease) -> None:
            told.append((what, lease.metadata.name, lease.spec.holder_identity))
            news.set()

        watch = watch_leases(
            world.connection,
            namespace=world.namespace,
            upsert=partial(hear, "upsert"),
            delete=partial(hear, "delete"),
            relisted=begun.set,
        )
        task = asyncio.create_task(watch.run())
        await begun.wait()
        held = await leases.create_lease(name="pool-x", spec=HELD)
        freed = await leases.patch_lease(held, FREE)
        await leases.delete_lease(freed)
        while len(told) < 3:
            news.clear()
            await news.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert told == [("upsert", "pool-x", "a_1"), ("upsert", "pool-x", ""), ("delete", "pool-x", "")]


class TestOnTheFake(LeasesContract):
    @pytest.fixture
    def world(self) -> OpenWorld:
        return fake_world

    @in_world
    async def test_a_renewal_whose_answer_is_lost_is_in_doubt(self, world: World):
        leases = leases_of(world)
        held = await leases.create_lease(name="replica-a", spec=HELD)
        world.fake.inject(Trouble.LOSE_ANSWER, verb="patch", resource="leases")
        with pytest.raises(Unanswered):
            await leases.patch_lease(held, FREE)
        found = await leases.fetch_lease(name="replica-a")
        assert found is not None
        assert found.spec.holder_identity == ""


@pytest.mark.stack
class TestOnTheRealApiServer(LeasesContract):
    @pytest.fixture
    def world(self, controlplane, monkeypatch: pytest.MonkeyPatch) -> OpenWorld:
        monkeypatch.setenv("KUBECONFIG", str(controlplane.kubeconfig))
        return partial(real_world, find_connection())
