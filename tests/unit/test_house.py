"""The rules of the house, each run by the tool that checks it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hotdesk.adapters.metrics import PrometheusMetrics
from hotdesk.gateway.metrics import GatewayMetrics
from hotdesk.settings import GatewaySettings, Settings

ROOT = Path(__file__).parents[2]
TOOLS = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "layers": ("lint-imports", "--no-cache"),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tree_passes(tool):
    program, *arguments = TOOLS[tool]
    command = [str(Path(sys.executable).parent / program), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_operator_folder_does_not_shadow_the_standard_library():
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_every_make_command_of_the_texts_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    named = {
        name
        for text in texts
        for name in re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", text.read_text(), re.MULTILINE)
    }
    assert {a or b for a, b in named} <= targets


def test_every_link_of_the_texts_leads_somewhere():
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    broken = [
        f"{text.relative_to(ROOT)}: {link}"
        for text in texts
        for link in re.findall(r"\]\(([^)#:]+)\)", text.read_text())
        if not (text.parent / link).exists()
    ]
    assert not broken


def test_every_setting_is_documented():
    page = (ROOT / "docs" / "operations.md").read_text()
    names = {**Settings.model_fields, **GatewaySettings.model_fields}
    missing = [name for name in names if f"`HOTDESK_{name.upper()}`" not in page]
    assert not missing


def test_every_metric_is_documented():
    page = (ROOT / "docs" / "operations.md").read_text()
    registries = (PrometheusMetrics().registry, GatewayMetrics().registry)
    families = {family.name for registry in registries for family in registry.collect()}
    families = {name for name in families if name.startswith("hotdesk_")}
    assert families, "no metric found"
    assert not [name for name in families if name not in page]
