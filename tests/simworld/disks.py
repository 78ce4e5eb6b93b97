"""Files as they really are: a directory for each disk and snapshot, archives in S3, and the product's own vault."""

import io
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from fakes.vault import Saved
from hotdesk.adapters.aws.vault import AwsVault, manifests, marks
from hotdesk.adapters.aws.vault.jobs import moment
from hotdesk_local.aws.ebs_model import SnapshotState
from hotdesk_local.aws.ebs_snapshots import _shown
from simworld.aws import SimAws
from simworld.awsclients import AwsLine
from simworld.network import Network
from simworld.process import Process
from simworld.timeline import Timeline
from simworld.trace import Trace

FILES = "files"
"""The bucket of archives."""
_SIZE = 20_000  # bytes of a file


class Disks:
    """What `Files` is, with real bytes below a folder and the real vault: see there."""

    def __init__(self, aws: SimAws, line: AwsLine, timeline: Timeline, trace: Trace, *, root: Path) -> None:
        self.network = Network(timeline, patience=1.0)  # nothing goes this way: the vault calls AWS
        self.root = root
        self._aws = aws
        self._line = line
        self._trace = trace
        aws.perform("s3", "CreateBucket", {"Bucket": FILES})

    @property
    def store(self) -> "Disks":
        """Where backups are."""
        return self

    @property
    def _kept_tree(self) -> Path:
        return self.root.with_name(f"{self.root.name} as it was")

    def take_over(self, other: "Disks") -> None:
        """Put the folder back as the other world has left it."""
        assert self.root == other.root, "volumes and objects know where their bytes are"
        if not self._kept_tree.exists():
            shutil.copytree(self.root, self._kept_tree, symlinks=True)
        shutil.rmtree(self.root)
        shutil.copytree(self._kept_tree, self.root, symlinks=True)

    def disk(self, machine: str) -> Mapping[str, str]:
        """Return the files on a machine's disk, each as the text it was made of; none once the disk is gone."""
        return _files_below(self._aws.world.storage.blocks.disk(machine))

    def write(self, machine: str, path: str, text: str) -> None:
        """Write a file that is made of a text."""
        self._trace.add("people", f"write {text} to {path} on {machine}")
        file = self._aws.world.storage.blocks.disk(machine) / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes_of(text))

    @property
    def saved(self) -> dict[str, Saved]:
        """Every verified backup, by its id."""
        return {saved.kept.id: saved for saved in (*self._snapshots(), *self._archives())}

    def backups_of(self, uid: str) -> list[Saved]:
        """Return the verified backups of a workspace, the oldest first."""
        return sorted((s for s in self.saved.values() if s.kept.uid == uid), key=lambda s: s.kept.completed_at)

    def vault(self, process: Process, *, gate: Callable[[], None]) -> AwsVault:
        """Return the real vault of one process."""
        return AwsVault(self._line.calls(process, gate=gate))

    def _snapshots(self) -> list[Saved]:
        storage = self._aws.world.storage
        found = []
        for snapshot in storage.snapshots.values():
            shown = _shown(snapshot)
            tags = marks.read(shown["Tags"])
            if snapshot.state is SnapshotState.COMPLETED and marks.BACKUP in tags:
                job = _job(tags["hotdesk.dev/instance"], 0, moment(tags["hotdesk.dev/launched-at"]))
                found.append(Saved(marks.kept(shown), job, _files_below(storage.blocks.snapshot(snapshot.id))))
        return found

    def _archives(self) -> list[Saved]:
        objects = self._aws.world.s3.bucket(FILES).objects
        content = {key: b"".join(stored.content.chunks()) for key, stored in objects.items()}
        told = [manifests.read(body) for key, body in content.items() if key.endswith(manifests.SUFFIX)]
        whole = [one for one in told if len(content.get(one.archive, b"")) == one.size]
        return [
            Saved(manifests.kept(one), _job(one.instance, one.slot, one.launched_at), _files_in(content[one.archive]))
            for one in whole
        ]


def bytes_of(text: str) -> bytes:
    """Return the content of a file that is made of a text: all kinds of bytes, others for each text."""
    return text.encode() + b"\n" + Random(text).randbytes(_SIZE)  # noqa: S311  # no secret


def _text_of(content: bytes) -> str:
    """Return the text of which a file was made, if every byte of it is as it was."""
    text = content.partition(b"\n")[0].decode(errors="replace")
    return text if content == bytes_of(text) else f"{text!r}, damaged: {len(content)} bytes"


def _files_below(folder: Path) -> dict[str, str]:
    found = ((file, file.relative_to(folder)) for file in (folder / "home").rglob("*") if file.is_file())
    return {f"/{name}": _text_of(file.read_bytes()) for file, name in found}


def _files_in(archive: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        files = {member.name: packed.extractfile(member) for member in packed.getmembers() if member.isfile()}
        return {f"/{name}": _text_of(file.read()) for name, file in files.items() if file is not None}


def _job(instance: str, slot: int, launched_at: Any) -> Any:
    return SimpleNamespace(instance=instance, slot=slot, launched_at=launched_at)
