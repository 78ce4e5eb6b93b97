"""The control plane is built once, completely or not at all, with words a person can use when it fails."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hotdesk_local.controlplane import binaries as binaries_module
from hotdesk_local.controlplane.binaries import cache_folder, find_or_build, find_sources
from hotdesk_local.controlplane.compiling import Program
from hotdesk_local.errors import LocalStackError
from hotdesk_local.progress import Progress
from waiting import wait_for

_SMALL = tuple(
    Program(name=name, module=module, package=f"example.com/{module}/{name}", link_flags="-s -w")
    for name, module in (("etcd", "etcd"), ("kube-apiserver", "kube"), ("kubectl", "kube"))
)
_HELLO = 'package main\n\nfunc main() { println("hello") }\n'
# The same builder with small programs in place of the real ones, as a process of its own.
_BUILD = """
import sys
from pathlib import Path
from hotdesk_local.controlplane import binaries
from hotdesk_local.controlplane.compiling import Program
binaries.find_sources = lambda: Path(sys.argv[1])
binaries._PROGRAMS = tuple(Program(*row.split("|")) for row in sys.argv[2:])
print(binaries.find_or_build().folder)
"""


@pytest.fixture
def sources(tmp_path, tmp_path_factory, monkeypatch):
    """A stand-in for deploy/local with programs that compile in a moment, and an empty cache."""
    folder = tmp_path / "sources"
    for program in _SMALL:
        package = folder / program.module / program.name
        package.mkdir(parents=True)
        (package / "main.go").write_text(_HELLO)
        (folder / program.module / "go.mod").write_text(f"module example.com/{program.module}\n\ngo 1.26.0\n")
        (folder / program.module / "go.sum").write_text("")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Go's own library is compiled once for all tests of this module.
    monkeypatch.setenv("GOCACHE", str(tmp_path_factory.getbasetemp() / "go-build"))
    monkeypatch.setattr(binaries_module, "find_sources", lambda: folder)
    monkeypatch.setattr(binaries_module, "_PROGRAMS", _SMALL)
    return folder


@pytest.mark.usefixtures("sources")
def test_programs_are_built_once_and_run():
    said = io.StringIO()
    built = find_or_build(progress=Progress(stream=said))
    assert subprocess.run([built.kubectl], capture_output=True, text=True, check=True).stderr == "hello\n"
    assert "building kube-apiserver: done" in said.getvalue()
    again = io.StringIO()
    assert find_or_build(progress=Progress(stream=again)) == built
    assert again.getvalue() == ""


def test_changed_versions_are_built_beside_the_old_ones(sources):
    before = cache_folder(sources=sources)
    (sources / "kube" / "go.sum").write_text("another version\n")
    assert cache_folder(sources=sources) != before


def test_two_builds_at_once_make_one_result(sources):
    running = [_build_apart(sources) for _ in range(2)]
    folders = {process.communicate(timeout=120)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(folders) == 1
    assert sorted(path.name for path in Path(folders.pop()).iterdir()) == ["etcd", "kube-apiserver", "kubectl", "lock"]


def test_interrupted_build_leaves_nothing_half_made_and_goes_on_later(sources):
    # A package that compiles for very long: sixty thousand lines that depend on each other.
    slow = sources / "kube" / "kubectl" / "slow.go"
    lines = "\n".join(f"func f{n}(x [9]int) [9]int {{ x[{n % 9}] += {n}; return f{n + 1}(x) }}" for n in range(60_000))
    slow.write_text(f"package main\n\n{lines}\nfunc f60000(x [9]int) [9]int {{ return x }}\n")
    folder = cache_folder(sources=sources)
    process = _build_apart(sources)
    wait_for(lambda: list(folder.glob(".building-kubectl-*")), what="kubectl is being compiled", within=60)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert sorted(path.name for path in folder.iterdir()) == ["etcd", "kube-apiserver", "lock"]
    slow.unlink()
    kept = (folder / "etcd").stat().st_mtime_ns
    find_or_build(progress=Progress(stream=io.StringIO()))
    assert os.access(folder / "kubectl", os.X_OK)
    assert (folder / "etcd").stat().st_mtime_ns == kept


def test_remains_of_a_killed_build_are_removed(sources):
    remains = cache_folder(sources=sources) / ".building-etcd-x7"
    remains.mkdir(parents=True)
    (remains / "etcd").touch()
    find_or_build(progress=Progress(stream=io.StringIO()))
    assert not remains.exists()


def test_failing_build_shows_what_the_compiler_said(sources):
    (sources / "etcd" / "etcd" / "main.go").write_text("package main\n\nfunc main() { undefinedThing() }\n")
    with pytest.raises(LocalStackError, match="undefinedThing"):
        find_or_build(progress=Progress(stream=io.StringIO()))


def test_assets_folder_is_used_as_it_is(tmp_path, monkeypatch):
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert find_or_build().folder == tmp_path


def test_assets_folder_that_lacks_a_program_is_named(tmp_path, monkeypatch):
    (tmp_path / "etcd").touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(LocalStackError, match="does not hold kube-apiserver, kubectl"):
        find_or_build()


def test_go_modules_of_the_checkout_pin_one_version_of_kubernetes():
    modules = (find_sources() / "kube" / "go.mod").read_text()
    assert f"k8s.io/kubernetes {binaries_module.KUBERNETES_VERSION}" in modules


def _build_apart(sources: Path) -> "subprocess.Popen[str]":
    rows = [f"{program.name}|{program.module}|{program.package}|{program.link_flags}" for program in _SMALL]
    return subprocess.Popen(
        [sys.executable, "-c", _BUILD, sources, *rows],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
