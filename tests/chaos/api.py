"""The API server as users and the run itself call it: one request, one answer, or none."""

import json
from typing import Any

import urllib3

from hotdesk_local.controlplane.plane import ControlPlane

Object = dict[str, Any]

HOTDESK = "/apis/hotdesk.dev/v1alpha1"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/hotdesk-system/leases"
_PATCH = "application/merge-patch+json"


class NoAnswer(Exception):  # noqa: N818  # names the fact
    """Nobody knows whether the request was carried out."""


class Api:
    """A client with the administrator's rights that tries nothing twice."""

    def __init__(self, plane: ControlPlane, *, timeout: float = 5.0) -> None:
        config = json.loads(plane.kubeconfig.read_text(encoding="utf-8"))
        cluster = config["clusters"][0]["cluster"]
        self._url = plane.url
        self._token = config["users"][0]["user"]["token"]
        self._http = urllib3.PoolManager(
            ca_certs=cluster["certificate-authority"], retries=False, timeout=timeout, maxsize=32
        )

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Object]:
        """Return status and body. Raises NoAnswer; an overloaded or starting server counts as no answer too."""
        kind = _PATCH if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        text = None if body is None else json.dumps(body)
        try:
            answer = self._http.request(method, self._url + path, headers=headers, body=text)
            said = answer.json()
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
            raise NoAnswer(f"{method} {path}: {error}") from error
        if answer.status >= 500 or answer.status == 429 or answer.status == 401:  # noqa: PLR1714
            raise NoAnswer(f"{method} {path}: {answer.status} {said.get('message')}")
        return answer.status, said

    def items(self, path: str) -> list[Object]:
        """Return the objects of a list. Raises NoAnswer."""
        status, said = self.ask("GET", path)
        if status != 200:
            raise NoAnswer(f"{path}: {status} {said.get('message')}")
        items: list[Object] = said["items"]
        return items

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()
