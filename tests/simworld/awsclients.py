"""Clients of the simulated AWS for the real adapters: boto3's own, or stand-ins that skip botocore and its XML."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from io import BytesIO
from typing import Any

from botocore import UNSIGNED, exceptions
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.response import StreamingBody

from hotdesk.adapters.aws.budgets import Budgets
from hotdesk.adapters.aws.calls import Calls, Request
from hotdesk.adapters.aws.clients import Clients, Service, Target, Timeouts
from hotdesk.adapters.aws.fleet import AwsFleet
from hotdesk.adapters.aws.ledger import S3Ledger
from hotdesk.adapters.aws.ledger_records import Place
from hotdesk.ports import HotdeskError, Vault
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.quotas import throttled
from simworld.aws import OPERATIONS, REGION, WIRED, SimAws
from simworld.guests import Door
from simworld.network import Call, Fate, Network
from simworld.process import Process
from simworld.timeline import Timeline
from simworld.trace import Trace

_SILENCE = 10.0  # seconds until the real clients give up
_READS = ("Describe", "Get", "Head", "List")
BOOKS = Place("books", "hotdesk/")
"""Where the ledger is."""


class AwsLine:
    """The way from the operators to AWS: every call becomes one that the network carries."""

    def __init__(self, aws: SimAws, timeline: Timeline, trace: Trace) -> None:
        self.network = Network(timeline, patience=_SILENCE)
        self.network.on_fate = lambda process, call, fate: trace.add(process.name, f"{call}: {fate.name}")
        self.aws = aws
        self.speaks_xml = False  # whether boto3 itself serves, at fifteen times the cost
        self.caller = ""
        self.call: Call | None = None  # what is being carried out
        self.on_call: Callable[[str, Call, Mapping[str, Any], Fate], None] = lambda _who, _call, _params, _fate: None
        self._timeline = timeline
        self._trace = trace
        self._fate = Fate.WELL

    def fleet(self, process: Process, *, gate: Callable[[], None]) -> AwsFleet:
        """Return the real Fleet for one process; `gate` is asked before each write."""
        return AwsFleet(self.calls(process, gate=gate))

    def calls(self, process: Process, *, gate: Callable[[], None]) -> Calls:
        """Return what the real adapters of one process call AWS with."""

        def execute(send: Callable[..., Any], *asked: Any) -> Any:
            if len(asked) == 1:
                return self._execute(process, send, asked[0], gate=gate)
            signed = process.loop.create_future()  # nothing is called to sign
            signed.set_result(send(*asked))
            return signed

        process.loop.executor = execute
        clients = _WireClients(self) if self.speaks_xml else _DirectClients(self)
        return Calls(clients=clients, budgets=Budgets(), on_call=lambda *_: None)

    def ledger(self, process: Process, *, gate: Callable[[], None]) -> S3Ledger:
        """Return the real ledger of one process."""
        return S3Ledger(self.calls(process, gate=gate), place=BOOKS)

    def sign(self, action: str, params: dict[str, Any]) -> str:
        """Return a URL with which a machine may make one call of S3."""
        _door().carry_out = self.aws.perform_signed
        return _door().sign(action, params)

    def perform(self, service: str, action: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a call in boto3's shapes; raises what boto3 would."""
        try:
            answer: dict[str, Any] = self._guarded(service, lambda: self.aws.perform(service, action, dict(params)))
        except AwsError as error:
            response: Any = {
                "Error": {"Code": error.code, "Message": error.message},
                "ResponseMetadata": {"HTTPStatusCode": error.status},
            }
            raise exceptions.ClientError(response, action) from None
        if "Body" in answer:
            content = answer["Body"].read()
            return answer | {"Body": StreamingBody(BytesIO(content), len(content))}  # type: ignore[no-untyped-call]
        return answer

    def perform_form(self, service: str, body: str) -> tuple[int, str]:
        """Carry out a call off the wire, and return HTTP status and text; raises what botocore's HTTP session would."""
        try:
            return 200, self._guarded(service, lambda: self.aws.perform_form(service, body))
        except AwsError as error:
            return error.status, self.aws.refusal_text(service, error)

    def _guarded(self, service: str, effect: Callable[[], Any]) -> Any:
        match self._fate:
            case Fate.LOST:
                raise exceptions.ReadTimeoutError(endpoint_url="http://simulated")
            case Fate.REFUSED:
                raise throttled(service)
            case Fate.BROKEN:
                effect()
                raise AwsError("InternalFailure", "The simulated AWS is like this today.", status=500)
            case _:
                return effect()

    def _execute(
        self, process: Process, send: Callable[..., Any], request: "Request[Any]", *, gate: Callable[[], None]
    ) -> Any:
        answered = process.loop.create_future()
        if not request.retries:
            try:
                gate()  # now, as it leaves: when it arrives, nobody asks any more
            except HotdeskError as error:
                answered.set_exception(error)
                return answered
        call = Call(
            service=request.service,
            verb=request.operation,
            about=_about(request.parameters),
            is_write=not request.operation.startswith(_READS),
            left_at=self._timeline.now,
        )

        def perform(fate: Fate) -> Callable[[], None]:
            self._fate, self.caller, self.call = fate, process.name, call
            try:
                result = send(request)
            except Exception as error:  # noqa: BLE001  # the future carries it to the caller
                outcome, text = partial(answered.set_exception, error), type(error).__name__
            else:
                outcome, text = partial(answered.set_result, result), "ok"
            finally:
                self._fate, self.caller, self.call = Fate.WELL, "", None
            if call.is_write and fate is not Fate.LOST:
                late = "" if fate is Fate.WELL else f" [{fate.name}]"
                self._trace.add(process.name, f"{call} -> {text}{late}")
                self.on_call(process.name, call, request.parameters, fate)
            return outcome

        self.network.carry(process, call, perform, lambda outcome: answered.done() or outcome())
        return answered


