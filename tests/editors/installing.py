"""Real editors, installed once into the user's cache: a Jupyter server from PyPI, code-server from npm.

What fails says what is missing: these tests are there to be run, not to be skipped.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

JUPYTER = ("jupyter-server==2.21.1", "ipykernel==7.1.0")
# By Node's major version; each needs exactly that one. The recipe was tried with Node 20.
CODE_SERVERS: Mapping[int, str] = {20: "4.100.3", 22: "4.117.0", 24: "4.139.1"}
# What the server loads at its start and npm has to build. Others (terminals, Kerberos) are loaded when they are used.
_BUILT = {".": ("argon2",), "node_modules/code-server/lib/vscode": ("@vscode/spdlog", "@vscode/native-watchdog")}
_MINUTES = 15 * 60  # seconds that one step may take


def jupyter() -> Path:
    """Return the Python that has a Jupyter server."""
    folder = _cache() / "-".join(re.sub(r"[^a-z0-9.]+", "-", name) for name in JUPYTER)
    python = folder / "bin" / "python"
    with _once(folder) as is_missing:
        if is_missing:
            uv = Path(sys.executable).with_name("uv")
            _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder, why="uv comes with `make`")
            _run(uv, "pip", "install", "--quiet", "--python", python, *JUPYTER, why="PyPI must be reached")
    return python


def code_server() -> list[str | Path]:
    """Return the command that starts a code-server."""
    node, version = _node()
    folder = _cache() / f"code-server-{version}"
    home = folder / "node_modules" / "code-server"
    entry = home / "out" / "node" / "entry.js"
    with _once(folder) as is_missing:
        if is_missing:
            install = ("install", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund")
            registry = "npm's registry must be reached"
            _npm(*install, "--prefix", folder, f"code-server@{version}", cwd=folder, why=registry)
            _npm(*install, cwd=home / "lib" / "vscode", why=registry)
            for part, names in _BUILT.items():
                tools = "it needs a C++ compiler, make, Python and Node's headers"
                _npm("rebuild", *names, cwd=folder / part, why=tools)
            _run(node, entry, "--version", "--config", folder / "config.yaml", why="something of it was not built")
    return [node, entry]


def _node() -> tuple[str, str]:
    """Return Node, and the code-server that runs on it."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        pytest.fail(f"code-server needs node ({_majors()}) and npm on the PATH; they are not there", pytrace=False)
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    major = int(shown.strip().removeprefix("v").partition(".")[0])
    if major not in CODE_SERVERS:
        pytest.fail(f"code-server is known to run on Node {_majors()}; this is {shown.strip()}", pytrace=False)
    return node, CODE_SERVERS[major]


def _majors() -> str:
    return ", ".join(map(str, CODE_SERVERS))


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]  # one that was made by another is not used
    return (Path(home) if home else Path.home() / ".cache") / "hotdesk" / "editors" / recipe


@contextmanager
def _once(folder: Path) -> Iterator[bool]:
    """Say whether this folder is still to be filled; what was begun and not ended is begun anew."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    ready = folder / ".ready"
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.exists():
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield True
        ready.touch()


def _npm(*arguments: str | Path, cwd: Path, why: str) -> None:
    _run("npm", *arguments, cwd=cwd, why=why)


def _run(*command: str | Path, why: str, cwd: Path | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_MINUTES
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-2000:]
        pytest.fail(f"{' '.join(map(str, command))}\ndid not work: {why}. It said:\n{said}", pytrace=False)
