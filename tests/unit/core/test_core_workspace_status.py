"""A workspace's status reads right to people, to `kubectl wait` and to kstatus at every moment."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, after, bound, machine, workspace
from factories import pool as make_pool
from hotdesk.adapters.kube.patches import difference
from hotdesk.api.conditions import find_condition
from hotdesk.api.v1alpha1 import Access, Workspace, WorkspaceStatus
from hotdesk.core import workspace_status
from hotdesk.core.eligibility import Obstacle
from hotdesk.core.lifecycle import told


def with_url(template: str):
    return make_pool(access=Access(url_template=template))


def hand_over(asked: Workspace, *, template: str | None = None, slot: int = 0, at: float = 0, **observed):
    of = with_url(template) if template is not None else make_pool()
    return workspace_status.bound(asked, machine=machine(1, **observed), slot=slot, pool=of, now=after(at))


def queue(asked: Workspace, *, at: float = 0, wait: timedelta | None = None) -> WorkspaceStatus:
    return workspace_status.queued(asked, ahead=2, estimated_wait=wait, because="machines boot.", now=after(at))


def hold(asked: Workspace, *, at: float = 0, stalled: bool = True) -> WorkspaceStatus:
    return workspace_status.held(asked, Obstacle("PoolNotFound", "Create it.", stalled=stalled), now=after(at))


STEPS = {
    "bound": lambda asked, at: hand_over(asked, at=at),
    "queued": lambda asked, at: queue(asked, at=at),
    "held": lambda asked, at: hold(asked, at=at),
    "paused": lambda asked, at: hold(asked, at=at, stalled=False),
    "lost": lambda asked, at: workspace_status.lost(asked, now=after(at)),
}


class TestHandover:
    def test_one_status_holds_everything_a_user_needs(self):
        status = hand_over(workspace(generation=3), template="http://{privateIP}:8080/", slot=2, public_ip="192.0.2.7")
        assert status.model_dump(exclude={"conditions", "queue"}, exclude_none=True) == {
            "phase": "Running",
            "observed_generation": 3,
            "machine": "i-00000000000000001",
            "slot": 2,
            "private_ip": "10.0.0.1",
            "public_ip": "192.0.2.7",
            "url": "http://10.0.0.1:8080/",
            "claimed_at": NOW,
            "ready_at": NOW,
        }

    def test_the_place_in_the_queue_is_gone(self):
        waiting = workspace(status=queue(workspace()))
        assert hand_over(waiting).queue is None

    def test_without_a_template_there_is_no_url(self):
        assert hand_over(workspace()).url is None

    def test_every_placeholder_is_filled_in(self):
        template = "http://{privateIP}/{publicIP}/{owner}/{project}/{namespace}/{name}/{machine}/{slot}"
        url = hand_over(workspace(project="p"), template=template, slot=3, public_ip="192.0.2.7").url
        assert url == "http://10.0.0.1/192.0.2.7/ada/p/team/demo/i-00000000000000001/3"

    def test_what_is_absent_is_empty(self):
        assert hand_over(workspace(), template="http://{privateIP}/{publicIP}{project}").url == "http://10.0.0.1/"

    def test_an_ipv6_address_is_written_as_a_host(self):
        assert hand_over(workspace(), template="http://{privateIP}:80/", private_ip="2001:db8::1").url == (
            "http://[2001:db8::1]:80/"
        )

    def test_what_is_filled_in_is_not_filled_in_again(self):
        url = hand_over(
            workspace(owner="{slot}", project="{owner}"), template="http://{privateIP}/{owner}/{project}"
        ).url
        assert url == "http://10.0.0.1/%7Bslot%7D/%7Bowner%7D"

    @given(st.text(min_size=1, max_size=20), st.text(max_size=20))
    def test_no_owner_or_project_changes_where_a_url_leads(self, owner: str, project: str):
        template = "http://{privateIP}:8080/home/{owner}?folder={project}"
        parts = urlsplit(hand_over(workspace(owner=owner, project=project), template=template).url)
        assert (parts.netloc, parts.path.count("/"), parts.fragment) == ("10.0.0.1:8080", 2, "")
        assert parts.query.count("=") == 1


class TestConditions:
    def test_ready_stands_alone(self):
        assert [c.type for c in hand_over(workspace()).conditions] == ["Ready"]

    @pytest.mark.parametrize(
        ("step", "other"),
        [("queued", "Reconciling"), ("paused", "Reconciling"), ("lost", "Reconciling"), ("held", "Stalled")],
    )
    def test_who_is_not_ready_is_told_what_kstatus_needs(self, step: str, other: str):
        status = STEPS[step](bound(machine="i-1") if step == "lost" else workspace(), 0)
        assert [(c.type, c.status) for c in status.conditions] == [("Ready", "False"), (other, "True")]

    @given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=8))
    def test_at_every_moment_it_is_finished_or_says_that_it_is_not(self, steps: list[str]):
        asked = workspace()
        since = {"Ready": (None, NOW)}
        for second, step in enumerate(steps):
            status = STEPS[step](asked, second)
            asked = workspace(status=status)
            ready = find_condition(status.conditions, "Ready")
            others = {c.type for c in status.conditions} - {"Ready"}
            assert (ready.status == "True") == (status.machine is not None) == (step == "bound")
            assert len(others) == (0 if ready.status == "True" else 1)
            assert all(c.status == "True" for c in status.conditions if c.type in others)
            assert all(c.observed_generation == 1 for c in status.conditions)
            if ready.status != since["Ready"][0]:
                since["Ready"] = (ready.status, after(second))
            assert ready.last_transition_time == since["Ready"][1]

    def test_the_time_of_a_condition_moves_with_its_status_only(self):
        first = queue(workspace())
        later = queue(workspace(status=first), at=60)
        assert [c.last_transition_time for c in later.conditions] == [NOW, NOW]
        ready = hand_over(workspace(status=later), at=90)
        assert ready.conditions[0].last_transition_time == after(90)

    def test_who_lost_a_machine_keeps_the_reason_until_served(self):
        lost = workspace(status=workspace_status.lost(bound(machine="i-1"), now=NOW))
        waiting = workspace(status=queue(lost))
        assert waiting.status.conditions[0].reason == "MachineLost"
        assert hand_over(waiting).conditions[0].reason == "MachineReady"
        assert waiting.status.machine is waiting.status.url is waiting.status.private_ip is None


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "1 s"), (45, "45 s"), (119, "119 s"), (120, "2 min"), (3600, "60 min")]
)
def test_a_wait_is_said_as_a_person_would(seconds: int, said: str):
    message = queue(workspace(), wait=timedelta(seconds=seconds)).conditions[0].message
    assert message == f"Number 3 in the queue, about {said} to go: machines boot."


SEEN = {"last_activity_time": after(-60), "activity_source": "Heartbeat/editor"}


class TestActivity:
    """The gateway writes it; we carry it, so that no write of ours removes it, but for a new claim's."""

    @pytest.mark.parametrize("step", [name for name in STEPS if name != "bound"])
    def test_is_carried_unchanged(self, step):
        before = bound(machine="i-1", **SEEN)
        status = STEPS[step](before, 5)
        assert status.model_dump(include=set(SEEN)) == SEEN
        assert not {"lastActivityTime", "activitySource"} & difference(before.status, status).keys()

    def test_is_carried_when_a_spec_changed(self):
        before = bound(machine="i-00000000000000001", **SEEN)
        status = told.respecified(before, machine=machine(1), pool=make_pool())
        assert not {"lastActivityTime", "activitySource"} & difference(before.status, status).keys()

    def test_a_claim_begins_without_it(self):
        before = workspace(**SEEN)
        told = difference(before.status, hand_over(before))
        assert told["lastActivityTime"] is None
        assert told["activitySource"] is None
