"""Posts notices to a URL, signed, so that the receiver knows who sent them and that nobody changed them."""

import hmac
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Self

import aiohttp
from yarl import URL

from hotdesk.adapters.letters import letter
from hotdesk.api.v1alpha1 import Webhook
from hotdesk.core.notices import Notice
from hotdesk.ports import Clock, Refused, Secrets, Throttled, Unanswered

TIMEOUT: Final = timedelta(seconds=5)
SIGNATURE: Final = "Hotdesk-Signature"
ID: Final = "Hotdesk-Id"


class Webhooks:
    """One HTTP client for all webhooks. Enter it inside the event loop it is used in."""

    def __init__(self, secrets: Secrets, clock: Clock, *, timeout: timedelta = TIMEOUT) -> None:
        self._secrets = secrets
        self._clock = clock
        # No cookies: what one receiver sets is no other's business.
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout.total_seconds()), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def post(self, notice: Notice, webhook: Webhook) -> None:
        """Post a notice once; redirects are not followed, because they would lead where nobody allowed us to send.

        Raises:
            Throttled, Unanswered: it may be posted again; the receiver knows it by its id.
            Refused: by the receiver. NotFound, Denied: there is no key to sign with.

        """
        body = letter(notice)
        key = await self._secrets.fetch(webhook.secret_ref)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "hotdesk",
            SIGNATURE: signature(body, key=key, at=int(self._clock.now().timestamp())),
            ID: notice.id,
        }
        where = destination(webhook)
        try:
            async with self._http.post(webhook.url, data=body, headers=headers, allow_redirects=False) as answer:
                _check(answer.status, where=where)
        except (aiohttp.InvalidURL, ValueError) as exc:
            raise Refused(f"the URL of the webhook at {where} cannot be used") from exc
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise Unanswered(f"the webhook at {where} did not answer: {type(exc).__name__}") from exc


def signature(body: bytes, *, key: str, at: int) -> str:
    """Return the header that proves a body: when it was sent (Unix time), and the HMAC-SHA256 of both."""
    proof = hmac.new(key.encode(), f"{at}.".encode() + body, "sha256").hexdigest()
    return f"t={at},v1={proof}"


def destination(webhook: Webhook) -> str:
    """Return what may be shown of a webhook: its path is often a secret."""
    try:
        return str(URL(webhook.url).origin())
    except ValueError:
        return "an unusable URL"


def _check(status: int, *, where: str) -> None:
    match status:
        case _ if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        case HTTPStatus.TOO_MANY_REQUESTS:
            raise Throttled(f"the webhook at {where} answered 429: too many requests")
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unanswered(f"the webhook at {where} answered {status}")
        case _ if status < HTTPStatus.BAD_REQUEST:
            raise Refused(f"the webhook at {where} answered {status}: redirects are not followed, give their target")
        case _:
            raise Refused(f"the webhook at {where} answered {status}")
