"""Bugs that somebody could write into the product, each a few lines put over it: the law machine finds all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from hotdesk.actors.claiming import Claiming
from hotdesk.actors.directory import Directory
from hotdesk.actors.gate import LeaseGate
from hotdesk.adapters.aws.fleet import AwsFleet
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.adapters.kube.writing import Writer
from hotdesk.core import queue, seating
from hotdesk.core.actions import PublishFound
from hotdesk.core.group import capacity, securing
from hotdesk.ports import Conflict, HotdeskError

_patch_object = Writer.patch
_patch_spec = KubeStore.patch_machine_spec


@dataclass(frozen=True)
class Bug:
    """One planted bug: what is wrong, where it is put, and a seed of the law machine that meets it soon."""

    name: str
    place: tuple[Any, str]
    wrong: Any
    seed: int = 1

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Let the product have it."""
        with patch.object(*self.place, self.wrong):
            yield


def _unguarded(when: Callable[[Any, dict[str, Any]], bool]) -> Callable[..., Any]:
    async def wrong(self: Writer, resource: Any, target: Any, body: dict[str, Any], *, subresource: str = "") -> Any:
        if when(resource, body):
            body = body | {"metadata": body.get("metadata", {}) | {"resourceVersion": None}}
        return await _patch_object(self, resource, target, body, subresource=subresource)

    return wrong


async def _again_after_conflict(
    self: Writer, resource: Any, target: Any, body: dict[str, Any], *, subresource: str = ""
) -> Any:
    try:
        return await _patch_object(self, resource, target, body, subresource=subresource)
    except Conflict:
        return await _unguarded(lambda _resource, _body: True)(self, resource, target, body, subresource=subresource)


async def _detached_first(self: Claiming, action: Any) -> None:
    pool = self._facts.pool
    assert pool is not None
    aws = pool.spec.aws
    fleet = self._world.fleets.fleet(region=aws.region, endpoint_url=aws.endpoint_url, role_arn=aws.role_arn)
    name = action.machine.metadata.name
    if name in self._facts.members:
        try:
            await fleet.detach(group=aws.auto_scaling_group_name, ids=[name])
        except HotdeskError:
            self._facts.end_claim(name, (seat.workspace.metadata.uid for seat in action.seats))
            return
    await _claim(self, action)


_claim = Claiming.claim


async def _published_first(self: Claiming, machine: Any, claims: Any, seats: Any) -> None:
    for seat in seats:
        await self._publish(machine, seat)
    await _claim_and_publish(self, machine, claims, ())
    self._facts.end_claim(machine.metadata.name, (seat.workspace.metadata.uid for seat in seats))


_claim_and_publish = Claiming._claim_and_publish


async def _reap_forgotten(self: KubeStore, machine: Any, spec: Any) -> Any:
    is_used = spec.reap is not None and spec.reap.reason == "Used"
    return await _patch_spec(self, machine, spec.model_copy(update={"reap": None}) if is_used else spec)


async def _reaped_blindly(self: Writer, resource: Any, target: Any, body: dict[str, Any], **more: Any) -> Any:
    spec = body.get("spec", {})
    if "reap" in spec:
        body = {"metadata": {"resourceVersion": None}, "spec": {"claims": [], **spec}}
    return await _patch_object(self, resource, target, body, **more)


async def _cache_believed(self: Claiming, claim: Any, action: Any) -> bool:
    return claim.workspace.uid not in action.uids or claim.workspace.uid in self._facts.workspaces


async def _counted_down(self: AwsFleet, *, id: str) -> None:  # noqa: A002
    asked = {"InstanceId": id, "ShouldDecrementDesiredCapacity": True}
    await self._calls.write("autoscaling", "TerminateInstanceInAutoScalingGroup", asked)


async def _both_at_once(self: AwsFleet, *, group: str, desired: int) -> None:
    await self._update(group, {"MaxSize": max(desired, 1), "DesiredCapacity": desired})


def _outside_forgotten(facts: Any, **arguments: Any) -> Any:
    totals = facts.totals
    facts.totals = replace(totals, outside=0)
    try:
        return _size(facts, **arguments)
    finally:
        facts.totals = totals


_size = capacity.size


def _fence_ignored(facts: Any, *, is_fenced: bool, is_settled: bool, now: Any) -> Any:
    del is_fenced, is_settled
    return _plan_securing(facts, is_fenced=True, is_settled=True, now=now)


_plan_securing = securing.plan_securing


def _latest_first(tickets: Any, *, now: Any, first: int | None = None) -> Any:
    del now
    return sorted(tickets, key=lambda ticket: ticket.created_at, reverse=True)[:first]


def _found_claims_forgotten(facts: Any, machine: Any) -> Any:
    action = _settle_claims(facts, machine)
    return None if isinstance(action, PublishFound) else action


_settle_claims = seating._settle_claims


def _nothing(*_: Any, **__: Any) -> None:
    return None


BUGS = (
    Bug("patches without the version that was read", (Writer, "patch"), _unguarded(lambda _kind, _body: True), seed=3),
    Bug(
        "publishes without the version that was read",
        (Writer, "patch"),
        _unguarded(lambda resource, _body: resource.plural == "workspaces"),
    ),
    Bug("tries again from its cache after a conflict", (Writer, "patch"), _again_after_conflict),
    Bug("detaches before the claim is written", (Claiming, "claim"), _detached_first),
    Bug("publishes before the claim is written", (Claiming, "_claim_and_publish"), _published_first),
    Bug("reaps without compare-and-swap", (Writer, "patch"), _reaped_blindly, seed=3),
    Bug("hands a used machine out again", (KubeStore, "patch_machine_spec"), _reap_forgotten),
    Bug("takes absence from its cache for deletion", (Claiming, "_still_holds"), _cache_believed),
    Bug("never removes ghosts", (Directory, "_remove_ghost"), _nothing),
    Bug("forgets machines outside the group when it counts", (capacity, "size"), _outside_forgotten),
    Bug("detaches before the fence stands", (securing, "plan_securing"), _fence_ignored, seed=3),
    Bug("serves the latest first", (queue, "in_order"), _latest_first),
    Bug("lets AWS count down at a termination", (AwsFleet, "terminate_member"), _counted_down),
    Bug("sets MaxSize and desired capacity at once", (AwsFleet, "set_desired_capacity"), _both_at_once),
    Bug("never publishes a claim that it found", (seating, "_settle_claims"), _found_claims_forgotten),
    Bug("never tells who lost a machine", (seating, "_settle_lost"), _nothing),
    Bug("acts on although its Lease is gone", (LeaseGate, "is_open"), property(lambda _gate: True)),
    Bug("lets two pools run one group", (Directory, "_find_rivals"), _nothing),
)
