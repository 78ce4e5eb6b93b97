"""The bytes of volumes and snapshots: directories, moved where a guest sees them, copied when they are kept."""

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNTS = "mnt"
"""Where a machine's disk shows the volumes attached beside its root: `mnt/<volume id>/`."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Folders below `root`: `disks/<instance>`, `volumes/<volume>` while attached nowhere, `snapshots/<id>`.

    A volume is its directory: attaching moves it into the machine's disk, detaching moves it out. So whoever deletes
    a file below the mount deletes it on the volume, and a link cannot be followed by mistake.
    """

    root: Path

    def disk(self, instance_id: str) -> Path:
        """Return where a machine's files are."""
        return self.root / "disks" / instance_id

    def mount(self, instance_id: str, volume_id: str) -> Path:
        """Return where a machine sees a volume that is not its root."""
        return self.disk(instance_id) / MOUNTS / volume_id

    def loose(self, volume_id: str) -> Path:
        """Return where a volume is that no machine holds."""
        return self.root / "volumes" / volume_id

    def snapshot(self, snapshot_id: str) -> Path:
        """Return where a snapshot is."""
        return self.root / "snapshots" / snapshot_id

    def create(self, place: Path, *, snapshot_id: str | None) -> None:
        """Make a volume at `place`, empty or with a snapshot's files."""
        if snapshot_id is None:
            place.mkdir(parents=True)
        else:
            copy(self.snapshot(snapshot_id), place, without=())

    def move(self, source: Path, target: Path) -> None:
        """Attach or detach: take a volume's files from one place to the other."""
        source.mkdir(parents=True, exist_ok=True)  # a guest may have removed the directory itself
        if target.exists():
            shutil.rmtree(target)  # what a guest left where the volume is mounted is hidden by it
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)

    def erase(self, place: Path) -> None:
        """Lose what is there."""
        shutil.rmtree(place, ignore_errors=True)

    def keep(self, place: Path, snapshot_id: str, *, without: Collection[Path]) -> None:
        """Copy a volume's files into a snapshot. Raises OSError for what cannot be read."""
        copy(place, self.snapshot(snapshot_id), without=without)

    def make_folder(self, place: Path) -> None:
        """Make sure that a folder is there."""
        place.mkdir(parents=True, exist_ok=True)

    def clear(self) -> None:
        """Remove everything: the simulator's state ends with its process, and nobody remembers these."""
        for folder in ("disks", "volumes", "snapshots", "s3"):
            self.erase(self.root / folder)
            (self.root / folder).mkdir(parents=True)


class NoBytes(Blocks):
    """Volumes without files, for worlds of which only the records matter."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))

    def create(self, place: Path, *, snapshot_id: str | None) -> None:
        """Do nothing."""

    def move(self, source: Path, target: Path) -> None:
        """Do nothing."""

    def erase(self, place: Path) -> None:
        """Do nothing."""

    def keep(self, place: Path, snapshot_id: str, *, without: Collection[Path]) -> None:
        """Do nothing."""

    def make_folder(self, place: Path) -> None:
        """Do nothing."""

    def clear(self) -> None:
        """Do nothing."""


def copy(source: Path, target: Path, *, without: Collection[Path]) -> None:
    """Copy files, folders and links as they are now; `without` names folders left out (other volumes' mounts).

    What vanishes under way is left out, sockets and pipes too. Raises OSError for what cannot be read.
    """
    target.mkdir(parents=True)
    for entry in _entries(source):
        to = target / entry.name
        if entry.is_symlink():
            to.symlink_to(Path(entry.path).readlink())
        elif entry.is_dir():
            if Path(entry.path) not in without:
                copy(Path(entry.path), to, without=without)
        elif entry.is_file():
            _copy_file(entry.path, to)
    if source.is_dir():
        shutil.copystat(source, target)


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)


def _copy_file(source: str, target: Path) -> None:
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        target.unlink(missing_ok=True)
