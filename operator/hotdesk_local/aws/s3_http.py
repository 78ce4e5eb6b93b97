"""S3 over HTTP: bytes are streamed to and from disk, never held in memory as a whole."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import StreamReader, web

from hotdesk_local.aws.account import Account
from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.s3_content import CHUNK, Content
from hotdesk_local.aws.s3_signed import check_presigned, is_presigned
from hotdesk_local.aws.s3_wire import S3Wire, Told

_STATUSES: Mapping[str, int] = {"DeleteObject": 204, "DeleteBucket": 204, "AbortMultipartUpload": 204}


class Through(Protocol):
    """The way of every call through faults, quotas and the record."""

    def __call__(
        self,
        request: web.Request,
        *,
        service: str,
        action: str,
        params: Params,
        carry: Callable[[Call], Awaitable[web.Response]],
    ) -> Awaitable[web.Response]:
        """Take a call through."""


@dataclass(frozen=True, slots=True)
class S3:
    """Answers S3's requests."""

    account: Account
    through: Through
    wire: S3Wire = field(default_factory=S3Wire)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        query = request.raw_path.partition("?")[2]
        path = _path(request)
        problem: AwsError | None = None
        action, params, content = f"{request.method.capitalize()}Object", {"path": path}, None
        try:
            action, bucket, key = self.wire.name(request.method, path, query, request.headers)
            body, content = await self._body(request, action)
            params = self.wire.read(action, bucket=bucket, key=key, query=query, headers=request.headers, body=body)
        except AwsError as refusal:
            problem = refusal

        async def carry(call: Call) -> web.Response:
            if problem is not None:
                raise problem
            self._check(request)
            given: Params = {} if content is None else {"Body": content}
            handler = self.account.handlers["s3"][action]
            result = self.account.carry_out(handler, call, {**params, **given})
            call.status = 206 if result.get("ContentRange") else _STATUSES.get(action, 200)
            return _response(self.wire.write(action, result), status=call.status)

        try:
            return await self.through(request, service="s3", action=action, params=params, carry=carry)
        finally:
            if content is not None and not content.held:
                content.erase()

    async def _body(self, request: web.Request, action: str) -> tuple[bytes, Content | None]:
        if not self.wire.has_stream(action):
            return await request.read(), None
        incoming = self.account.world.s3.vault.receive()
        try:
            async for chunk in _chunks(request):
                incoming.feed(chunk)
        except BaseException:
            incoming.drop()
            raise
        return b"", incoming.done()

    def _check(self, request: web.Request) -> None:
        query = request.raw_path.partition("?")[2]
        if is_presigned(query):
            check_presigned(
                method=request.method,
                url=f"http://{request.host}{request.raw_path}",
                headers=request.headers,
                secrets=self.account.world.s3.secrets,
                now=self.account.world.now(),
            )


def is_s3(request: web.Request) -> bool:
    """Say whether a request without an Authorization header is S3's: a presigned URL."""
    return is_presigned(request.raw_path.partition("?")[2])


def _path(request: web.Request) -> str:
    """Return `/bucket/key`, for `bucket.localhost` too."""
    path, name = request.raw_path.partition("?")[0], request.host.partition(":")[0]
    return f"/{name.removesuffix('.localhost')}{path}" if name.endswith(".localhost") else path


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    if not request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        async for chunk in request.content.iter_chunked(CHUNK):
            yield chunk
        return
    async for chunk in _unframed(request.content):
        yield chunk


async def _unframed(stream: StreamReader) -> AsyncIterator[bytes]:
    """Yield the bytes of `aws-chunked` frames: before each its length in hexadecimal digits; trailers at the end."""
    while True:
        head = (await stream.readline()).split(b";")[0].strip()
        size = int(head or b"0", 16)
        if size == 0:
            await stream.read()
            return
        yield await stream.readexactly(size)
        await stream.readexactly(2)


def _response(told: Told, *, status: int) -> web.Response:
    if told.body is not None:
        return web.Response(status=status, headers=told.headers, body=_sent(told.body))
    if told.text:
        return web.Response(status=status, headers=told.headers, text=told.text, content_type="application/xml")
    return web.Response(status=status, headers=told.headers)


async def _sent(body: Any) -> AsyncIterator[bytes]:
    for chunk in body:
        yield chunk
