"""Pagination: at most so many entries an answer, and a token that continues."""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params

Item = TypeVar("Item")


def page(
    items: Iterable[Item],
    *,
    size: int,
    token: str | None,
    place: Callable[[Item], str],
) -> tuple[list[Item], str | None]:
    """Return one page and the token of the next; raises InvalidNextToken for a foreign one.

    `items` are in the order of `place`, so that a page continues at the right entry even when others came or went.
    """
    after = None if token is None else _place(token)
    found: list[Item] = []
    for item in items:
        if after is not None and place(item) <= after:
            continue
        if len(found) == size:
            return found, base64.urlsafe_b64encode(place(found[-1]).encode()).decode()
        found.append(item)
    return found, None


def page_size(params: Params, *, largest: int, with_ids: bool, smallest: int = 5) -> int:
    """Return EC2's page size; raises its error for one out of range, or beside ids."""
    asked: int | None = params.get("MaxResults")
    if asked is None:
        return largest
    if with_ids:
        raise AwsError("InvalidParameterCombination", "Ids cannot be used with the parameter maxResults")
    if not smallest <= asked <= largest:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ( {asked} ) for parameter maxResults is invalid. Expecting a value between {smallest} and "
            f"{largest}.",
        )
    return asked


def _place(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise AwsError("InvalidNextToken", f"The token '{token}' is invalid") from exc
