"""Who may beat, how often, and what a beat says: the same for HTTP and WebSocket."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hotdesk.core.heartbeats.recording import Beat, Heartbeats
from hotdesk.core.heartbeats.tokens import verified_uid
from hotdesk.core.rates import Limits
from hotdesk.gateway.keys import KeyFile
from hotdesk.gateway.view import View
from hotdesk.ports import Clock

_SIGNAL: Final = "Heartbeat"


class Message(BaseModel):
    """What a beat may say. Presence alone (`input` false) is no activity: an open tab proves nobody."""

    model_config = ConfigDict(frozen=True, strict=True)

    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")] | None = None
    input: bool = True


@dataclass(frozen=True)
class Refusal(Exception):  # noqa: N818  # names the fact
    """Why nothing was taken in; `cause` is for the metrics."""

    status: int
    cause: str
    message: str
    retry_after: float | None = None
    """Seconds."""


class Reception:
    """Lets workspaces in and takes in their beats."""

    def __init__(
        self,
        heartbeats: Heartbeats,
        view: View,
        keys: KeyFile,
        limits: Limits,
        clock: Clock,
        *,
        nudge: Callable[[], None],
    ) -> None:
        """`nudge` is called after every beat that may have to be written."""
        self._heartbeats = heartbeats
        self._view = view
        self._keys = keys
        self._limits = limits
        self._clock = clock
        self._nudge = nudge

    def admit(self, *, namespace: str, name: str, token: str | None) -> str:
        """Return the UID of a living workspace that the token was signed for.

        Raises:
            Refusal: 401 if it was not signed for this name, which does not depend on whether such a workspace
                exists; else 503 while we do not know the workspaces, and 404 if it is gone.

        """
        uid = verified_uid(token, self._keys.keys, namespace=namespace, name=name) if token is not None else None
        if uid is None:
            raise Refusal(401, "Unauthorized", "give the token of this workspace: Authorization: Bearer TOKEN")
        known = self._heartbeats.find(uid)
        if known is not None and (known.namespace, known.name) == (namespace, name):
            return uid
        if self._view.trouble is not None:
            raise Refusal(503, "NotReady", self._view.trouble, retry_after=1)
        raise Refusal(404, "NotFound", "this workspace is gone")

    def pause(self, uid: str) -> float:
        """Return 0 and count one message, or the seconds until the next one is welcome."""
        return self._limits.admit(uid, at=self._clock.monotonic())

    def read(self, text: str | bytes) -> Message:
        """Read what a beat says; nothing at all is somebody at work.

        Raises:
            Refusal: 400, it cannot be read.

        """
        if not text:
            return Message()
        try:
            return Message.model_validate_json(text)
        except ValidationError as error:
            fields = ", ".join(sorted({".".join(map(str, part["loc"])) or "JSON" for part in error.errors()}))
            raise Refusal(
                400, "BadRequest", f'cannot read {fields}: write for instance {{"source": "editor", "input": true}}'
            ) from None

    def take(self, uid: str, message: Message) -> None:
        """Take in a beat."""
        if not message.input:
            return
        source = f"{_SIGNAL}/{message.source}" if message.source else _SIGNAL
        self._heartbeats.beat(uid, Beat(at=self._clock.now(), source=source))
        self._nudge()
