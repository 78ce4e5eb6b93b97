"""What the fake API server serves: our kinds with their schemas, and the built-in ones the operator reads."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from hotdesk.api.crd import render


@dataclass(frozen=True)
class Kind:
    """One served kind; with a schema, unknown fields are dropped and defaults filled in."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    has_status: bool = False
    short_names: tuple[str, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    @property
    def api_version(self) -> str:
        """What the objects carry as apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version


@cache
def served_kinds() -> tuple[Kind, ...]:
    """Return every kind: namespaces, priority classes, Leases, Events, Secrets, and what the generated CRDs declare."""
    return (
        Kind(group="", version="v1", plural="namespaces", singular="namespace", kind="Namespace", namespaced=False),
        Kind(
            group="scheduling.k8s.io",
            version="v1",
            plural="priorityclasses",
            singular="priorityclass",
            kind="PriorityClass",
            namespaced=False,
        ),
        Kind(
            group="coordination.k8s.io",
            version="v1",
            plural="leases",
            singular="lease",
            kind="Lease",
            namespaced=True,
        ),
        Kind(group="events.k8s.io", version="v1", plural="events", singular="event", kind="Event", namespaced=True),
        Kind(group="", version="v1", plural="secrets", singular="secret", kind="Secret", namespaced=True),
        *(_custom(yaml.safe_load(text)["spec"]) for text in _crd_texts()),
    )


def shaped(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a copy without the fields that the schema does not know, and with the defaults it declares."""
    if isinstance(value, list):
        return [shaped(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties")
    if properties is None:
        extra = schema.get("additionalProperties")
        return {key: shaped(item, extra) if isinstance(extra, dict) else deepcopy(item) for key, item in value.items()}
    made = {key: shaped(item, properties[key]) for key, item in value.items() if key in properties}
    for key, inner in properties.items():
        if key not in made and "default" in inner:
            made[key] = shaped(inner["default"], inner)
    return made


def _crd_texts() -> list[str]:
    return [text for name, text in render().items() if name.startswith("hotdesk.dev_")]


def _custom(spec: Mapping[str, Any]) -> Kind:
    names, version = spec["names"], spec["versions"][0]
    return Kind(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        singular=names["singular"],
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        has_status="status" in version.get("subresources", {}),
        short_names=tuple(names.get("shortNames", ())),
        schema=version["schema"]["openAPIV3Schema"],
    )
