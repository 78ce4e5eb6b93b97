"""Every example that we ship is one the models understand whole."""

from pathlib import Path

import pytest
import yaml

from hotdesk.api.v1alpha1 import MachinePool, Workspace

DEPLOY = Path(__file__).parents[3] / "deploy"
MODELS = {"MachinePool": MachinePool, "Workspace": Workspace}


def _objects():
    for path in sorted(DEPLOY.rglob("*.yaml")):
        if path.is_relative_to(DEPLOY / "aws"):
            continue  # CloudFormation, with tags of its own
        for number, found in enumerate(yaml.safe_load_all(path.read_text(encoding="utf-8"))):
            if found and found.get("apiVersion") == "hotdesk.dev/v1alpha1":
                yield pytest.param(found, id=f"{path.relative_to(DEPLOY)}-{number}")


OBJECTS = list(_objects())


def test_there_are_examples_of_what_people_write():
    assert {param.values[0]["kind"] for param in OBJECTS} == set(MODELS)


@pytest.mark.parametrize("found", OBJECTS)
def test_an_example_has_no_field_that_the_models_do_not_know(found):
    MODELS[found["kind"]].model_validate(found, extra="forbid")
