"""Files that come back into another folder than they were in: the scripts, run for real in a folder as the disk."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from hotdesk.adapters.aws.vault import scripts
from hotdesk.adapters.aws.vault.folders import Place

OWNERS = ["ann@example.com", "J,r.*[n] &\\\\1 'y'", "a\\nb;s,x,y,|Zoë"]


def run(script: str, disk: Path) -> None:
    disk.mkdir(exist_ok=True)
    subprocess.run(["sh", "-c", script], env={**os.environ, "HOTDESK_ROOT": str(disk)}, check=True)


def written(disk: Path, folder: str) -> None:
    """Write a file, a hard link to it and a symbolic one."""
    (disk / folder / "deep").mkdir(parents=True)
    (disk / folder / "notes").write_text("x")
    (disk / folder / "deep" / "hard").hardlink_to(disk / folder / "notes")
    (disk / folder / "deep" / "soft").symlink_to(f"/{folder}/notes")


def arrived(disk: Path, place: Place) -> bool:
    """Tell whether all of it is there, and nothing beside it; a symbolic link says what it said."""
    there = disk / place.at
    assert (there / "deep" / "hard").samefile(there / "notes")
    assert str((there / "deep" / "soft").readlink()) == f"/{place.sources[0]}/notes"
    return [child.name for child in there.parent.iterdir()] == [there.name]


def moved(owner: str) -> Place:
    return Place(f"home/{owner}/lab/third", (f"home/{owner}/lab/second", f"home/{owner}"))


@pytest.mark.parametrize("owner", OWNERS)
def test_an_archive_is_unpacked_into_another_folder(tmp_path: Path, owner: str):
    place = moved(owner)
    written(tmp_path / "old", place.sources[0])
    run(scripts.pack(job="p", folders=place.sources[:1], part_size=scripts.MEBIBYTE), tmp_path / "old")
    archive = tmp_path / "old/var/lib/hotdesk/p/archive"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    script = scripts.unpack(job="u", url=f"file://{archive}", sha256=digest, places=[place])
    run(script.replace('[ "$code" = 200 ]', "true"), tmp_path / "new")  # files are fetched without a status
    assert arrived(tmp_path / "new", place)


@pytest.mark.parametrize("owner", OWNERS)
def test_a_volume_is_copied_into_another_folder(tmp_path: Path, owner: str):
    place = moved(owner)
    written(tmp_path / "mnt/vol-1", place.sources[0])
    run(scripts.copy(job="c", volume="vol-1", device="/dev/sdf", places=[place]), tmp_path)
    assert arrived(tmp_path, place)
