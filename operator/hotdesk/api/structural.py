"""A pydantic model's JSON schema as the structural schema that the API server accepts."""

import json
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from hotdesk.api.schema import RULES, STORED_DEFAULT
from hotdesk.api.wire import format_duration

Schema = dict[str, Any]

_ROOT: Final[dict[str, Schema]] = {
    "apiVersion": {"type": "string", "description": "The version of this kind: hotdesk.dev/v1alpha1."},
    "kind": {"type": "string", "description": "The name of this kind."},
    "metadata": {"type": "object"},
}
_ORDER: Final = ("description", "type", "format", "default", "enum")
# Titles only repeat the field's name, and the API server does not know `propertyNames`.
_DROPPED: Final = frozenset({"title", "default", "propertyNames"})


def structural_schema(model: type[BaseModel]) -> Schema:
    """Return the schema of a whole object: no references, titles or null types; only stored defaults stay defaults.

    The other defaults of the spec live in the operator; they are told in the descriptions.
    """
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = schema.pop("$defs")
    fields = schema["properties"]
    return {
        **{key: value for key, value in schema.items() if key not in _DROPPED},
        "properties": {
            **_ROOT,
            "spec": _structural(fields["spec"], definitions, tell_defaults=True),
            "status": _structural(fields["status"], definitions, tell_defaults=False),
        },
        "required": ["spec"],
    }


def _structural(node: Schema, definitions: dict[str, Schema], *, tell_defaults: bool) -> Schema:
    node = _resolved(node, definitions)
    result = {key: value for key, value in node.items() if key not in _DROPPED}
    if "description" in result:
        result["description"] = _description(node, tell_default=tell_defaults)
    for key in ("items", "additionalProperties"):
        if key in result:
            result[key] = _structural(result[key], definitions, tell_defaults=tell_defaults)
    if "properties" in result:
        result["properties"] = {
            name: _structural(field, definitions, tell_defaults=tell_defaults)
            for name, field in result["properties"].items()
        }
    if STORED_DEFAULT in result:
        result["default"] = result.pop(STORED_DEFAULT)
    return {key: result[key] for key in (*_ORDER, *result) if key in result}


def _resolved(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """Return the node with its reference, or the one type it has beside null, put in place.

    Its own words win, but for rules: those of both hold.
    """
    own = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
    if "$ref" in node:
        target = definitions[node["$ref"].removeprefix("#/$defs/")]
    elif "anyOf" in node:
        (target,) = (choice for choice in node["anyOf"] if choice != {"type": "null"})
        target = _resolved(target, definitions)
    else:
        return node
    rules = [*target.get(RULES, ()), *own.get(RULES, ())]
    return _resolved({**target, **own, **({RULES: rules} if rules else {})}, definitions)


def _description(node: Schema, *, tell_default: bool) -> str:
    text = " ".join(node["description"].split())
    default = node.get("default")
    # A stored default is shown by `kubectl explain` itself; a default that is an object is told by its fields.
    if not tell_default or default is None or STORED_DEFAULT in node or isinstance(default, dict | list):
        return text
    return f"{text} Default: {default if isinstance(default, str) else json.dumps(default)}."


class _Generator(GenerateJsonSchema):
    """Writes the default of a duration as people write it."""

    def encode_default(self, dft: object) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)
