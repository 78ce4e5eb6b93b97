"""What the Store makes of answers that are lost, late or wrong; only the fake API server gives them on demand."""

import asyncio
from datetime import timedelta

import pytest

from fakes.apiserver.faults import Trouble
from fakes.apiserver.world import OpenWorld, World, claim, fake_world, in_world
from hotdesk.adapters.kube import reading
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.ports import Conflict, Denied, Refused, Throttled, Unanswered


class TestStoreInTrouble:
    @pytest.fixture
    def world(self) -> OpenWorld:
        return fake_world

    @in_world
    async def test_claim_whose_answer_is_lost_is_unanswered_stored_and_sent_once(self, world: World):
        machine = await world.create_machine()
        world.fake.inject(Trouble.LOSE_ANSWER, verb="patch", resource="machines")
        with pytest.raises(Unanswered, match=machine.metadata.name):
            await world.store.patch_machine(machine, claims=[claim()])
        found = await world.store.fetch_machine(name=machine.metadata.name)
        assert found is not None
        assert found.spec.claims == (claim(),)
        assert [call.verb for call in world.fake.writes("machines")] == ["create", "patch"]

    @in_world
    async def test_write_that_never_arrives_is_unanswered_and_sent_once(self, world: World):
        machine = await world.create_machine()
        world.fake.inject(Trouble.LOSE_REQUEST, verb="patch", count=100)
        world.fake.inject(Trouble.LOSE_REQUEST, verb="create", count=100)
        with pytest.raises(Unanswered):
            await world.store.patch_machine(machine, claims=[claim()])
        with pytest.raises(Unanswered):
            await world.create_machine()
        assert [call.verb for call in world.fake.writes("machines")] == ["create", "patch", "create"]

    @in_world
    async def test_claim_that_takes_effect_late_cannot_overwrite_a_later_one(self, world: World):
        machine = await world.create_machine()
        gate = world.fake.inject(Trouble.LATE, verb="patch", resource="machines")
        with pytest.raises(Unanswered):
            await world.store.patch_machine(machine, claims=[claim()])
        await gate.arrived()
        winner = await world.store.patch_machine(machine, claims=[claim(uid="the-later-one")])
        gate.open()
        await asyncio.gather(*world.fake.late)
        assert await world.store.fetch_machine(name=machine.metadata.name) == winner

    @in_world
    async def test_silence_is_unanswered(self, world: World):
        machine = await world.create_machine()
        gate = world.fake.inject(Trouble.HOLD, verb="patch")
        async with KubeSession(world.connection, answer_within=timedelta(seconds=0.2)) as hasty:
            with pytest.raises(Unanswered):
                await KubeStore(hasty).patch_machine(machine, claims=[claim()])
        gate.open()

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            *((400, Refused), (401, Denied), (403, Denied), (409, Conflict), (415, Refused), (422, Refused)),
            *((429, Throttled), (500, Unanswered), (502, Unanswered), (503, Unanswered), (504, Unanswered)),
        ],
    )
    def test_status_says_what_to_do(self, status: int, error: type[Exception]):
        async def scenario() -> None:
            async with fake_world() as world:
                machine = await world.create_machine()
                world.fake.inject(Trouble.ANSWER, verb="patch", status=status)
                with pytest.raises(error, match=f"patch machines {machine.metadata.name}"):
                    await world.store.patch_machine(machine, claims=[claim()])
                assert await world.store.fetch_machine(name=machine.metadata.name) == machine

        asyncio.run(scenario())

    @in_world
    async def test_reads_are_tried_again(self, world: World):
        machine = await world.create_machine()
        world.fake.inject(Trouble.LOSE_REQUEST, verb="get", count=2)
        world.fake.inject(Trouble.LOSE_REQUEST, verb="list", count=2)
        assert await world.store.fetch_machine(name=machine.metadata.name) == machine
        assert await world.store.list_machines() == [machine]

    @in_world
    async def test_read_that_fails_is_no_proof_of_absence(self, world: World):
        world.fake.inject(Trouble.ANSWER, verb="get", status=500)
        with pytest.raises(Unanswered):
            await world.store.fetch_machine(name="i-00000000")

    @in_world
    async def test_list_begins_anew_when_its_snapshot_expires_between_pages(self, world: World):
        made = sorted([await world.create_machine() for _ in range(5)], key=lambda machine: machine.metadata.name)
        gate = world.fake.inject(Trouble.HOLD_ANSWER, verb="list", resource="machines")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(reading, "_PAGE", 2)
            listing = asyncio.create_task(world.store.list_machines())
            await gate.arrived()
            world.fake.compact()
            gate.open()
            assert await listing == made

    @in_world
    async def test_object_that_cannot_be_read_is_left_out_of_lists_and_refused_alone(self, world: World):
        good = await world.create_workspace(name="good")
        bad = {"metadata": {"name": "bad"}, "spec": {"pool": "contract", "owner": 5}}
        world.fake.create("workspaces", bad, namespace=world.namespace)
        world.fake.create("workspaces", {"metadata": {"name": "worse"}, "spec": None}, namespace=world.namespace)
        assert await world.store.list_workspaces() == [good]
        with pytest.raises(Refused, match=r"workspaces bad cannot be read: spec\.owner"):
            await world.store.fetch_workspace(namespace=world.namespace, name="bad")

    @in_world
    async def test_store_works_on_after_a_restart_of_the_api_server(self, world: World):
        machine = await world.create_machine()
        await world.fake.stop()
        with pytest.raises(Unanswered):
            await world.store.patch_machine(machine, claims=[claim()])
        await world.fake.start()
        assert (await world.store.patch_machine(machine, claims=[claim()])).spec.claims == (claim(),)
