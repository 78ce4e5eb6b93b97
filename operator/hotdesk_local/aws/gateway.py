"""Where AWS calls arrive: name the call, apply faults and quotas, carry it out, record it, answer in AWS's protocol."""

import asyncio
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from hotdesk_local.aws import (
    asg_groups,
    asg_members,
    asg_settings,
    asg_tags,
    clock,
    ec2_change,
    ec2_describe,
    ec2_tags,
    launch_templates,
    sts,
)
from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.elsewhere import Elsewhere
from hotdesk_local.aws.errors import AwsError, invalid_action
from hotdesk_local.aws.faults import Fault, Faults
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.quotas import Quotas
from hotdesk_local.aws.wire import Wire
from hotdesk_local.aws.world import Handler, World

log = logging.getLogger(__name__)

XML = "text/xml"
SERVICES = ("ec2", "autoscaling", "sts")
"""Those whose protocol the simulator speaks itself."""
SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Request:
    """An AWS call as it came over the wire."""

    service: str
    action: str
    params: Params
    method: str
    raw_path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Gateway:
    """Answers every path that is not the control API's."""

    world: World
    elsewhere: Elsewhere
    faults: Faults = field(default_factory=Faults)
    _quotas: Quotas = field(default_factory=Quotas)
    _wires: dict[str, Wire] = field(default_factory=lambda: {name: Wire(name) for name in SERVICES})
    _handlers: dict[str, Mapping[str, Handler]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ec2, autoscaling = self._wires["ec2"], self._wires["autoscaling"]
        self._handlers = {
            "ec2": {**ec2_describe.actions(ec2), **ec2_change.ACTIONS, **ec2_tags.ACTIONS, **launch_templates.ACTIONS},
            "autoscaling": {
                **asg_groups.actions(autoscaling),
                **asg_members.ACTIONS,
                **asg_settings.ACTIONS,
                **asg_tags.ACTIONS,
            },
            "sts": sts.ACTIONS,
        }

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one HTTP request."""
        body = await request.read()
        service, target = _service(request.headers, body), request.headers.get("X-Amz-Target", "")
        form = (
            dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)) if service in self._wires else {}
        )
        action = form.get("Action") or target.rpartition(".")[2] or _implied_action(request, body)
        try:
            params = self._params(service, action, form, request)
        except AwsError as refusal:
            call = self.world.calls.begin(time=clock.now(), service=service, action=action, params={})
            return self._refusal(call, refusal)
        latency, fault = self.faults.take(service=service, action=action)
        if latency:
            await asyncio.sleep(latency)
        call = self.world.calls.begin(time=clock.now(), service=service, action=action, params=params)
        if fault is not None and fault.kind == "drop-before":
            return _dropped(request, call, fault)
        asked = Request(
            service=service,
            action=action,
            params=params,
            method=request.method,
            raw_path=request.raw_path,
            headers=request.headers,
            body=body,
        )
        response = await self._answer(asked, call, fault)
        if fault is not None and fault.kind == "drop-after":
            return _dropped(request, call, fault)
        return response

    def _params(self, service: str, action: str, form: Mapping[str, str], request: web.Request) -> Params:
        if service in self._wires:
            return self._wires[service].parse(action, form)
        return {"path": request.path, "query": request.query_string}

    async def _answer(self, asked: Request, call: Call, fault: Fault | None) -> web.Response:
        try:
            _fail_on_demand(fault, asked)
            self._quotas.spend(
                service=asked.service,
                action=asked.action,
                params=asked.params,
                config=self.world.config,
                now=call.time,
            )
            handler = self._handlers.get(asked.service, {}).get(asked.action)
            if handler is None or self._is_motos(asked):
                return await self._forward(asked, call)
            _stop_at_dry_run(asked)
            text = self._wires[asked.service].answer(
                asked.action,
                handler(self.world, asked.params, call),
                request_id=_request_id(),
            )
        except AwsError as refusal:
            return self._refusal(call, refusal)
        except Exception:
            log.exception("the simulator failed", extra={"action": asked.action})
            return self._refusal(call, AwsError("InternalFailure", "The simulated AWS has a bug: see its log."))
        call.status = 200
        return web.Response(text=text, content_type=XML)

    def _is_motos(self, asked: Request) -> bool:
        tags = asked.service == "ec2" and asked.action in ec2_tags.ACTIONS
        return tags and not ec2_tags.is_about_instances(asked.action, asked.params)

    async def _forward(self, asked: Request, call: Call) -> web.Response:
        if asked.service == "autoscaling":
            # moto knows these actions only for groups of its own, which nobody here can see.
            raise invalid_action(asked.action)
        status, headers, body = await self.elsewhere.call(
            method=asked.method,
            raw_path=asked.raw_path,
            headers=asked.headers,
            body=asked.body,
        )
        if status >= SERVER_ERROR and not _is_aws_answer(headers, body):
            raise invalid_action(asked.action)
        call.status = status
        if status >= 400:  # noqa: PLR2004  # HTTP's own border
            call.error = str(status)
        return web.Response(status=status, headers=headers, body=body)

    def _refusal(self, call: Call, refusal: AwsError) -> web.Response:
        call.status, call.error = refusal.status, refusal.code
        wire = self._wires.get(call.service, self._wires["sts"] if call.service == "sns" else None)
        if wire is not None:
            text = wire.refusal(refusal, request_id=_request_id())
            return web.Response(text=text, status=refusal.status, content_type=XML)
        if call.service == "s3":
            text = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>"
            return web.Response(text=text, status=refusal.status, content_type="application/xml")
        answer = orjson.dumps({"__type": refusal.code, "message": refusal.message})
        return web.Response(body=answer, status=refusal.status, content_type="application/x-amz-json-1.0")


def _fail_on_demand(fault: Fault | None, asked: Request) -> None:
    if fault is not None and fault.kind in {"error", "throttle"}:
        raise fault.error(service=asked.service, action=asked.action)


def _stop_at_dry_run(asked: Request) -> None:
    if asked.service == "ec2" and asked.params.get("DryRun"):
        raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)


def _service(headers: Mapping[str, str], body: bytes) -> str:
    """Return the service out of the signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`."""
    if "Authorization" not in headers and b"Action=AssumeRoleWith" in body:
        return "sts"  # a pod's web identity is asked for a role before there are keys to sign with
    parts = headers.get("Authorization", "").partition("Credential=")[2].split(",")[0].split("/")
    return parts[-2].lower() if len(parts) > 1 else "unsigned"


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


def _dropped(request: web.Request, call: Call, fault: Fault) -> web.Response:
    call.status, call.error = 0, fault.kind
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
