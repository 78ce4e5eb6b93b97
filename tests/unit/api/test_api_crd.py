"""The generated CRDs: they are those in the checkout, and every field speaks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hotdesk.api.crd import KINDS, definition, render

CHECKOUT = Path(__file__).parents[3]


def _schema(kind) -> dict[str, Any]:
    return definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def _nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from _nodes(field, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from _nodes(schema[key], f"{path}[]")


NODES = [
    pytest.param(node, id=f"{kind.model.__name__}{path}") for kind in KINDS for path, node in _nodes(_schema(kind))
]


def test_the_crds_in_the_checkout_are_those_of_the_models():
    stored = {path.name: path.read_text(encoding="utf-8") for path in (CHECKOUT / "crds").glob("*.yaml")}
    assert stored == render(), "run `hotdesk crds --out crds`"


def test_kustomize_takes_every_crd():
    listed = yaml.safe_load((CHECKOUT / "crds" / "Kustomization").read_text(encoding="utf-8"))["resources"]
    assert sorted(listed) == sorted(render())


@pytest.mark.parametrize("node", NODES)
def test_a_schema_holds_only_what_the_api_server_understands(node):
    assert not {"$ref", "anyOf", "title", "const", "propertyNames", "prefixItems"} & node.keys()
    assert not [key for key in node if key.startswith("x-") and not key.startswith("x-kubernetes-")]
    assert isinstance(node["type"], str)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_field_is_explained(kind):
    silent = [
        path
        for path, node in _nodes(_schema(kind))
        if not path.endswith("[]") and path != ".metadata" and not node.get("description", "").endswith(".")
    ]
    assert silent == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_text_and_list_has_a_limit_so_that_rules_stay_cheap(kind):
    unlimited = [
        path
        for path, node in _nodes(_schema(kind)["properties"]["spec"])
        if (node["type"] == "array" and "maxItems" not in node)
        or (node["type"] == "string" and not {"maxLength", "enum", "format"} & node.keys())
    ]
    assert unlimited == []


def test_only_what_shall_be_frozen_is_written_into_stored_objects():
    defaults = {
        f"{kind.plural}{path}": node["default"]
        for kind in KINDS
        for path, node in _nodes(_schema(kind))
        if "default" in node
    }
    assert defaults == {
        "workspaces.status": {"observedGeneration": -1, "phase": "Pending"},
        "machinepools.status": {"observedGeneration": -1},
        "machinepools.spec.buffer": {},
        "machinepools.spec.buffer.idle": 2,
        "machines.status": {"phase": "Booting"},
    }


def test_defaults_that_are_not_stored_are_told():
    pool = next(kind for kind in KINDS if kind.plural == "machinepools")
    said = {path: node.get("description", "") for path, node in _nodes(_schema(pool)["properties"]["spec"])}
    assert said[".buffer.scaleDownDelay"].endswith("Default: 5m.")
    assert said[".readiness.deadline"].endswith("Default: 10m.")
    assert said[".readiness.httpGet.path"].endswith("Default: /.")
    assert said[".buffer.schedules[].timeZone"].endswith("Default: UTC.")
    assert said[".aws.manageGroup"].endswith("Default: true.")
