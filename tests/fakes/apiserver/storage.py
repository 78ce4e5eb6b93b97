"""The objects of the fake API server: one counter for every version, compare-and-swap, and a history to watch."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fakes.apiserver.errors import already_exists, bad_request, conflict, expired, invalid, not_found
from fakes.apiserver.kinds import Kind, shaped
from fakes.apiserver.rules import broken_rule

Json = dict[str, Any]
Key = tuple[str, str]  # namespace ("" outside of them) and name
Subscriber = Callable[[Kind, str, Json], None]
# A client cannot change these; what it sends for them is dropped.
_SERVER_OWNED = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")


@dataclass(frozen=True)
class Event:
    """One change, as a watch shows it."""

    version: int
    kind: Kind
    type: str
    object: Json


class Storage:
    """Objects are never changed in place, so that an event shows what was true when it happened."""

    def __init__(self, *, now: Callable[[], datetime] | None = None) -> None:
        self.version = 1
        self.floor = 0  # events up to this version are forgotten
        self._now = now or _system_time
        self._objects: dict[Kind, dict[Key, Json]] = {}
        self._history: list[Event] = []
        self._subscribers: list[Subscriber] = []
        self._uids = 0

    def objects(self, kind: Kind, *, namespace: str = "") -> list[Json]:
        """Return the objects in the order of their names, as the real API server does."""
        found = sorted(self._objects.get(kind, {}).items())
        return [stored for (where, _), stored in found if not namespace or where == namespace]

    def get(self, kind: Kind, key: Key) -> Json:
        """Return the object, or raise 404."""
        try:
            return self._objects[kind][key]
        except KeyError:
            raise not_found(plural=kind.plural, group=kind.group, name=key[1]) from None

    def create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Store a new object without its status, or raise 409."""
        given = body.get("metadata", {})
        name = given.get("name")
        if not name:
            raise invalid(kind=kind.kind, group=kind.group, name="", why="metadata.name: Required value")
        if given.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        key = (namespace, name)
        if key in self._objects.get(kind, {}):
            raise already_exists(plural=kind.plural, group=kind.group, name=name)
        self._uids += 1
        metadata = {
            **{field: value for field, value in given.items() if field not in _SERVER_OWNED},
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            "uid": f"00000000-0000-4000-8000-{self._uids:012x}",
            "generation": 1,
            "creationTimestamp": self._timestamp(),
        }
        made = {**body, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        if kind.has_status:
            made.pop("status", None)
        return self._commit(kind, key, before=None, after=made)

    def patch(self, kind: Kind, key: Key, patch: Json, *, status: bool) -> Json:
        """Apply a JSON merge patch to the object or to its status; one that changes nothing is no event."""
        return self._change(kind, key, sent=patch, merged=merged(self.get(kind, key), patch), status=status)

    def replace(self, kind: Kind, key: Key, body: Json, *, status: bool) -> Json:
        """Put the object, or its status, in place of the one that is there."""
        return self._change(kind, key, sent=body, merged=body, status=status)

    def delete(self, kind: Kind, key: Key, preconditions: Mapping[str, Any]) -> Json | None:
        """Remove the object and return None; while finalizers hold it, mark it and return it as it is now."""
        before = self.get(kind, key)
        for field in ("uid", "resourceVersion"):
            there, wanted = before["metadata"][field], preconditions.get(field)
            if wanted is not None and wanted != there:
                why = f"Precondition failed: {field} in precondition: {wanted}, {field} in object meta: {there}"
                raise conflict(plural=kind.plural, group=kind.group, name=key[1], why=why)
        if not before["metadata"].get("finalizers"):
            self._remove(kind, key, before)
            return None
        if before["metadata"].get("deletionTimestamp"):
            return before
        metadata = before["metadata"]
        marked = {**metadata, "deletionTimestamp": self._timestamp(), "generation": metadata["generation"] + 1}
        return self._commit(kind, key, before=before, after={**before, "metadata": marked})

    def events_since(self, version: int, kind: Kind) -> list[Event]:
        """Return what happened to a kind after this version, or raise 410 if that is no longer known."""
        if version < self.floor:
            raise expired(f"too old resource version: {version} ({self.floor})")
        first = bisect_right(self._history, version, key=lambda event: event.version)
        return [event for event in self._history[first:] if event.kind is kind]

    def forget_history(self) -> None:
        """Forget every event so far, as compaction does."""
        self.floor = self.version
        self._history.clear()

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call this with every event from now on; the result ends it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def _change(self, kind: Kind, key: Key, *, sent: Json, merged: Json, status: bool) -> Json:
        before = self.get(kind, key)
        self._check_guard(kind, key, before=before, given=sent.get("metadata") or {}, status=status)
        if status:
            after = {**before, "status": merged.get("status", {})}
        else:
            given = {field: value for field, value in merged["metadata"].items() if field not in _SERVER_OWNED}
            owned = {field: before["metadata"][field] for field in _SERVER_OWNED if field in before["metadata"]}
            after = {**merged, "metadata": {**given, **owned}}
            if kind.has_status:
                after["status"] = before.get("status", {})
        return self._commit(kind, key, before=before, after=after)

    def _check_guard(self, kind: Kind, key: Key, *, before: Json, given: Json, status: bool) -> None:
        there = before["metadata"]
        if given.get("resourceVersion") and given["resourceVersion"] != there["resourceVersion"]:
            why = "the object has been modified; please apply your changes to the latest version and try again"
            raise conflict(plural=kind.plural, group=kind.group, name=key[1], why=why)
        if not status and given.get("uid") and given["uid"] != there["uid"]:
            why = f'metadata.uid: Invalid value: "{given["uid"]}": field is immutable'
            raise invalid(kind=kind.kind, group=kind.group, name=key[1], why=why)
        if given.get("name", key[1]) != key[1]:
            raise bad_request("the name of the object does not match the name on the URL")

    def _commit(self, kind: Kind, key: Key, *, before: Json | None, after: Json) -> Json:
        if kind.schema:
            after = {**shaped(after, kind.schema), "metadata": after["metadata"]}
        if before is not None and after == before:
            return before
        if rule := broken_rule(kind=kind.kind, before=before, after=after):
            raise invalid(kind=kind.kind, group=kind.group, name=key[1], why=rule)
        metadata = after["metadata"]
        if before is not None and after.get("spec") != before.get("spec"):
            metadata = {**metadata, "generation": metadata["generation"] + 1}
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            return self._remove(kind, key, {**after, "metadata": metadata})
        after = {**after, "metadata": {**metadata, "resourceVersion": self._next_version()}}
        self._objects.setdefault(kind, {})[key] = after
        self._publish(kind, "ADDED" if before is None else "MODIFIED", after)
        return after

    def _remove(self, kind: Kind, key: Key, last: Json) -> Json:
        del self._objects[kind][key]
        last = {**last, "metadata": {**last["metadata"], "resourceVersion": self._next_version()}}
        self._publish(kind, "DELETED", last)
        return last

    def _publish(self, kind: Kind, event_type: str, stored: Json) -> None:
        self._history.append(Event(version=self.version, kind=kind, type=event_type, object=stored))
        for subscriber in tuple(self._subscribers):
            subscriber(kind, event_type, stored)

    def _next_version(self) -> str:
        self.version += 1
        return str(self.version)

    def _timestamp(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(target: Any, patch: Any) -> Any:
    """Return what RFC 7386 makes of the target; neither is changed."""
    if not isinstance(patch, dict):
        return patch
    made = dict(target) if isinstance(target, dict) else {}
    for field, value in patch.items():
        if value is None:
            made.pop(field, None)
        else:
            made[field] = merged(made.get(field), value)
    return made


def _system_time() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  # the fake is the clock here; a test that cares gives its own
