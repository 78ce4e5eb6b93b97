"""What the Store promises, on the fake API server and on a real one."""

import asyncio
from collections.abc import Sequence
from functools import partial
from uuid import uuid4

import pytest

from fakes.apiserver.world import NOW, OpenWorld, World, claim, fake_world, in_world, real_world
from hotdesk.adapters.kube import reading
from hotdesk.adapters.kube.connection import find_connection
from hotdesk.adapters.kube.reading import fetch_object
from hotdesk.adapters.kube.resources import MACHINES, POOLS, WORKSPACES, Resource
from hotdesk.api.conditions import set_condition
from hotdesk.api.v1alpha1 import (
    API_VERSION,
    Claim,
    Machine,
    MachinePool,
    MachineStatus,
    QueuePosition,
    Reap,
    Workspace,
    WorkspaceStatus,
)
from hotdesk.ports import Conflict, Refused, Unanswered

RUNNING = WorkspaceStatus(phase="Running", observed_generation=1, machine="i-0123456789abcdef0", private_ip="10.0.0.7")


async def reap(world: World, machine: Machine, *, claims: Sequence[Claim] = ()) -> Machine:
    """Write down that a machine ends."""
    ending = machine.spec.model_copy(update={"claims": tuple(claims), "reap": Reap(reason="Surplus", at=NOW)})
    return await world.store.patch_machine_spec(machine, ending)


async def create_pool(world: World, **metadata: object) -> MachinePool:
    name = f"pool-{uuid4().hex[:8]}"
    body = {
        "apiVersion": API_VERSION,
        "kind": "MachinePool",
        "metadata": {"name": name, **metadata},
        "spec": {"aws": {"region": "eu-central-1", "autoScalingGroupName": name}, "maxMachines": 3},
    }
    return MachinePool.model_validate_json((await world.send("POST", POOLS.everywhere, body)).body)


