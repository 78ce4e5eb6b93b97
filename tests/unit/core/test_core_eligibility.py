"""Who may be served, and the sentence for who may not."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from factories import NOW, pool, workspace
from hotdesk.api.v1alpha1 import AllowedNamespaces, LabelSelector
from hotdesk.core.eligibility import Priorities, Surroundings, obstacle_of

SURROUNDINGS = Surroundings(namespaces={"team": {"tier": "gold"}}, priorities=Priorities(values={"urgent": 100}))


def selecting(**labels: str) -> AllowedNamespaces:
    return AllowedNamespaces(from_="Selector", selector=LabelSelector(match_labels=labels))


def test_an_ordinary_workspace_may_be_served():
    assert obstacle_of(workspace(), pool=pool(), surroundings=SURROUNDINGS) is None


@pytest.mark.parametrize(
    ("reason", "of", "changes", "asked", "says"),
    [
        ("PoolNotFound", None, {}, {}, "create it"),
        ("PoolDeleting", pool(deleted_at=NOW), {}, {}, "another pool"),
        ("PoolStopped", pool(), {"rival": "elder"}, {}, "elder"),
        ("NamespaceNotAllowed", pool(allowed_namespaces=selecting(tier="silver")), {}, {}, "label the namespace"),
        ("PriorityClassNotFound", pool(), {}, {"priority_class_name": "gone"}, "PriorityClass gone"),
    ],
)
def test_what_a_person_must_change_is_named_and_stalls(
    reason: str, of, changes: Mapping[str, object], asked: Mapping[str, str], says: str
):
    found = obstacle_of(workspace(**asked), pool=of, surroundings=replace(SURROUNDINGS, **changes))
    assert found is not None
    assert (found.reason, found.stalled) == (reason, True)
    assert says in found.message


def test_a_paused_pool_is_waited_for():
    found = obstacle_of(workspace(), pool=pool(paused=True), surroundings=SURROUNDINGS)
    assert found is not None
    assert (found.reason, found.stalled) == ("PoolPaused", False)


def test_a_namespace_that_the_selector_chooses_may_use_the_pool():
    of = pool(allowed_namespaces=selecting(tier="gold"))
    assert obstacle_of(workspace(), pool=of, surroundings=SURROUNDINGS) is None


def test_a_namespace_that_nobody_has_seen_may_not_use_a_selective_pool():
    of = pool(allowed_namespaces=selecting())
    found = obstacle_of(workspace(namespace="unseen"), pool=of, surroundings=SURROUNDINGS)
    assert found is not None
    assert found.reason == "NamespaceNotAllowed"


def test_unnamed_priority_is_the_clusters_default():
    surroundings = replace(SURROUNDINGS, priorities=Priorities(values={"urgent": 100}, default=7))
    assert surroundings.priorities.of(workspace()) == 7
    assert surroundings.priorities.of(workspace(priority_class_name="urgent")) == 100
