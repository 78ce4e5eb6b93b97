"""The simulated AWS of a module of tests, as new for each of them."""

import pytest

from component.simulated_cloud import Cloud, running_cloud


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory):
    with running_cloud(tmp_path_factory.mktemp("aws")) as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: Cloud) -> Cloud:
    _cloud.reset()
    return _cloud
