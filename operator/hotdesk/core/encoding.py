"""Owner, project and names come from strangers: how they are written into URLs and tags."""

import hashlib
from urllib.parse import quote

TAG_VALUE_LIMIT = 256  # characters, EC2's limit on a tag's value
_TAG_SAFE = " +-=._:/@"  # what every AWS service allows in a tag besides letters and digits
_DIGEST_LENGTH = 16
_NO_NAME = frozenset("/%\0")  # a folder's name cannot hold it, or could be mistaken for an encoded one
_MARK = "~"  # between what is left of a long text and its digest; in no encoded text


def url_part(text: str) -> str:
    """Percent-encode text for any place in a URL: it can start no path, query, host or dot segment.

    Browsers take %2E for a dot, so text of nothing but dots is encoded twice; the API server refuses it as an owner.
    """
    encoded = quote(text, safe="")
    return encoded.replace(".", "%252E") if not encoded.strip(".") else encoded


def folder_of(owner: str) -> str:
    """Return the name of an owner's folder on a machine: the owner as people write it, where that can be a name.

    It is what a program sees that decodes `/home/{owner}` from the workspace's URL. An owner that would be a path, or
    that could be taken for an encoded one, is percent-encoded, so that no two owners share a folder.
    """
    return url_part(owner) if set(owner) & _NO_NAME or not owner.strip(".") else owner


def workspace_folder(owner: str, *, namespace: str, name: str) -> str:
    """Return a workspace's folder on a machine that it shares: its own, also beside others of its owner.

    It is what `{owner}/{namespace}/{name}` in the pool's URL template leads to.
    """
    return f"{folder_of(owner)}/{namespace}/{name}"


def tag_text(text: str) -> str:
    """Encode text for tags, however long it gets; it can be decoded as a URL is."""
    return quote(text, safe=_TAG_SAFE).replace(_MARK, "%7E")


def tag_value(text: str) -> str:
    """Encode text for a tag's value; what is too long ends in a digest, so that two texts stay distinct."""
    encoded = tag_text(text)
    if len(encoded) <= TAG_VALUE_LIMIT:
        return encoded
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{encoded[: TAG_VALUE_LIMIT - _DIGEST_LENGTH - 1]}{_MARK}{digest}"
