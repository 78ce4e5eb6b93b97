"""Where AWS calls arrive: name the call, apply faults and quotas, carry it out, record it, answer in AWS's protocol."""

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import orjson
from aiohttp import web

from hotdesk_local.aws.account import Account
from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.elsewhere import Elsewhere
from hotdesk_local.aws.errors import AwsError, invalid_action
from hotdesk_local.aws.json_wire import JsonWire
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.s3_http import S3, is_s3
from hotdesk_local.aws.wire import Wire
from hotdesk_local.aws.world import Handler, NothingYet

log = logging.getLogger(__name__)

XML = "text/xml"
SERVER_ERROR = 500
_IPV4 = re.compile(r"\d+(\.\d+){3}")
PAUSE = 0.05
"""Seconds between two looks of a long poll."""

Wires = Mapping[str, Wire | JsonWire]
Carry = Callable[[Call], Awaitable[web.Response]]


def xml_wires() -> dict[str, Wire]:
    """Return the XML protocols the simulator speaks itself."""
    return {name: Wire(name) for name in ("ec2", "autoscaling", "sts", "sns")}


def json_wires() -> dict[str, JsonWire]:
    """Return the JSON protocols the simulator speaks itself."""
    return {name: JsonWire(name) for name in ("ssm", "sqs", "cloudwatch")}


