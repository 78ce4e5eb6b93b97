"""Whether a workspace may be served at all, and the sentence that says why not."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from hotdesk.api.v1alpha1 import MachinePool, Workspace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a workspace is not served, and whether that can only change by somebody's doing."""

    reason: str
    message: str
    stalled: bool = True


@dataclass(frozen=True, slots=True)
class Priorities:
    """The cluster's PriorityClasses."""

    values: Mapping[str, int] = field(default_factory=dict)  # by name
    default: int = 0  # for who names none

    def of(self, workspace: Workspace) -> int:
        """Return the workspace's priority."""
        name = workspace.spec.priority_class_name
        return self.default if name is None else self.values.get(name, self.default)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Facts from outside the pool that decide about its workspaces."""

    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # labels by namespace
    priorities: Priorities = field(default_factory=Priorities)
    rival: str | None = None  # an older pool that manages the same group
    schedule_fault: str | None = None

    def with_namespace(self, name: str, labels: Mapping[str, str] | None) -> "Surroundings":
        """Return them with a namespace's labels; None when it is gone."""
        return replace(self, namespaces=_with(self.namespaces, name, labels))

    def with_priority(self, name: str, value: int | None, *, is_default: bool) -> "Surroundings":
        """Return them with a PriorityClass's value; None when it is gone."""
        known = self.priorities
        default = value if is_default and value is not None else known.default
        return replace(self, priorities=Priorities(values=_with(known.values, name, value), default=default))


def obstacle_of(workspace: Workspace, *, pool: MachinePool | None, surroundings: Surroundings) -> Obstacle | None:
    """Return the first thing that keeps the workspace from being served, or None."""
    name = workspace.spec.pool
    if pool is None:
        return Obstacle(
            "PoolNotFound", f"MachinePool {name} does not exist: create it, or name another in a new Workspace."
        )
    if pool.metadata.deletion_timestamp is not None:
        return Obstacle("PoolDeleting", f"MachinePool {name} is being deleted: use another pool in a new Workspace.")
    if surroundings.rival is not None:
        return Obstacle(
            "PoolStopped",
            f"MachinePool {name} is stopped, because pool {surroundings.rival} manages the same Auto Scaling group.",
        )
    refusal = _namespace_obstacle(workspace, pool=pool, surroundings=surroundings)
    if refusal is not None:
        return refusal
    priority_class = workspace.spec.priority_class_name
    if priority_class is not None and priority_class not in surroundings.priorities.values:
        return Obstacle(
            "PriorityClassNotFound",
            f"PriorityClass {priority_class} does not exist: create it, or change spec.priorityClassName.",
        )
    if pool.spec.paused:
        return Obstacle(
            "PoolPaused", f"MachinePool {name} is paused: it serves again when spec.paused is false.", stalled=False
        )
    return None


def _namespace_obstacle(
    workspace: Workspace,
    *,
    pool: MachinePool,
    surroundings: Surroundings,
) -> Obstacle | None:
    allowed = pool.spec.allowed_namespaces
    if allowed.from_ == "All" or allowed.selector is None:
        return None
    namespace = workspace.metadata.namespace
    labels = surroundings.namespaces.get(namespace)
    if labels is not None and allowed.selector.matches(labels):
        return None
    return Obstacle(
        "NamespaceNotAllowed",
        f"MachinePool {pool.metadata.name} does not serve namespace {namespace}: "
        "label the namespace as the pool's spec.allowedNamespaces asks, or use another pool.",
    )


def _with(known: Mapping[str, T], name: str, value: T | None) -> dict[str, T]:
    changed = {key: kept for key, kept in known.items() if key != name}
    if value is not None:
        changed[name] = value
    return changed
