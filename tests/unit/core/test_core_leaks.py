"""Leaks: what nobody knows is adopted or reported, ended only by policy, and never too early or in anybody's hands."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import (
    NOW,
    POOL_TAGS,
    after,
    bound,
    claim,
    facts,
    group,
    instance,
    machine,
    machine_id,
    member,
    observation,
    pool,
    workspace,
)
from hotdesk.api.v1alpha1 import Backup, S3Place, Workspace
from hotdesk.core import leaks
from hotdesk.core.actions import AdoptInstance, CondemnInstance
from hotdesk.core.facts import Instance, InstanceState, Leftover
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.tags import GROUP_TAG, claim_tag

LOST = 7
LATER = after(20 * 60)


def tagged(number: int, *holders: str, **fields: Any) -> Instance:
    """Build an old instance outside of every group whose tags say that these workspaces hold its slots."""
    tags = {claim_tag(machine_id(number), slot): holder for slot, holder in enumerate(holders)}
    return instance(number, **{"tags": POOL_TAGS | tags, **fields})


def of(name: str) -> str:
    return f"team/{name}/uid-{name}"


def looked(
    *shown: Instance,
    looks: int = 3,
    workspaces: Iterable[Workspace] = (),
    policy: str = "Terminate",
    **spec: Any,
) -> PoolFacts:
    """Build a pool without machines that was looked at so many times, the last time at LATER."""
    wanted = pool(**spec)
    aws = wanted.spec.aws.model_copy(update={"leaks": policy})
    known = facts(of=wanted.model_copy(update={"spec": wanted.spec.model_copy(update={"aws": aws})}))
    for asking in workspaces:
        known.upsert_workspace(asking)
    for number in range(looks):
        at = LATER - timedelta(seconds=20 * (looks - 1 - number))
        known.observe(observation(group(), shown, at=at))
    return known


def planned(known: PoolFacts) -> list[leaks.LeakAction]:
    return list(leaks.plan_leaks(known, now=LATER))


def reported(known: PoolFacts) -> Mapping[str, str]:
    return {leak.name: leak.why for leak in leaks.found(known, now=LATER)}


def test_a_volume_of_a_restore_is_a_leak_once_its_workspace_is_not_being_restored():
    restoring = bound("a", machine=machine_id(1), phase="Restoring")
    running = bound("b", machine=machine_id(2))
    known = looked(workspaces=[restoring, running])
    old = LATER - timedelta(hours=2)
    whose = {"vol-a": restoring.metadata.uid, "vol-b": running.metadata.uid, "vol-gone": "nobody", "vol-none": None}
    left = tuple(Leftover(name, old, uid) for name, uid in whose.items())
    known.observe(replace(observation(group(), (), at=LATER), leftovers=left))
    assert leaks.disks(known, now=LATER) == ("vol-b", "vol-gone", "vol-none")


def left_over(policy: str, **spec: Any) -> tuple[PoolFacts, Workspace]:
    """Build a pool that has known for an hour of spare and other leftovers, and the workspace of one of them."""
    restoring = bound("a", machine=machine_id(1), phase="Restoring")
    known = looked(workspaces=[restoring], policy=policy, **spec)
    old = LATER - timedelta(hours=2)
    spare = [("vol-old", old, "gone"), ("vol-new", LATER, "gone"), ("vol-used", old, restoring.metadata.uid)]
    left = (
        *(Leftover(name, at, uid, is_spare=True) for name, at, uid in spare),
        Leftover("snap-failed", old, is_spare=True),
        Leftover("vol-attached", old, "gone"),
        Leftover("vol-theirs", old),
    )
    known.observe(replace(observation(group(), (), at=LATER), leftovers=left))
    return known, restoring


def deleted(known: PoolFacts) -> list[str]:
    return [action.id for action in leaks.plan_disks(known, now=LATER)]


def test_only_spare_disks_of_ours_are_deleted_and_only_where_the_pool_says_so():
    known, _ = left_over("Terminate")
    assert deleted(known) == ["snap-failed", "vol-old"]
    assert deleted(left_over("Report")[0]) == []
    assert deleted(left_over("Terminate", paused=True)[0]) == []
    assert leaks.disks(known, now=LATER) == ("snap-failed", "vol-attached", "vol-old", "vol-theirs")


def test_a_deleted_disk_is_neither_deleted_again_nor_reported_though_the_list_still_speaks_of_it():
    known, _ = left_over("Terminate")
    known.deleted_leftover("vol-old")
    assert known.observation is not None
    known.observe(known.observation)
    assert deleted(known) == ["snap-failed"]
    assert "vol-old" not in leaks.disks(known, now=LATER)
    known.observe(replace(known.observation, leftovers=()))
    assert not known.deleted


def test_what_was_never_claimed_is_ended_where_the_pool_says_so():
    (action,) = planned(looked(tagged(LOST)))
    assert action == CondemnInstance(name=machine_id(LOST), zone="eu-west-1a", slots=1, claims=())


def test_what_was_never_claimed_is_only_reported_otherwise():
    known = looked(tagged(LOST), policy="Report")
    assert planned(known) == []
    assert reported(known) == {machine_id(LOST): "never claimed"}


def test_what_a_waiting_workspace_had_is_given_back_to_it():
    (action,) = planned(looked(tagged(LOST, of("demo")), workspaces=[workspace("demo")], policy="Report"))
    assert isinstance(action, AdoptInstance)
    (made,) = action.claims
    assert (made.slot, made.workspace.uid, made.owner, action.slots) == (0, "uid-demo", "ada", 1)


def test_of_a_shared_machine_everybody_who_waits_gets_the_slot_that_was_theirs():
    waiting = [workspace("a"), workspace("c")]
    (action,) = planned(looked(tagged(LOST, of("a"), of("b"), of("c")), workspaces=waiting))
    assert isinstance(action, AdoptInstance)
    assert [(made.slot, made.workspace.name) for made in action.claims] == [(0, "a"), (2, "c")]
    assert action.slots == 3


def test_of_two_machines_that_name_one_workspace_it_gets_the_younger():
    older = tagged(LOST, of("demo"), launched_at=after(-3600))
    younger = tagged(LOST + 1, of("demo"))
    known = looked(older, younger, workspaces=[workspace("demo")])
    (action,) = planned(known)
    assert (type(action), action.name) == (AdoptInstance, younger.id)
    assert reported(known)[older.id] == "claimed by team/demo, which is pending"


@pytest.mark.parametrize(
    ("holder", "why"),
    [
        (bound("demo", machine=machine_id(1)), f"claimed by team/demo, which has {machine_id(1)} now"),
        (workspace("demo", phase="Archived", stopped_at=NOW), "claimed by team/demo, which is archived"),
        (workspace("demo", deleted_at=NOW), "claimed by team/demo, which is pending"),
    ],
)
def test_what_a_living_workspace_had_and_has_no_more_is_neither_given_back_nor_ended(holder, why):
    known = looked(tagged(LOST, of("demo")), workspaces=[holder])
    assert planned(known) == []
    assert reported(known) == {machine_id(LOST): why}


def test_a_stopped_machine_is_not_given_back():
    known = looked(tagged(LOST, of("demo"), state=InstanceState.STOPPED), workspaces=[workspace("demo")])
    assert planned(known) == []
    assert reported(known) == {machine_id(LOST): "claimed by team/demo, which is pending"}


def test_a_published_workspace_gets_its_record_back_by_its_seat_and_that_is_no_leak():
    known = looked(tagged(LOST, of("demo")), workspaces=[bound("demo", machine=machine_id(LOST))])
    assert planned(known) == []
    assert reported(known) == {}


def test_a_claim_of_somebody_who_is_gone_is_named_so_that_it_is_read_past_the_cache():
    (action,) = planned(looked(tagged(LOST, of("demo"))))
    assert isinstance(action, CondemnInstance)
    assert [made.workspace.uid for made in action.claims] == ["uid-demo"]


ARCHIVE = Backup(method="S3Archive", s3=S3Place(bucket="files"))


def test_a_shared_machine_whose_files_nobody_could_save_is_only_reported():
    known = looked(tagged(LOST, of("demo")), slots_per_machine=2, backup=ARCHIVE)
    assert planned(known) == []
    assert "nobody knows which of its files are whose" in reported(known)[machine_id(LOST)]
    known = looked(tagged(LOST, of("a"), of("b")), backup=ARCHIVE)
    assert planned(known) == []
    discarded = ARCHIVE.model_copy(update={"on_delete": "Discard"})
    for spec in ({"backup": ARCHIVE}, {"backup": discarded, "slots_per_machine": 2}, {"slots_per_machine": 2}):
        (action,) = planned(looked(tagged(LOST, of("demo")), **spec))
        assert isinstance(action, CondemnInstance)


@pytest.mark.parametrize("value", ["team/demo", "team/demo/uid/more", "team/de%20mo/uid", "a/b/c~0123", "//", ""])
def test_a_claim_tag_that_cannot_be_read_keeps_a_machine(value):
    known = looked(tagged(LOST, value))
    assert planned(known) == []
    assert reported(known) == {machine_id(LOST): "its claim tags cannot be read"}


@pytest.mark.parametrize(
    "spared",
    [
        tagged(LOST, launched_at=LATER - timedelta(minutes=14, seconds=59)),
        tagged(LOST, launched_at=None),  # its age is not known, so it counts from the first look
        tagged(LOST, tags={"hotdesk.dev/pool": "another"}),
        tagged(LOST, tags=POOL_TAGS | {GROUP_TAG: "somebody-elses"}),
        tagged(LOST, state=InstanceState.SHUTTING_DOWN),
    ],
)
def test_what_is_young_or_anothers_or_gone_is_no_leak(spared):
    known = looked(spared)
    assert (planned(known), reported(known)) == ([], {})


def test_two_looks_are_not_enough_and_quick_ones_do_not_count():
    known = looked(tagged(LOST), looks=2)
    for _ in range(3):
        known.observe(observation(group(), [tagged(LOST)], at=LATER, complete=False))
    assert (planned(known), reported(known)) == ([], {})


def test_one_that_was_known_in_between_is_counted_anew():
    known = looked(tagged(LOST))
    known.upsert_machine(machine(LOST))
    known.remove_machine(machine_id(LOST))
    assert reported(known) == {}
    for _ in range(3):
        known.observe(observation(group(), [tagged(LOST)], at=LATER))
    assert reported(known) != {}


def test_a_replica_that_takes_over_counts_anew():
    known = looked(tagged(LOST))
    known.forget_aws()
    known.observe(observation(group(), [tagged(LOST)], at=LATER))
    assert reported(known) == {}


def test_a_paused_pool_only_reports():
    known = looked(tagged(LOST), tagged(LOST + 1, of("demo")), workspaces=[workspace("demo")], paused=True)
    assert planned(known) == []
    assert len(reported(known)) == 2


def test_the_message_names_some_and_says_what_to_do():
    many = leaks.found(looked(*(tagged(number) for number in range(1, 8))), now=LATER)
    text = leaks.message_of(many)
    assert f"{machine_id(1)} (never claimed); {machine_id(2)}" in text
    assert "; and 2 more. " in text
    assert text.endswith("or set spec.aws.leaks to Terminate.")


# -- whatever happens ---------------------------------------------------------------------------------------------

_numbers = st.integers(1, 4)
_names = st.sampled_from(["a", "b"])
_holders = st.lists(_names.map(of) | st.sampled_from(["nonsense", "team/x/uid-x"]), max_size=2)
_instances = st.builds(
    lambda number, holders, age, state, tags: tagged(
        number,
        *holders,
        state=state,
        launched_at=None if age is None else LATER - timedelta(minutes=age),
        **({"tags": tags} if tags is not None else {}),
    ),
    _numbers,
    _holders,
    st.none() | st.sampled_from([0, 14, 15, 60]),
    st.sampled_from(InstanceState),
    st.none() | st.just({}) | st.just(POOL_TAGS | {GROUP_TAG: "g"}),
)
_steps = st.lists(
    st.one_of(
        st.lists(_instances, max_size=4, unique_by=lambda found: found.id).map(lambda shown: ("look", shown)),
        st.tuples(st.just("member"), _numbers),
        st.tuples(st.just("record"), _numbers),
        st.tuples(st.just("claim"), _numbers),
        st.tuples(st.just("unrecord"), _numbers),
        st.tuples(st.just("ask"), _names),
        st.tuples(st.just("leave"), _names),
        st.tuples(st.just("seat"), st.tuples(_names, _numbers)),
    ),
    max_size=25,
)


@given(_steps, st.sampled_from(["Report", "Terminate"]))
def test_only_an_old_instance_of_nobody_that_was_seen_three_times_is_touched(steps, policy):
    known = looked(looks=0, policy=policy)
    members: dict[int, Any] = {}
    unknown_in: dict[str, int] = {}  # complete looks in a row that showed an instance which nobody knew then
    version = 1
    for step, what in steps:
        version += 1
        match step:
            case "look":
                known.observe(observation(group(members.values()), what, at=LATER))
                shown = {found.id for found in what} - known.machines.keys() - known.members.keys()
                unknown_in = {name: unknown_in.get(name, 0) + 1 for name in shown}
            case "member":
                members.pop(what) if what in members else members.setdefault(what, member(what))
            case "record" | "claim":
                claims = [claim("a")] if step == "claim" else []
                known.upsert_machine(machine(what, uid=f"uid-{version}", version=version, claims=claims))
                unknown_in.pop(machine_id(what), None)
            case "unrecord":
                known.remove_machine(machine_id(what))
            case "ask":
                known.upsert_workspace(workspace(what, version=version))
            case "leave":
                known.remove_workspace(f"uid-{what}")
            case _:
                known.upsert_workspace(bound(what[0], machine=machine_id(what[1]), version=version))
        for action in planned(known):
            found = known.instances[action.name]
            assert unknown_in[action.name] >= 3
            assert found.launched_at is not None
            assert LATER - found.launched_at >= timedelta(minutes=15)
            assert action.name not in known.machines
            assert action.name not in known.members
            assert action.name not in known.seats
            claimants = {value.rpartition("/")[2] for key, value in found.tags.items() if "/claim." in key}
            if isinstance(action, CondemnInstance):
                assert policy == "Terminate"
                assert not claimants & known.workspaces.keys()
                assert not claimants & {"nonsense"}
            else:
                assert {made.workspace.uid for made in action.claims} <= claimants & known.waiting.keys()
