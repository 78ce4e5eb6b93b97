"""Machines made or changed by hand are refused; the operator's own writes and an announced emergency are not."""

import json
from pathlib import Path

import pytest

from contract.crd_samples import INSTANCE, claim, machine
from waiting import wait_for

pytestmark = pytest.mark.stack

BASE = Path(__file__).parents[2] / "deploy" / "kustomize"
OPERATOR = "system:serviceaccount:hotdesk-system:hotdesk"
SENTENCE = "Machines are written by the Hotdesk operator alone"


@pytest.fixture(scope="module", autouse=True)
def guard(kubectl):
    """The policy and the operator's role, in force until the module ends: other tests make Machines by hand."""
    parts = ("--filename", BASE / "machine-guard.yaml", "--filename", BASE / "operator-role.yaml")
    kubectl("apply", *parts)
    wait_for(lambda: SENTENCE in _create(kubectl, "--dry-run=server").stderr, what="the policy is in force")
    as_operator = ("--dry-run=server", f"--as={OPERATOR}")
    wait_for(lambda: _create(kubectl, *as_operator).returncode == 0, what="the operator has its role")
    yield
    kubectl("delete", *parts)
    wait_for(lambda: _create(kubectl, "--dry-run=server").returncode == 0, what="the policy is gone")


@pytest.fixture
def made(kubectl):
    """A Machine that the operator made."""
    assert _create(kubectl, f"--as={OPERATOR}").returncode == 0
    yield
    kubectl("delete", "mach", INSTANCE, "--ignore-not-found", f"--as={OPERATOR}")


def test_an_administrator_cannot_make_a_machine(kubectl):
    answer = _create(kubectl)
    assert answer.returncode != 0
    assert SENTENCE in answer.stderr
    assert "kubectl annotate machine NAME hotdesk.dev/break-glass=WHY" in answer.stderr


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    "spec", [{"claims": [claim()]}, {"slots": 5}, {"reap": {"reason": "Used", "at": "2026-01-01T00:00:00Z"}}]
)
def test_an_administrator_cannot_change_a_machine(kubectl, spec):
    assert SENTENCE in _patch(kubectl, {"spec": spec}, check=False).stderr


@pytest.mark.usefixtures("made")
def test_an_administrator_cannot_delete_a_machine(kubectl):
    assert SENTENCE in kubectl("delete", "mach", INSTANCE, check=False).stderr


@pytest.mark.usefixtures("made")
def test_an_administrator_can_label_a_machine(kubectl):
    kubectl("label", "mach", INSTANCE, "inspected=yes")


@pytest.mark.usefixtures("made")
def test_the_operator_claims_and_deletes(kubectl):
    _patch(kubectl, {"spec": {"claims": [claim()]}}, f"--as={OPERATOR}")
    kubectl("delete", "mach", INSTANCE, f"--as={OPERATOR}")


@pytest.mark.usefixtures("made")
def test_an_emergency_is_announced_on_the_machine_first(kubectl):
    kubectl("annotate", "mach", INSTANCE, "hotdesk.dev/break-glass=the operator is gone for good")
    _patch(kubectl, {"spec": {"claims": [claim()]}})
    kubectl("delete", "mach", INSTANCE)


@pytest.mark.usefixtures("made")
def test_an_empty_announcement_opens_nothing(kubectl):
    kubectl("annotate", "mach", INSTANCE, "hotdesk.dev/break-glass=")
    assert SENTENCE in kubectl("delete", "mach", INSTANCE, check=False).stderr


def _create(kubectl, *options):
    return kubectl("create", "--filename", "-", *options, input=json.dumps(machine()), check=False)


def _patch(kubectl, patch, *options, check=True):
    return kubectl("patch", "mach", INSTANCE, "--type=merge", "--patch", json.dumps(patch), *options, check=check)
