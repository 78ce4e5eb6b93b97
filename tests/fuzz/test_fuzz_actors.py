"""Whatever the API server has accepted, and whatever another version wrote: no pass fails, and others are served."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hypothesis import Phase, given
from hypothesis import strategies as st
from pydantic import ValidationError

from component.desk import Desk, at_a_desk
from fakes.apiserver.errors import ApiError
from fuzz.crd_objects import INSTANCE, MODELS, PLURALS, reconciled
from fuzz.profile import fuzzed
from fuzz.schema_values import good, schema_of
from hotdesk.api.conditions import find_condition

Manifest = dict[str, Any]
SCHEMAS = {kind: schema_of(kind)["properties"] for kind in MODELS}
KINDS = st.sampled_from(["Workspace", "Workspace", "Machine", "Machine", "MachinePool"])


@st.composite
def objects(draw: st.DrawFn) -> tuple[str, Manifest]:
    """Return an object that the API server would accept, mostly about the pool `odd`, with a status as wild."""
    kind = draw(KINDS)
    spec = reconciled(kind, draw(good(SCHEMAS[kind]["spec"])))
    status = draw(good(SCHEMAS[kind]["status"]))
    if kind == "MachinePool":
        spec["aws"] = {"region": "eu-west-1", "autoScalingGroupName": draw(st.sampled_from(["odd", "none"]))}
    else:
        spec["pool"] = draw(st.sampled_from(["odd", "odd", "other", spec["pool"]]))
    if kind == "Workspace":
        status["machine"] = draw(st.sampled_from([None, *MACHINES, "x"]))
    return kind, {"spec": spec, "status": {key: value for key, value in status.items() if value is not None}}


MACHINES = [f"i-{number:017x}" for number in (900, 901, 902)]
BATCHES = st.lists(objects(), min_size=5, max_size=25)


@fuzzed(14, phases=[Phase.generate])  # what fails is read more quickly than shrunk
@given(batch=BATCHES)
def test_no_object_stops_a_pass_or_keeps_others_from_being_served(batch: list[tuple[str, Manifest]]):
    async def scenario() -> None:
        async with asyncio.timeout(60), Desk() as desk:
            desk.add_pool(idle=1)
            desk.fleet.add_group("odd")
            desk.server.create("machinepools", {"metadata": {"name": "odd"}, "spec": pool_spec("odd")})
            await desk.operator()
            for number, (kind, made) in enumerate(batch):
                store(desk, kind, number, made)
            desk.ask("demo")
            await desk.until_bound("demo")
            await desk.looked(3)
            await asyncio.sleep(0)
            desk.leave("demo")
            desk.laws = forgiving(desk)

    with errors_logged() as errors:
        asyncio.run(scenario())
    assert not errors


def forgiving(desk: Desk) -> Any:
    """Return laws that are not checked: what people forged into records is not what the operator did."""
    del desk
    return type("NoLaws", (), {"check": lambda _: None})()


def pool_spec(group: str) -> Manifest:
    return {"aws": {"region": "eu-west-1", "autoScalingGroupName": group}, "maxMachines": 3, "buffer": {"idle": 1}}


def store(desk: Desk, kind: str, number: int, made: Manifest) -> None:
    """Store an object and then its status, as far as the operator can read them."""
    name = MACHINES[number % 3] if kind == "Machine" else f"odd-{number}"
    spec = {**made["spec"], "providerID": f"aws:///eu-west-1a/{name}"} if kind == "Machine" else made["spec"]
    namespace = "team" if kind == "Workspace" else ""
    body = {"apiVersion": "hotdesk.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    try:
        MODELS[kind].model_validate({**body, "status": made["status"]})
    except ValidationError as error:
        raise AssertionError(f"the schema allows what the model refuses: {body}") from error
    with suppress(ApiError):  # there already, or against a rule
        desk.server.create(PLURALS[kind], body, namespace=namespace)
        desk.server.patch(PLURALS[kind], name, {"status": made["status"]}, namespace=namespace, status=True)


@contextmanager
def errors_logged() -> Iterator[list[str]]:
    """Collect what is logged as an error: `a pass failed` and its like."""
    found: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(self.format(record))

    handler = Collecting(level=logging.ERROR)
    logging.getLogger("hotdesk").addHandler(handler)
    try:
        yield found
    finally:
        logging.getLogger("hotdesk").removeHandler(handler)


FUTURE = {"type": "Hibernating", "status": "Maybe", "reason": "New", "message": "", "lastTransitionTime": "soon"}


@at_a_desk()
async def test_a_workspace_that_a_newer_version_wrote_keeps_its_machine_though_it_cannot_be_read(desk: Desk):
    desk.add_pool(idle=1)
    operator = await desk.operator()
    desk.ask("demo")
    await desk.until_bound("demo")
    (name,) = desk.claimed().values()
    operator.is_deaf = True  # its feed leaves unreadable objects alone; here there is none
    told = {"phase": "Hibernating", "machine": name, "slot": 0, "somethingNew": {"a": 1}, "conditions": [FUTURE]}
    desk.server.patch("workspaces", "demo", {"status": told}, namespace="team", status=True)
    await operator.directory.resync()
    operator.is_deaf = False
    desk.ask("other")
    await desk.until(lambda: desk.claimed().get("other"), what="the other is served")
    await desk.looked(5)
    assert desk.claimed()["demo"] == name
    assert name not in desk.fleet.deaths


@at_a_desk()
async def test_a_machine_that_a_newer_version_wrote_is_neither_handed_out_nor_ended(desk: Desk):
    desk.add_pool(idle=2)
    operator = await desk.operator()
    await desk.until_idle(2)
    name = min(desk.idle())
    operator.is_deaf = True
    desk.server.patch("machines", name, {"status": {"phase": "Hibernating", "somethingNew": True}}, status=True)
    await operator.directory.resync()
    desk.server.create(
        "workspaces", {"metadata": {"name": "demo"}, "spec": {"pool": "pool", "owner": "ada"}}, namespace="team"
    )
    await operator.directory.resync()

    def bound() -> bool:
        made = desk.server.get("workspaces", "demo", namespace="team")
        return bool(made and made["status"].get("machine") not in (None, name))

    await desk.until(bound, what="it is given another machine")
    stored = desk.server.get("machines", name)
    assert stored is not None
    assert not stored["spec"].get("claims")
    assert name not in desk.fleet.deaths
    desk.server.patch("machines", name, {"status": {"phase": "Idle"}}, status=True)


@at_a_desk()
async def test_unknown_fields_and_conditions_of_a_newer_version_are_read_past(desk: Desk):
    desk.add_pool(idle=1)
    await desk.operator()
    await desk.until_idle(1)
    condition = {**FUTURE, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    desk.server.patch("machinepools", "pool", {"status": {"conditions": [condition]}}, status=True)
    desk.ask("demo")
    await desk.until_bound("demo")
    await desk.until(lambda: find_condition(desk.pool().status.conditions, "Ready"), what="the pool is told")
    assert INSTANCE not in desk.claimed().values()
