"""The page of a kind names every field of it."""

import re
from pathlib import Path

import pytest

from hotdesk.api.crd import KINDS, definition

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model.__name__.lower())
def test_the_page_of_a_kind_names_every_field(kind):
    page = (DOCS / f"{kind.model.__name__.lower()}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", page))))
    parts = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    assert _names(parts["spec"]) | _names(parts["status"], but="conditions") <= named


def _names(schema, but=""):
    """Return the names of all fields; the insides of `but` are those of every Kubernetes object."""
    names = set()
    for name, field in schema.get("properties", {}).items():
        names |= {name} if name == but else {name} | _names(field)
    return names | (_names(schema["items"]) if "items" in schema else set())
