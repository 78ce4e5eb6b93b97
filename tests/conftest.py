"""Fixtures of every test: a real API server, its kubectl, a namespace of one's own."""

import gc
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from hotdesk_local.controlplane.binaries import Binaries, find_or_build
from hotdesk_local.controlplane.crds import apply_crds, find_crds
from hotdesk_local.controlplane.plane import ControlPlane

_namespaces = count(1)
_LONG_FIRST = ("laws", "chaos", "e2e", "contract", "fuzz", "component")  # folders; all others come after them


def pytest_configure() -> None:
    """Have Ctrl-C end what tests start: a shell that runs pytest in the background has all its children ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Hand the long modules out first where workers share them, so that no worker is alone with one at the end."""
    if hasattr(config, "workerinput"):
        order = {folder: number for number, folder in enumerate(_LONG_FIRST)}
        items.sort(key=lambda item: order.get(item.path.relative_to(Path(__file__).parent).parts[0], len(order)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the control plane before the first test: it takes minutes once, and no test's deadline is about that."""
    if session.config.option.collectonly:
        return
    if any("binaries" in getattr(item, "fixturenames", ()) for item in session.items):
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            find_or_build()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried, where a test alone does not show it."""
    reports = [report for found in terminalreporter.stats.values() for report in found if hasattr(report, "when")]
    tried = Counter[str]()
    for report in reports:
        if report.when == "call":
            tried.update({name: value for name, value in report.user_properties if isinstance(value, int)})
    for name, value in sorted(tried.items()):
        terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(autouse=True, scope="module")
def _module_leaves_nothing_open() -> Iterator[None]:
    """Fail the module whose own fixtures left a socket or a file open."""
    yield
    gc.unfreeze()
    _find_what_is_open()


@pytest.fixture(autouse=True)
def _leaves_nothing_open(_module_leaves_nothing_open: None) -> Iterator[None]:
    """Fail the test that left a socket or a file open: Python warns when it collects it, in whatever test that is."""
    yield
    _find_what_is_open()


def _find_what_is_open() -> None:
    # What is alive now is not looked at again: a thousandth of a second instead of a tenth, and a quicker collector.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Binaries]:
    """etcd, kube-apiserver and kubectl; what tests start of them below pytest's folder ends when pytest does."""
    command = [sys.executable, Path(__file__).with_name("guard.py"), tmp_path_factory.getbasetemp()]
    # In a session of its own: a signal to the test run's group must not take the guard along.
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
        yield find_or_build()


@pytest.fixture(scope="session")
def controlplane(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real API server with the CRDs of the checkout, one for all tests of this worker; nobody may stop it."""
    plane = ControlPlane.start(tmp_path_factory.mktemp("controlplane"), binaries=binaries)
    try:
        if any(find_crds().glob("*.yaml")):
            apply_crds(plane, folder=find_crds())
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def kubectl(controlplane: ControlPlane):
    """Run kubectl against the shared API server: `kubectl("get", "ws", check=False)`."""
    return controlplane.kubectl


@pytest.fixture
def namespace(controlplane: ControlPlane) -> str:
    """A namespace no other test uses. It stays: no controller that could empty it runs here."""
    name = f"test-{next(_namespaces)}"
    controlplane.kubectl("create", "namespace", name)
    return name


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]