@dataclass(slots=True)
class Gateway:
    """Answers every path that is not the control API's."""

    account: Account
    elsewhere: Elsewhere
    wires: Wires
    _s3: S3 = field(init=False)

    def __post_init__(self) -> None:
        self._s3 = S3(self.account, self.through)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one HTTP request."""
        if _signed_for(request.headers) == "s3" or is_s3(request):
            return await self._s3.handle(request)
        body = await request.read()
        service, target = _service(request.headers, body), request.headers.get("X-Amz-Target", "")
        wire = self.wires.get(service)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)) if _is_xml(wire) else {}
        action = form.get("Action") or target.rpartition(".")[2] or _implied_action(request, body)
        try:
            params = _params(wire, action, form, body) if wire else _address(request)
        except AwsError as refusal:
            call = self.account.world.calls.begin(
                time=self.account.world.now(), service=service, action=action, params={}
            )
            return self._refusal(call, refusal)

        async def carry(call: Call) -> web.Response:
            if action == "SendCommand" and not _is_address(request.host):
                # A web page of a name that was bound to this address must not run commands here.
                raise AwsError("AccessDeniedException", f"Commands are taken at an address, not as {request.host}.")
            handler = self.account.handler(call)
            if handler is None or wire is None:
                return await self._forward(request, body, call)
            result = await self._carry_out(handler, call, request)
            call.status = 200
            return _written(wire, call.action, result)

        return await self.through(request, service=service, action=action, params=params, carry=carry)

    async def through(
        self, request: web.Request, *, service: str, action: str, params: Params, carry: Carry
    ) -> web.Response:
        """Take a named call through faults, quotas and the record."""
        latency, fault = self.account.faults.take(service=service, action=action)
        if latency:
            await asyncio.sleep(latency)
        call = self.account.world.calls.begin(
            time=self.account.world.now(),
            service=service,
            action=action,
            params=params,
            key=_signed_by(request.headers),
        )
        if fault is not None and fault.kind == "drop-before":
            return _dropped(request, call, fault.kind)
        try:
            self.account.admit(call, fault)
            response = await carry(call)
        except AwsError as refusal:
            response = self._refusal(call, refusal)
        except Exception:
            log.exception("the simulator failed", extra={"action": action})
            response = self._refusal(call, AwsError("InternalFailure", "The simulated AWS has a bug: see its log."))
        if fault is not None and fault.kind == "drop-after":
            return _dropped(request, call, fault.kind)
        return response

    async def _carry_out(self, handler: Handler, call: Call, request: web.Request) -> Params:
        """Do it; a long poll looks again until there is something, its time is over, or the client has gone."""
        until = None
        while True:
            try:
                return self.account.carry_out(
                    handler, call if until is None else replace(call, time=self.account.world.now())
                )
            except NothingYet as wait:
                until = wait.until if until is None else until
                if self.account.world.now() >= until or request.transport is None or request.transport.is_closing():
                    return {}
                await asyncio.sleep(PAUSE)

    async def _forward(self, request: web.Request, body: bytes, call: Call) -> web.Response:
        if call.service == "autoscaling":
            # moto knows these actions only for groups of its own, which nobody here can see.
            raise invalid_action(call.action)
        status, headers, answer = await self.elsewhere.call(
            method=request.method,
            raw_path=request.raw_path,
            headers=request.headers,
            body=body,
        )
        if status >= SERVER_ERROR and not _is_aws_answer(headers, answer):
            raise invalid_action(call.action)
        call.status = status
        if status >= 400:  # noqa: PLR2004  # HTTP's own border
            call.error = str(status)
        return web.Response(status=status, headers=headers, body=answer)

    def _refusal(self, call: Call, refusal: AwsError) -> web.Response:
        call.status, call.error = refusal.status, refusal.code
        wire = self.wires.get(call.service)
        if isinstance(wire, Wire):
            text = wire.refusal(refusal, request_id=_request_id())
            return web.Response(text=text, status=refusal.status, content_type=XML)
        if call.service == "s3":
            return web.Response(text=_s3_refusal(refusal), status=refusal.status, content_type="application/xml")
        if isinstance(wire, JsonWire):
            answer, headers = wire.refusal(refusal)
            return web.Response(body=answer, status=refusal.status, headers=headers, content_type=wire.content_type)
        answer = orjson.dumps({"__type": refusal.code, "message": refusal.message})
        return web.Response(body=answer, status=refusal.status, content_type="application/x-amz-json-1.0")


def _is_xml(wire: Wire | JsonWire | None) -> bool:
    return isinstance(wire, Wire)


def _params(wire: Wire | JsonWire, action: str, form: Mapping[str, str], body: bytes) -> Params:
    return wire.parse(action, form) if isinstance(wire, Wire) else wire.parse(action, body)


def _is_address(host: str) -> bool:
    name = host.rpartition(":")[0] or host
    return name == "localhost" or bool(_IPV4.fullmatch(name))


def _address(request: web.Request) -> Params:
    return {"path": request.path, "query": request.query_string}


def _written(wire: Wire | JsonWire, action: str, result: Mapping[str, Any]) -> web.Response:
    if isinstance(wire, Wire):
        return web.Response(text=wire.answer(action, result, request_id=_request_id()), content_type=XML)
    return web.Response(body=wire.answer(result), content_type=wire.content_type)


def _s3_refusal(refusal: AwsError) -> str:
    return f"<Error><Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message></Error>"


def _service(headers: Mapping[str, str], body: bytes) -> str:
    """Return the service out of the signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`."""
    if "Authorization" not in headers and b"Action=AssumeRoleWith" in body:
        return "sts"  # a pod's web identity is asked for a role before there are keys to sign with
    signed_for = _signed_for(headers)
    return {"monitoring": "cloudwatch"}.get(signed_for, signed_for)  # CloudWatch signs by another name


def _signed_for(headers: Mapping[str, str]) -> str:
    parts = _credential(headers)
    return parts[-2].lower() if len(parts) > 1 else "unsigned"


def _signed_by(headers: Mapping[str, str]) -> str:
    return _credential(headers)[0]


def _credential(headers: Mapping[str, str]) -> list[str]:
    return headers.get("Authorization", "").partition("Credential=")[2].split(",")[0].split("/")


def _implied_action(request: web.Request, body: bytes) -> str:
    for key, value in parse_qsl(body[:2000].decode("utf-8", "replace")):
        if key == "Action":
            return value
    kind = "Object" if request.path.strip("/").count("/") else "Bucket"
    return f"{request.method.capitalize()}{kind}"


def _request_id() -> str:
    return str(uuid.uuid4())


def _is_aws_answer(headers: Mapping[str, str], body: bytes) -> bool:
    kind = next((value for key, value in headers.items() if key.lower() == "content-type"), "")
    return bool(body) and "html" not in kind


def _dropped(request: web.Request, call: Call, kind: str) -> web.Response:
    call.status, call.error = 0, kind
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