class SimFleets:
    """The Fleets port of one process: the real Fleet, a vault in memory, whatever region and role are asked for."""

    def __init__(self, fleet: AwsFleet, vault: Vault) -> None:
        self._fleet = fleet
        self._vault = vault

    def fleet(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> AwsFleet:
        del region, endpoint_url, role_arn
        return self._fleet

    def vault(self, *, region: str, endpoint_url: str | None, role_arn: str | None) -> Vault:
        del region, endpoint_url, role_arn
        return self._vault


@cache
def _door() -> Door:
    """One for all worlds, which run one after the other."""
    return Door()


class _DirectClient:
    def __init__(self, line: AwsLine, service: str) -> None:
        self._line = line
        self._service = service

    def generate_presigned_url(self, method: str, *, Params: dict[str, Any], ExpiresIn: int) -> str:  # noqa: N803
        del ExpiresIn
        return self._line.sign(OPERATIONS[self._service][method], Params)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        action = OPERATIONS[self._service][method]
        return lambda **params: self._line.perform(self._service, action, params)


class _DirectClients(Clients):
    """Answers in boto3's shape at once."""

    def __init__(self, line: AwsLine) -> None:
        self._made = {service: _DirectClient(line, service) for service in OPERATIONS}

    def client(self, service: Service, *, retries: bool) -> Any:
        del retries
        return self._made[service]


class _WireClients(Clients):
    """boto3's own clients, made by the product; only the HTTP request is answered here, where it is XML of ours."""

    def __init__(self, line: AwsLine) -> None:
        self._line = line

    def client(self, service: Service, *, retries: bool) -> Any:
        del retries  # botocore would really sleep between them
        if service not in WIRED:
            return _DirectClient(self._line, service)
        made, switch = _wire_client(service)
        switch.line = self._line
        return made


class _Switch:
    """Leads the requests of a shared client to the world that asks at the moment."""

    def __init__(self, service: str) -> None:
        self.line: AwsLine | None = None
        self._service = service

    def answer(self, request: Any, **_event: object) -> AWSResponse:
        assert self.line is not None
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        status, text = self.line.perform_form(self._service, body)
        response = AWSResponse(request.url, status, {"Content-Type": "text/xml"}, None)
        response._content = text.encode()
        return response


@cache
def _wire_client(service: Service) -> tuple[Any, _Switch]:
    """Make a client as the product does; it costs a tenth of a second, so all worlds share one."""
    clients = _Unsigned(
        target=Target(region=REGION, endpoint_url="http://simulated"), timeouts=Timeouts(), connections=1
    )
    client, switch = clients.client(service, retries=False), _Switch(service)
    client.meta.events.register("before-send", switch.answer)
    return client, switch


class _Unsigned(Clients):
    """Signs nothing: credentials are not what is tested here."""

    def _config(self, *, attempts: int) -> Config:
        return super()._config(attempts=attempts).merge(Config(signature_version=UNSIGNED))


def _about(params: Mapping[str, Any]) -> str:
    told = {"Key", "Resources", "InstanceIds", "InstanceId", "DesiredCapacity", "MaxSize", "ScalingProcesses"}
    parts = [f"{key}={value}" for key, value in params.items() if key in told]
    return " ".join([str(params.get("AutoScalingGroupName", "")), *parts]).strip()
