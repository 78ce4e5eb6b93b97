"""What the vault writes for machines, S3 and EC2, and reads back: scripts, manifests, tags, names."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.adapters.aws.vault import jobs, manifests, marks, scripts
from hotdesk.adapters.aws.vault.bucket import sum_in_s3s_words
from hotdesk.adapters.aws.vault.folders import Place
from hotdesk.adapters.aws.vault.manifests import Manifest
from hotdesk.api.v1alpha1 import Backup, ClaimedBy
from hotdesk.core.backups import BackupJob, RestoreJob
from hotdesk.core.encoding import TAG_VALUE_LIMIT

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
WHO = ClaimedBy(namespace="lab", name="desk", uid="u-1")
SUM = "ab" * 32
JOB = BackupJob(
    instance="i-1",
    zone="z",
    launched_at=NOW,
    slot=0,
    workspace=WHO,
    owner="ada",
    pool="blue",
    backup=Backup(method="EBSSnapshot"),
    not_before=NOW,
    is_running=False,
)
RESTORE = RestoreJob(
    instance="i-1",
    zone="z",
    slot=0,
    workspace=WHO,
    claimed_at=NOW,
    pool="blue",
    backup=JOB.backup,
    kept_id="snap-1",
    owner="ada",
)
owners = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=128)
A_SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "change",
    [{"instance": "i-2"}, {"launched_at": NOW + A_SECOND}, {"slot": 1}, {"not_before": NOW + A_SECOND / 1000}],
)
def test_another_job_has_another_name(change):
    assert jobs.backup_name(replace(JOB, **change)) != jobs.backup_name(JOB)


def test_the_same_job_has_the_same_name_whatever_else_changes():
    same = replace(JOB, pool="red", zone="y", owner="bob", is_running=True, launched_at=NOW.astimezone())
    assert jobs.backup_name(same) == jobs.backup_name(JOB)


@pytest.mark.parametrize(
    "change", [{"instance": "i-2"}, {"slot": 1}, {"claimed_at": NOW + A_SECOND / 1000}, {"kept_id": "snap-2"}]
)
def test_another_restore_has_another_name(change):
    assert jobs.restore_name(replace(RESTORE, **change)) != jobs.restore_name(RESTORE)


def test_names_sort_by_when_they_were_asked_for():
    later = replace(JOB, not_before=NOW + timedelta(days=1))
    assert jobs.backup_name(JOB) < jobs.backup_name(later)


@given(owners)
def test_a_snapshots_tags_say_whose_it_is(owner: str):
    tags = marks.of_backup(replace(JOB, owner=owner), "name")
    assert all(len(value) <= TAG_VALUE_LIMIT for value in tags.values())
    shown = {
        "SnapshotId": "snap-1",
        "StartTime": NOW,
        "VolumeSize": 8,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    kept = marks.kept(shown)
    assert (kept.owner, kept.namespace, kept.workspace, kept.uid) == (owner, "lab", "desk", "u-1")


@given(owner=owners, size=st.integers(1), paths=st.lists(st.text()))
def test_a_manifest_reads_back_as_it_was_written(owner: str, size: int, paths: list[str]):
    manifest = Manifest(
        archive="k.tar.gz",
        namespace="lab",
        workspace="desk",
        uid="u-1",
        owner=owner,
        pool="blue",
        instance="i-1",
        slot=0,
        launched_at=NOW,
        not_before=NOW,
        began_at=NOW,
        completed_at=NOW,
        size=size,
        sha256=SUM,
        parts=(SUM,),
        paths=tuple(paths),
        has_changed=False,
    )
    assert manifests.read(manifests.write(manifest)) == manifest


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"7", b"\xff", b'{"archive": 1}'])
def test_what_is_no_manifest_is_said_to_be_none(content: bytes):
    with pytest.raises(ValueError):  # noqa: PT011  # whichever: json's own, or ours
        manifests.read(content)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "null",
        "7",
        "{}",
        "[]",
        '{"size":1e999,"sha256":"x","parts":[],"there":[],"changed":false}',
        f'{{"size":1,"sha256":"{SUM}","parts":[],"there":[],"changed":false}}',
        f'{{"size":1,"sha256":"../../{SUM}","parts":["{SUM}"],"there":[],"changed":false}}',
        f'{{"size":1,"sha256":"{SUM}","parts":["x"],"there":[],"changed":false}}',
        f'{{"size":1,"sha256":"{SUM}","parts":["{SUM}"],"there":[2],"changed":false}}',
        f'{{"size":1,"sha256":"{SUM}","parts":["{SUM}"],"there":[-1],"changed":false}}',
    ],
)
def test_machine_that_says_nonsense_is_not_believed(output: str):
    with pytest.raises(ValueError, match="did not write"):
        scripts.packed(output, folders=2)


SAME = Place("home", ("home",))
MOVED = Place("home/o'b/team/b", ("home/o'b/team/a", "home/o'b"))


@given(owners)
def test_no_owner_can_break_out_of_a_script(owner: str):
    script = scripts.pack(job="job", folders=[f"home/{owner}"], part_size=scripts.MEBIBYTE)
    assert "{{" not in script
    said = script.split("for folder in ")[1].split("; do\n")[0] if "; do\n" not in owner else None
    if said is not None:
        shown = subprocess.run(["sh", "-c", f"printf %s {said}"], capture_output=True, check=True)
        assert shown.stdout.decode() == f"home/{owner}"


@pytest.mark.parametrize(
    "script",
    [
        scripts.pack(job="j", folders=["home"], part_size=scripts.MEBIBYTE),
        scripts.upload(job="j", put=scripts.Put("https://x?a&b", ("a: b",))),
        scripts.upload_parts(job="j", puts={1: scripts.Put("https://x", ())}, part_size=scripts.MEBIBYTE),
        scripts.unpack(job="j", url="https://x", sha256=SUM, places=[SAME, MOVED]),
        scripts.copy(job="j", volume="vol-1", device="/dev/sdf", places=[SAME, MOVED]),
        scripts.flush(job="j"),
    ],
)
def test_scripts_are_posix_shell(script: str):
    subprocess.run(["sh", "-n", "-c", script], check=True)


def test_checksums_are_written_as_s3_shows_them():
    """The figure is that of `openssl dgst -sha256 -binary </dev/null | base64`."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sum_in_s3s_words([empty]) == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert sum_in_s3s_words([empty, empty]).endswith("=-2")
