"""The `hotdesk` command: what it offers, and what it says where a part is not installed."""

import subprocess
import sys
import sysconfig
from pathlib import Path

_HOTDESK = Path(sysconfig.get_path("scripts")) / "hotdesk"


def test_help_lists_every_command():
    shown = subprocess.run([_HOTDESK, "--help"], capture_output=True, text=True, check=True).stdout
    listed = shown.partition("Commands:")[2].split()
    assert {"operator", "crds", "local"} <= set(listed)


def test_written_crds_are_those_of_the_checkout(tmp_path, checkout):
    subprocess.run([_HOTDESK, "crds", "--out", tmp_path / "made"], check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "made").iterdir()}
    kept = {path.name: path.read_text() for path in (checkout / "crds").glob("*.yaml")}
    assert {name: text for name, text in made.items() if name.endswith(".yaml")} == kept


def test_printed_crds_are_one_stream(checkout):
    shown = subprocess.run([_HOTDESK, "crds"], capture_output=True, text=True, check=True).stdout
    assert shown.count("\nkind: CustomResourceDefinition\n") == len(list((checkout / "crds").glob("*.yaml")))


def test_local_without_the_libraries_it_imports_says_what_to_install():
    refused = _run_without("cryptography")
    assert refused.returncode == 1
    assert "needs cryptography, which is not installed: pip install 'hotdesk[local]'" in refused.stderr


def test_local_without_the_libraries_its_programs_import_says_what_to_install():
    refused = _run_without("moto")
    assert refused.returncode == 1
    assert "needs moto: pip install 'hotdesk[local]'" in refused.stderr


def _run_without(library: str) -> "subprocess.CompletedProcess[str]":
    program = f"import sys; sys.modules[{library!r}] = None; from hotdesk.cli import main; main(['local', 'up'])"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
