"""What the environment may say, and what holds where it says nothing."""

import pytest
from pydantic import ValidationError

from hotdesk.settings import Settings


def test_a_pod_shares_under_its_own_name_in_its_own_namespace(monkeypatch):
    monkeypatch.setenv("POD_NAME", "hotdesk-6d4f9-abcde")
    monkeypatch.setenv("POD_NAMESPACE", "hotdesk-system")
    assert (Settings().replica, Settings().lease_namespace) == ("hotdesk-6d4f9-abcde", "hotdesk-system")
    assert Settings().share


def test_a_person_has_the_last_word(monkeypatch):
    monkeypatch.setenv("POD_NAME", "hotdesk-6d4f9-abcde")
    monkeypatch.setenv("HOTDESK_REPLICA", "mine")
    monkeypatch.setenv("POD_NAMESPACE", "hotdesk-system")
    monkeypatch.setenv("HOTDESK_LEASE_NAMESPACE", "elsewhere")
    monkeypatch.setenv("HOTDESK_SHARE", "false")
    settings = Settings()
    assert (settings.replica, settings.lease_namespace, settings.share) == ("mine", "elsewhere", False)


def test_two_processes_of_one_computer_have_names_of_their_own(monkeypatch):
    monkeypatch.delenv("POD_NAME", raising=False)
    monkeypatch.delenv("HOTDESK_REPLICA", raising=False)
    monkeypatch.setattr("socket.gethostname", lambda: "Ada's_Laptop.local")
    names = {Settings().replica for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("ada-s-laptop-local-") for name in names)
    assert Settings().lease_namespace == "default"


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", "-a", "a" * 201])
def test_a_name_that_no_lease_can_have_is_refused(monkeypatch, name):
    monkeypatch.setenv("HOTDESK_REPLICA", name)
    with pytest.raises(ValidationError, match="HOTDESK_REPLICA"):
        Settings()
