"""Heartbeat tokens: derived from one key, so that a workspace's token costs no write and needs no storage."""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

_PURPOSE: Final = "hotdesk-heartbeat/v1"
_SHAPE: Final = re.compile(r"([0-9a-zA-Z-]{1,64})\.([0-9a-zA-Z_-]{43})", re.ASCII)
MIN_KEY_LENGTH: Final = 32  # characters


class BadKeys(ValueError):  # noqa: N818  # names the fact
    """These keys cannot be used; the message says why, and never quotes them."""


def parse_keys(text: str) -> tuple[bytes, ...]:
    """Read one key a line; the first signs, all verify. Blank lines and those that begin with # are left out.

    Raises:
        BadKeys: there is none, or one is too short to be a secret.

    """
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise BadKeys("there is no key: write one a line, for instance from `openssl rand -base64 32`")
    if any(len(key) < MIN_KEY_LENGTH for key in keys):
        raise BadKeys(f"a key is shorter than {MIN_KEY_LENGTH} characters: use `openssl rand -base64 32`")
    return tuple(key.encode() for key in keys)


def sign(key: bytes, *, namespace: str, name: str, uid: str) -> str:
    """Return the token of one workspace: its UID, and what only who has the key can derive from who it is.

    With the UID inside, a token proves itself before anything is looked up: an answer to a wrong one cannot tell
    whether the workspace exists, and the token of a deleted workspace is none of one made anew under its name.
    """
    return f"{uid}.{_proof(key, namespace=namespace, name=name, uid=uid)}"


def verified_uid(token: str, keys: Sequence[bytes], *, namespace: str, name: str) -> str | None:
    """Return the UID that the token was signed for, or None if no key has signed it for this namespace and name."""
    found = _SHAPE.fullmatch(token)
    if found is None:
        return None
    uid, proof = found.groups()
    # Every key is tried, so that the time tells nothing about which one fits.
    fits = [hmac.compare_digest(proof, _proof(key, namespace=namespace, name=name, uid=uid)) for key in keys]
    return uid if any(fits) else None


def _proof(key: bytes, *, namespace: str, name: str, uid: str) -> str:
    # No real namespace, name or UID has a line break in it, so that no two workspaces give the same text.
    text = f"{_PURPOSE}\n{namespace}\n{name}\n{uid}"
    return urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).rstrip(b"=").decode()
