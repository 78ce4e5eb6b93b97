"""The token of one workspace, for platform scripts."""

import base64

import orjson

from hotdesk.adapters.kube.errors import check
from hotdesk.adapters.kube.reading import fetch_object
from hotdesk.adapters.kube.resources import ACTIVITIES
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.core.heartbeats.tokens import BadKeys, parse_keys, sign
from hotdesk.ports import NotFound

_ENTRY = "keys"


async def mint(session: KubeSession, *, namespace: str, name: str, keys: tuple[bytes, ...]) -> str:
    """Return the token of a workspace, signed by the first key.

    Raises:
        NotFound: there is no such workspace.
        HotdeskError: it cannot be read.

    """
    found = await fetch_object(session, ACTIVITIES, namespace=namespace, name=name)
    if found is None:
        raise NotFound(f"there is no Workspace {name} in namespace {namespace}")
    return sign(keys[0], namespace=namespace, name=name, uid=found.metadata.uid)


async def read_secret(session: KubeSession, *, namespace: str, name: str) -> tuple[bytes, ...]:
    """Read keys from the entry `keys` of a Secret.

    Raises:
        BadKeys: there are none that can be used.
        HotdeskError: the Secret cannot be read.

    """
    answer = await session.read(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    check(answer, verb="get", resource="secrets", name=name)
    entry = (orjson.loads(answer.body).get("data") or {}).get(_ENTRY)
    if entry is None:
        raise BadKeys(f"the Secret {namespace}/{name} has no entry `{_ENTRY}`")
    return parse_keys(base64.b64decode(entry).decode())
