"""Who may talk to the local API server: its tokens, its signing key, the files kubectl reads."""

import json
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_PRIVATE = 0o600


def read_or_make_token(path: Path) -> str:
    """Return the administrator's token from kube-apiserver's static token file, made on first use."""
    if not path.is_file():
        # system:masters passes every authorizer, so the stack can be set up before any RBAC exists.
        _write_private(path, f'{secrets.token_urlsafe(32)},hotdesk-local-admin,hotdesk-local-admin,"system:masters"\n')
    return path.read_text(encoding="utf-8").partition(",")[0]


def make_signing_key(path: Path) -> Path:
    """Make the key that signs and checks ServiceAccount tokens, if it is not there."""
    if not path.is_file():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            encoding=serialization.Encoding.PEM,
            format=serialization.PrivateFormat.TraditionalOpenSSL,
            encryption_algorithm=serialization.NoEncryption(),
        )
        _write_private(path, pem.decode("ascii"))
    return path


def write_kubeconfig(path: Path, *, url: str, authority: Path, token: str, user: str) -> Path:
    """Write a kubeconfig (JSON is YAML) for one user of one API server, whose certificate it names."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "hotdesk-local", "cluster": {"server": url, "certificate-authority": str(authority)}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "hotdesk-local", "context": {"cluster": "hotdesk-local", "user": user}}],
        "current-context": "hotdesk-local",
    }
    _write_private(path, json.dumps(content, indent=2) + "\n")
    return path


def _write_private(path: Path, text: str) -> None:
    """Write a file only its owner may read, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.new")
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    made.replace(path)
