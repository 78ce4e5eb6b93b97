"""What the Store says when the API server does not let us: only the real one decides about permissions."""

import asyncio
from dataclasses import replace

import pytest

from hotdesk.adapters.kube.connection import find_connection
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.api.v1alpha1 import Machine
from hotdesk.ports import Denied


@pytest.mark.stack
def test_missing_permission_is_named(controlplane, namespace: str, monkeypatch: pytest.MonkeyPatch):
    controlplane.kubectl("create", "serviceaccount", "nobody", "--namespace", namespace)
    kubeconfig = controlplane.kubeconfig_for(namespace=namespace, service_account="nobody")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))

    async def scenario() -> None:
        async with KubeSession(find_connection()) as session:
            store = KubeStore(session)
            with pytest.raises(Denied, match=r"may not list machines.*cannot list resource"):
                await store.list_machines()
            with pytest.raises(Denied, match="may not get machinepools demo"):
                await store.fetch_pool(name="demo")
            with pytest.raises(Denied, match="may not delete machines i-00000000"):
                await store.delete_machine(Machine.model_validate(_machine_wire("i-00000000")))

    asyncio.run(scenario())


@pytest.mark.stack
def test_credentials_that_are_not_accepted_are_denied(controlplane, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", str(controlplane.kubeconfig))
    connection = find_connection()
    stranger = replace(connection, info=replace(connection.info, token="made-up"))

    async def scenario() -> None:
        async with KubeSession(stranger) as session:
            with pytest.raises(Denied, match="does not accept our credentials"):
                await KubeStore(session).list_machines()

    asyncio.run(scenario())


def _machine_wire(name: str) -> dict[str, object]:
    spec = {"pool": "contract", "providerID": f"aws:///eu-central-1a/{name}", "slots": 1}
    return {"metadata": {"name": name, "uid": "00000000-0000", "resourceVersion": "1"}, "spec": spec}