class StoreContract:
    @in_world
    async def test_claim_is_stored_and_answered_with_the_new_version(self, world: World):
        machine = await world.create_machine()
        claimed = await world.store.patch_machine(machine, claims=[claim()])
        assert claimed.spec.claims == (claim(),)
        assert claimed.metadata.resource_version != machine.metadata.resource_version
        assert await world.store.fetch_machine(name=machine.metadata.name) == claimed

    @in_world
    async def test_claim_with_a_stale_version_conflicts_and_changes_nothing(self, world: World):
        machine = await world.create_machine()
        first = await world.store.patch_machine(machine, claims=[claim()])
        with pytest.raises(Conflict, match=machine.metadata.name):
            await world.store.patch_machine(machine, claims=[claim(uid=str(uuid4()))])
        assert await world.store.fetch_machine(name=machine.metadata.name) == first

    @in_world
    async def test_of_twenty_racing_claims_exactly_one_wins(self, world: World):
        machine = await world.create_machine()
        rivals = [claim(uid=str(uuid4())) for _ in range(20)]
        results = await asyncio.gather(
            *(world.store.patch_machine(machine, claims=[rival]) for rival in rivals), return_exceptions=True
        )
        won = [result for result in results if isinstance(result, Machine)]
        assert len(won) == 1
        assert sum(isinstance(result, Conflict) for result in results) == 19
        assert await world.store.fetch_machine(name=machine.metadata.name) == won[0]

    @in_world
    async def test_of_twenty_racing_publications_exactly_one_wins(self, world: World):
        workspace = await world.create_workspace()
        statuses = [RUNNING.model_copy(update={"private_ip": f"10.0.0.{number}"}) for number in range(20)]
        results = await asyncio.gather(
            *(world.store.patch_workspace_status(workspace, status) for status in statuses), return_exceptions=True
        )
        won = [result for result in results if isinstance(result, Workspace)]
        assert len(won) == 1
        assert await world.store.fetch_workspace(namespace=world.namespace, name="demo") == won[0]

    @in_world
    async def test_every_patch_with_a_stale_version_conflicts(self, world: World):
        machine, workspace = await world.create_machine(), await world.create_workspace()
        pool = await create_pool(world)
        await world.store.patch_machine_status(machine, MachineStatus(phase="Idle"))
        await world.store.patch_workspace_status(workspace, RUNNING)
        await world.store.patch_pool_finalizers(pool, ["hotdesk.dev/claims"])
        with pytest.raises(Conflict):
            await world.store.patch_machine_status(machine, MachineStatus(phase="Claimed"))
        with pytest.raises(Conflict):
            await world.store.patch_workspace_status(workspace, RUNNING.model_copy(update={"slot": 1}))
        with pytest.raises(Conflict):
            await world.store.patch_pool_finalizers(pool, [])
        with pytest.raises(Conflict):
            await world.store.patch_pool_status(pool, pool.status.model_copy(update={"idle": 1}))
        with pytest.raises(Conflict):
            await world.store.patch_machine(machine, claims=[claim()])
        with pytest.raises(Conflict):
            await world.store.delete_machine(machine)

    @in_world
    async def test_patch_of_an_object_made_anew_under_the_same_name_conflicts(self, world: World):
        before = await world.create_workspace()
        await world.delete_workspace("demo")
        after = await world.create_workspace()
        with pytest.raises(Conflict):
            await world.store.patch_workspace_status(before, RUNNING)
        assert await world.store.fetch_workspace(namespace=world.namespace, name="demo") == after
        assert after.metadata.uid != before.metadata.uid

    @in_world
    async def test_claim_of_a_machine_made_anew_under_the_same_name_conflicts(self, world: World):
        before = await world.create_machine()
        await world.store.delete_machine(before)
        after = await world.store.create_machine(before)
        with pytest.raises(Conflict):
            await world.store.patch_machine(before, claims=[claim()])
        with pytest.raises(Conflict):
            await world.store.delete_machine(before)
        assert await world.store.fetch_machine(name=before.metadata.name) == after

    @in_world
    async def test_wrong_uid_is_refused_on_the_object_and_ignored_on_its_status(self, world: World):
        machine = await world.create_machine()
        path = MACHINES.path(name=machine.metadata.name)
        other = {"uid": str(uuid4()), "resourceVersion": machine.metadata.resource_version}
        refused = await world.send("PATCH", path, {"metadata": other, "spec": {"slots": 2}})
        ignored = await world.send("PATCH", f"{path}/status", {"metadata": other, "status": {"phase": "Idle"}})
        assert (refused.status, ignored.status) == (422, 200)

    @in_world
    async def test_object_and_status_are_written_apart(self, world: World):
        machine = await world.create_machine()
        path = MACHINES.path(name=machine.metadata.name)
        both = {"spec": {"slots": 5}, "status": {"phase": "Idle"}}
        await world.send("PATCH", path, both)
        after_spec = await world.store.fetch_machine(name=machine.metadata.name)
        assert after_spec is not None
        assert (after_spec.spec.slots, after_spec.status.phase) == (5, "Booting")
        await world.send("PATCH", f"{path}/status", both | {"spec": {"slots": 7}, "metadata": {"labels": {"a": "b"}}})
        after_status = await world.store.fetch_machine(name=machine.metadata.name)
        assert after_status is not None
        assert (after_status.spec.slots, after_status.status.phase) == (5, "Idle")
        assert "a" not in after_status.metadata.labels

    @in_world
    async def test_generation_counts_changes_of_the_spec_alone(self, world: World):
        machine = await world.create_machine()
        reported = await world.store.patch_machine_status(machine, MachineStatus(phase="Idle"))
        claimed = await world.store.patch_machine(reported, claims=[claim()])
        generations = [found.metadata.generation for found in (machine, reported, claimed)]
        assert generations == [1, 1, 2]

    @in_world
    async def test_patch_that_changes_nothing_keeps_the_version_and_is_no_event(self, world: World):
        machine = await world.create_machine()
        claimed = await world.store.patch_machine(machine, claims=[claim()])
        same = await world.store.patch_machine(claimed, claims=[claim()])
        assert same == claimed
        await reap(world, same)
        answer = await world.session.read(
            MACHINES.everywhere,
            params={
                "watch": "true",
                "resourceVersion": machine.metadata.resource_version,
                "fieldSelector": f"metadata.name={machine.metadata.name}",
                "timeoutSeconds": "1",
            },
        )
        assert answer.body.count(b'"MODIFIED"') == 2

    @in_world
    async def test_status_already_as_wanted_costs_no_call(self, world: World):
        workspace = await world.store.patch_workspace_status(await world.create_workspace(), RUNNING)
        world.writes.clear()
        assert await world.store.patch_workspace_status(workspace, RUNNING) is workspace
        assert world.writes == []

    @in_world
    async def test_fields_that_are_gone_from_a_status_are_removed(self, world: World):
        queued = RUNNING.model_copy(update={"queue": QueuePosition(position=2, ahead=1), "url": "http://10.0.0.7/"})
        workspace = await world.store.patch_workspace_status(await world.create_workspace(), queued)
        assert workspace.status == queued
        published = await world.store.patch_workspace_status(workspace, RUNNING)
        assert published.status == RUNNING
        stored = await world.read(WORKSPACES.path(name="demo", namespace=world.namespace))
        assert stored["status"].keys() == {"phase", "observedGeneration", "machine", "privateIP"}

    @in_world
    async def test_part_of_a_nested_status_can_be_removed(self, world: World):
        first = RUNNING.model_copy(update={"queue": QueuePosition(position=2, ahead=1, estimated_wait="2m")})
        first = WorkspaceStatus.model_validate(first.wire())
        second = RUNNING.model_copy(update={"queue": QueuePosition(position=1, ahead=0)})
        workspace = await world.store.patch_workspace_status(await world.create_workspace(), first)
        assert (await world.store.patch_workspace_status(workspace, second)).status == second

    @in_world
    async def test_lists_in_a_status_are_replaced_whole(self, world: World):
        conditions = ()
        for kind in ("Ready", "Reconciling"):
            conditions = set_condition(
                conditions, type=kind, status="True", reason="Test", message="", observed_generation=1, now=NOW
            )
        both = RUNNING.model_copy(update={"conditions": conditions})
        workspace = await world.store.patch_workspace_status(await world.create_workspace(), both)
        one = RUNNING.model_copy(update={"conditions": workspace.status.conditions[:1]})
        assert (await world.store.patch_workspace_status(workspace, one)).status == one

    @in_world
    async def test_new_machine_has_the_default_status_whatever_was_sent(self, world: World):
        draft = await world.create_machine()
        await world.store.delete_machine(draft)
        created = await world.store.create_machine(
            draft.model_copy(update={"status": MachineStatus(phase="Terminated", zone="eu-central-1a")})
        )
        assert created.status == MachineStatus(phase="Booting")
        assert created.metadata.labels == {"hotdesk.dev/pool": "contract"}

    @in_world
    async def test_new_workspace_looks_unfinished_until_somebody_has_seen_it(self, world: World):
        workspace = await world.create_workspace()
        assert workspace.status == WorkspaceStatus(phase="Pending", observed_generation=-1)

    @in_world
    async def test_creating_what_exists_conflicts(self, world: World):
        machine = await world.create_machine()
        with pytest.raises(Conflict, match="already exists"):
            await world.store.create_machine(machine)

    @in_world
    async def test_claims_and_reap_exclude_each_other(self, world: World):
        machine = await world.create_machine()
        with pytest.raises(Refused, match="exclude each other"):
            await reap(world, machine, claims=[claim()])
        reaped = await reap(world, machine)
        with pytest.raises(Refused, match="exclude each other"):
            await world.store.patch_machine(reaped, claims=[claim()])

    @in_world
    async def test_reap_is_one_way(self, world: World):
        machine = await reap(world, await world.create_machine())
        path = MACHINES.path(name=machine.metadata.name)
        assert (await world.send("PATCH", path, {"spec": {"reap": None}})).status == 422
        assert (await world.send("PATCH", path, {"spec": {"reap": {"reason": "Used"}}})).status == 422

    @in_world
    async def test_two_claims_cannot_share_a_slot_or_a_workspace_two_slots(self, world: World):
        machine = await world.create_machine(slots=2)
        other = str(uuid4())
        with pytest.raises(Refused):
            await world.store.patch_machine(machine, claims=[claim(slot=0), claim(slot=0, uid=other)])
        with pytest.raises(Refused, match="one slot only"):
            await world.store.patch_machine(machine, claims=[claim(slot=0), claim(slot=1)])
        with pytest.raises(Refused, match="below slots"):
            await world.store.patch_machine(machine, claims=[claim(slot=2)])
        packed = await world.store.patch_machine(machine, claims=[claim(slot=0), claim(slot=1, uid=other)])
        assert len(packed.spec.claims) == 2

    @in_world
    async def test_deleting_what_is_gone_succeeds(self, world: World):
        machine = await world.create_machine()
        await world.store.delete_machine(machine)
        await world.store.delete_machine(machine)
        assert await world.store.fetch_machine(name=machine.metadata.name) is None

    @in_world
    async def test_what_does_not_exist_is_fetched_as_none(self, world: World):
        assert await world.store.fetch_workspace(namespace=world.namespace, name="nobody") is None
        assert await world.store.fetch_workspace(namespace="no-such-namespace", name="nobody") is None
        assert await world.store.fetch_machine(name="i-00000000") is None
        assert await world.store.fetch_pool(name="nothing") is None

    @in_world
    async def test_name_that_would_lead_elsewhere_is_fetched_as_none(self, world: World):
        await world.create_workspace()
        for name in ("..", ".", "", "../demo", "demo/status", "demo?x=1", "Demo"):
            assert await world.store.fetch_workspace(namespace=world.namespace, name=name) is None

    @in_world
    async def test_kind_that_is_not_served_is_no_proof_of_absence(self, world: World):
        unknown = Resource(plural="workbenches", model=Machine, namespaced=False)
        with pytest.raises(Unanswered, match="install the CRDs"):
            await fetch_object(world.session, unknown, name="demo")
        with pytest.raises(Unanswered):
            await reading.list_objects(world.session, unknown)

    @in_world
    async def test_pool_waits_for_its_finalizer(self, world: World):
        pool = await world.store.patch_pool_finalizers(await create_pool(world), ["hotdesk.dev/claims"])
        await world.send("DELETE", POOLS.path(name=pool.metadata.name), {})
        leaving = await world.store.fetch_pool(name=pool.metadata.name)
        assert leaving is not None
        assert leaving.metadata.deletion_timestamp is not None
        last = await world.store.patch_pool_status(leaving, leaving.status.model_copy(update={"claimed": 1}))
        await world.store.patch_pool_finalizers(last, [])
        assert await world.store.fetch_pool(name=pool.metadata.name) is None

    @in_world
    async def test_defaults_of_a_pool_are_stored(self, world: World):
        pool = await create_pool(world)
        stored = await world.read(POOLS.path(name=pool.metadata.name))
        assert stored["spec"]["buffer"] == {"idle": 2}
        assert stored["status"] == {"observedGeneration": -1}

    @in_world
    async def test_list_holds_every_page(self, world: World):
        made = [await world.create_machine() for _ in range(7)]
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(reading, "_PAGE", 2)
            found = {machine.metadata.name: machine for machine in await world.store.list_machines()}
        assert {name: found.get(name) for name in (m.metadata.name for m in made)} == {
            machine.metadata.name: machine for machine in made
        }

    @in_world
    async def test_list_gives_back_what_is_known_and_unchanged(self, world: World):
        same, changed = await world.create_machine(), await world.create_machine()
        known = {made.metadata.uid: made for made in (same, changed)}
        now = await world.store.patch_machine(changed, claims=[claim()])
        found = {machine.metadata.name: machine for machine in await world.store.list_machines(known)}
        assert found[same.metadata.name] is same
        assert found[changed.metadata.name] == now

    @in_world
    async def test_list_shows_what_was_written_just_before(self, world: World):
        workspace = await world.store.patch_workspace_status(await world.create_workspace(), RUNNING)
        assert workspace in await world.store.list_workspaces()
        pool = await create_pool(world)
        assert pool in await world.store.list_pools()

    @in_world
    async def test_namespaces_and_priorities_are_listed(self, world: World):
        name = f"urgent-{uuid4().hex[:8]}"
        body = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": 1000,
        }
        await world.send("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", body)
        assert (await world.store.list_priorities()).values[name] == 1000
        assert (await world.store.list_namespace_labels())[world.namespace]["team"] == "contract"

    @in_world
    async def test_body_that_is_no_json_is_refused(self, world: World):
        machine = await world.create_machine()
        path = MACHINES.path(name=machine.metadata.name)
        answer = await world.session.write("PATCH", path, body=b"{", content_type="application/merge-patch+json")
        assert answer.status == 400

    @in_world
    async def test_every_write_is_counted_with_its_outcome(self, world: World):
        machine = await world.create_machine()
        idle = await world.store.patch_machine_status(machine, MachineStatus(phase="Idle"))
        with pytest.raises(Conflict):
            await world.store.patch_machine(machine, claims=[])
        await world.store.delete_machine(idle)
        await world.store.delete_machine(idle)
        assert [(write["resource"], write["verb"], write["outcome"]) for write in world.writes] == [
            ("machines", "create", "ok"),
            ("machines/status", "patch", "ok"),
            ("machines", "patch", "conflict"),
            ("machines", "delete", "ok"),
            ("machines", "delete", "notfound"),
        ]


class TestStoreOnTheFake(StoreContract):
    @pytest.fixture
    def world(self) -> OpenWorld:
        return fake_world


@pytest.mark.stack
class TestStoreOnTheRealApiServer(StoreContract):
    @pytest.fixture
    def world(self, controlplane, monkeypatch: pytest.MonkeyPatch) -> OpenWorld:
        monkeypatch.setenv("KUBECONFIG", str(controlplane.kubeconfig))
        return partial(real_world, find_connection())
