"""What goes into a merge patch: only what differs, guarded by the version that was read."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hotdesk.api.wire import ApiModel
from hotdesk.ports import Unanswered

if TYPE_CHECKING:
    from hotdesk.api.lease import Lease
    from hotdesk.api.v1alpha1 import Machine, MachinePool, PoolPatience, Workspace, WorkspaceActivity


def guard(target: Workspace | WorkspaceActivity | Machine | MachinePool | PoolPatience | Lease) -> dict[str, str]:
    """Return the metadata that makes a patch fail with 409 if the object has changed since it was read.

    The uid guards the main resource alone: on /status the API server ignores it (measured with v1.36), and there
    the version guards, which no two objects share.

    Raises:
        Unanswered: the object was read without its version; the API server takes a patch without one for unguarded.

    """
    if not target.metadata.resource_version:
        raise Unanswered(f"{target.metadata.name} was read without its resourceVersion: it cannot be written safely")
    return {"uid": target.metadata.uid, "resourceVersion": target.metadata.resource_version}


def difference(before: ApiModel, after: ApiModel) -> dict[str, Any]:
    """Return the merge patch that brings `before` to `after`: removed fields are null, lists ride whole.

    A field that the stored object lacks is written even where it has its default value, so that people see it;
    fields that neither model knows are left alone. Values are compared as they are written: a time that is kept
    in whole seconds does not differ by its microseconds.
    """
    patch: dict[str, Any] = {}
    changed: set[str] = set()
    stored = before.model_fields_set
    for name, alias in _aliases(type(after)):
        old, new = getattr(before, name), getattr(after, name)
        if new is None:
            if old is not None:
                patch[alias] = None
        elif name not in stored:
            if new != ():
                changed.add(name)
        elif new != old:
            if isinstance(old, ApiModel) and isinstance(new, ApiModel):
                if nested := difference(old, new):
                    patch[alias] = nested
            else:
                changed.add(name)
    return patch | _rewritten(before, after, changed) if changed else patch


def _rewritten(before: ApiModel, after: ApiModel, changed: set[str]) -> dict[str, Any]:
    wanted = after.model_dump(mode="json", by_alias=True, exclude_none=True, include=changed)
    stored = changed & before.model_fields_set
    if not stored:
        return wanted
    there = before.model_dump(mode="json", by_alias=True, exclude_none=True, include=stored)
    return {alias: value for alias, value in wanted.items() if alias not in there or there[alias] != value}


@cache
def _aliases(model: type[ApiModel]) -> tuple[tuple[str, str], ...]:
    return tuple((name, field.alias or name) for name, field in model.model_fields.items())
