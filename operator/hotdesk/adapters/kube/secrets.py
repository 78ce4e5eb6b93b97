"""The Secrets of the operator's own namespace, one at a time, by name, and not read again for a minute."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

import orjson

from hotdesk.adapters.kube.errors import check
from hotdesk.ports import Denied, HotdeskError, NotFound, Unanswered

if TYPE_CHECKING:
    from hotdesk.adapters.kube.session import KubeSession
    from hotdesk.api.v1alpha1 import SecretKey
    from hotdesk.ports import Clock

_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?", re.ASCII)
_KEPT: Final = 60.0  # seconds, so that a replaced key is in use within a minute


class KubeSecrets:
    """`ports.Secrets` over one session. Values are kept in memory for a minute and never logged."""

    def __init__(self, session: KubeSession, *, namespace: str, clock: Clock) -> None:
        self._session = session
        self._namespace = namespace
        self._clock = clock
        self._kept: dict[str, tuple[float, dict[str, str]]] = {}

    async def fetch(self, ref: SecretKey) -> str:
        """Return the value of one key. Raises NotFound, Denied or Unanswered."""
        data = await self._data(ref.name)
        if ref.key not in data:
            raise NotFound(f"Secret {self._namespace}/{ref.name} has no key {ref.key!r}: add it")
        if not (value := _text(data[ref.key])):
            raise NotFound(f"key {ref.key!r} of Secret {self._namespace}/{ref.name} holds no text")
        return value

    async def _data(self, name: str) -> dict[str, str]:
        now = self._clock.monotonic()
        self._kept = {other: kept for other, kept in self._kept.items() if now - kept[0] < _KEPT}
        if name not in self._kept:
            self._kept[name] = (now, await self._read(name))
        return self._kept[name][1]

    async def _read(self, name: str) -> dict[str, str]:
        if not _NAME.fullmatch(name):
            raise NotFound(f"no Secret can be called {name!r}")
        answer = await self._session.read(f"/api/v1/namespaces/{self._namespace}/secrets/{name}")
        try:
            check(answer, verb="get", resource="secrets", name=name)
        except NotFound as exc:
            raise NotFound(f"Secret {self._namespace}/{name} does not exist: create it there") from exc
        except Denied as exc:
            hint = f"add {name} to the resourceNames of Role hotdesk-secrets in namespace {self._namespace}"
            raise Denied(f"{exc}; {hint}") from exc
        except HotdeskError as exc:  # the port knows no other
            raise Unanswered(str(exc)) from exc
        try:
            data = orjson.loads(answer.body).get("data") or {}
        except (orjson.JSONDecodeError, AttributeError) as exc:
            raise Unanswered(f"the answer for Secret {name} cannot be read") from exc
        return data if isinstance(data, dict) else {}


def _text(encoded: str) -> str:
    """Return the text without the line break that `echo` leaves at its end; empty if it is none."""
    try:
        return base64.b64decode(encoded, validate=True).decode().rstrip("\r\n")
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return ""
