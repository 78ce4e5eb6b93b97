"""Owner, project and names come from strangers: how they are written into URLs and tags."""

import hashlib
from urllib.parse import quote

TAG_VALUE_LIMIT = 256  # characters, EC2's limit on a tag's value
_TAG_SAFE = " +-=._:/@"  # what every AWS service allows in a tag besides letters and digits
_DIGEST_LENGTH = 16
_MARK = "~"  # between what is left of a long text and its digest; in no encoded text


def url_part(text: str) -> str:
    """Percent-encode text for any place in a URL: it can start no path, query, host or dot segment.

    Browsers take %2E for a dot, so text of nothing but dots is encoded twice; the API server refuses it as an owner.
    """
    encoded = quote(text, safe="")
    return encoded.replace(".", "%252E") if not encoded.strip(".") else encoded


def tag_value(text: str) -> str:
    """Encode text for a tag's value; what is too long ends in a digest, so that two texts stay distinct."""
    encoded = quote(text, safe=_TAG_SAFE).replace(_MARK, "%7E")
    if len(encoded) <= TAG_VALUE_LIMIT:
        return encoded
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{encoded[: TAG_VALUE_LIMIT - _DIGEST_LENGTH - 1]}{_MARK}{digest}"
