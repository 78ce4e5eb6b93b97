"""What a field says to the API server beyond its type: CEL rules, list keys, stored defaults."""

from collections.abc import Sequence
from typing import Final

from pydantic import JsonValue

Marks = dict[str, JsonValue]

RULES: Final = "x-kubernetes-validations"
LIST_TYPE: Final = "x-kubernetes-list-type"
LIST_MAP_KEYS: Final = "x-kubernetes-list-map-keys"
STORED_DEFAULT: Final = "x-hotdesk-stored-default"
"""Marks a default that the API server writes into the object; `crd` turns it into the schema's `default`."""


def rule(expression: str, message: str) -> JsonValue:
    """Return one CEL rule; its message tells the person at `kubectl apply` what to write instead."""
    return {"rule": expression, "message": message}


def marks(*rules: JsonValue, map_keys: Sequence[str] = (), stored_default: JsonValue = None) -> Marks:
    """Return the `json_schema_extra` of a field or model."""
    extra: Marks = {}
    if rules:
        extra[RULES] = list(rules)
    if map_keys:
        extra[LIST_TYPE] = "map"
        extra[LIST_MAP_KEYS] = list(map_keys)
    if stored_default is not None:
        extra[STORED_DEFAULT] = stored_default
    return extra


def immutable(field: str) -> JsonValue:
    """Return the rule of a field that can be set once."""
    return rule("self == oldSelf", f"{field} is immutable: delete the object and create it anew to change it")
