"""What a vault promises, in memory and on the simulated AWS with real bytes."""

from collections.abc import Iterator

import pytest

from component.simulated_cloud import Cloud, running_cloud
from contract.vault_harness import FakeWorld, RealWorld, VaultWorld
from hotdesk.api.v1alpha1 import BackupMethod

METHODS: list[BackupMethod] = ["S3Archive", "EBSSnapshot"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("aws")) as cloud, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield cloud


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[VaultWorld]:
    if request.param == "fake":
        world: VaultWorld = FakeWorld()
    else:
        cloud: Cloud = request.getfixturevalue("cloud")
        cloud.reset()
        world = RealWorld(cloud)
    yield world
    world.close()


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> BackupMethod:
    return request.param


def test_files_come_back_on_another_machine_in_another_zone(world: VaultWorld, method: BackupMethod):
    one = world.launch(zone=0)
    world.write(one, "/home/ada/engine/notes.txt", "as they were")
    world.write(one, "/home/ada/.profile", "hidden")
    world.ready(one, method)
    job = world.backup_job(one, world.backup(method))
    kept = world.back_up(job)
    world.kill(one)
    other = world.launch(zone=1)
    assert world.instance(other).zone != job.zone
    world.restore(world.restore_job(other, job, kept))
    assert world.files(other) == {"/home/ada/engine/notes.txt": "as they were", "/home/ada/.profile": "hidden"}
