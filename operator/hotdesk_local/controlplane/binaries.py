"""Where etcd, kube-apiserver and kubectl come from: KUBEBUILDER_ASSETS, or built once into the user's cache."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hotdesk_local.controlplane.compiling import SCRATCH, Program, compile_program
from hotdesk_local.controlplane.toolchain import find_go
from hotdesk_local.errors import LocalStackError
from hotdesk_local.progress import Progress

KUBERNETES_VERSION = "v1.37.2"

# Unstamped, the API server calls itself v0.0.0-master and kubectl warns about the skew.
_KUBERNETES_STAMP = f"-X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}"
# Quickest first: whoever interrupts early has still won something.
_PROGRAMS = (
    Program(name="etcd", module="etcd", package="go.etcd.io/etcd/server/v3", link_flags="-s -w"),
    Program(
        name="kube-apiserver",
        module="kube",
        package="k8s.io/kubernetes/cmd/kube-apiserver",
        link_flags=f"-s -w {_KUBERNETES_STAMP}",
    ),
    Program(
        name="kubectl",
        module="kube",
        package="k8s.io/kubernetes/cmd/kubectl",
        link_flags=f"-s -w {_KUBERNETES_STAMP}",
    ),
)


@dataclass(frozen=True)
class Binaries:
    """The three programs of the control plane, all in one folder."""

    folder: Path

    @property
    def etcd(self) -> Path:
        """The database."""
        return self.folder / "etcd"

    @property
    def kube_apiserver(self) -> Path:
        """The API server."""
        return self.folder / "kube-apiserver"

    @property
    def kubectl(self) -> Path:
        """A kubectl of the API server's own version."""
        return self.folder / "kubectl"


def find_or_build(*, progress: Progress | None = None) -> Binaries:
    """Return the programs, building first what is missing (about five minutes on two cores, once).

    Safe to interrupt and to run twice at once: each program appears complete or not at all, and Go's own cache
    keeps what was compiled.
    """
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        return _checked(Path(assets))
    sources = find_sources()
    folder = cache_folder(sources=sources)
    if not _missing(folder):
        return Binaries(folder=folder)
    progress = progress or Progress()
    folder.mkdir(parents=True, exist_ok=True)
    with _only_one(folder, progress=progress):
        # What a build left behind that was killed without a chance to clean up.
        for scratch in folder.glob(f"{SCRATCH}*"):
            shutil.rmtree(scratch, ignore_errors=True)
        # Looked at again under the lock: the build that held it before may have made everything.
        missing = _missing(folder)
        go = find_go() if missing else None
        for program in missing:
            assert go is not None  # noqa: S101  # there is one whenever something is missing
            compile_program(program, go=go, sources=sources, folder=folder, progress=progress)
    return Binaries(folder=folder)


def find_sources() -> Path:
    """Return `deploy/local` of the checkout this package is installed from."""
    sources = Path(__file__).resolve().parents[3] / "deploy" / "local"
    if all((sources / module / "go.mod").is_file() for module in ("kube", "etcd")):
        return sources
    raise LocalStackError(
        f"{sources} does not hold the Go modules of the control plane: the local stack builds it from a checkout. "
        "Clone the repository and install it with `pip install -e '.[local]'`, "
        "or set KUBEBUILDER_ASSETS to a folder that holds etcd, kube-apiserver and kubectl."
    )


def cache_folder(*, sources: Path) -> Path:
    """Return the folder for exactly these versions, so that a change of version builds anew beside the old one."""
    digest = hashlib.sha256(repr(_PROGRAMS).encode())
    for module in ("kube", "etcd"):
        for name in ("go.mod", "go.sum"):
            digest.update((sources / module / name).read_bytes())
    home = os.environ.get("XDG_CACHE_HOME")
    cache = Path(home) if home else Path.home() / ".cache"
    return cache / "hotdesk" / "controlplane" / digest.hexdigest()[:16]


def _checked(folder: Path) -> Binaries:
    absent = [program.name for program in _missing(folder)]
    if absent:
        raise LocalStackError(
            f"KUBEBUILDER_ASSETS is {folder}, which does not hold {', '.join(absent)}. "
            "Point it at a folder with etcd, kube-apiserver and kubectl, or unset it and they are built here."
        )
    return Binaries(folder=folder)


def _missing(folder: Path) -> list[Program]:
    return [program for program in _PROGRAMS if not os.access(folder / program.name, os.X_OK)]


@contextmanager
def _only_one(folder: Path, *, progress: Progress) -> Iterator[None]:
    """Hold the folder's lock; it goes with the process, so a killed build never leaves it behind."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.step("waiting for another build of the control plane"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
