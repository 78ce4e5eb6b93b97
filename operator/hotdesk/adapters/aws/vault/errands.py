"""Scripts on machines through SSM, found again by what their comment says.

SendCommand has no token that would make it idempotent, so a script must do no harm when it runs twice, also at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hotdesk.adapters.aws.calls import Answer, Calls
from hotdesk.adapters.aws.vault.machines import Machines
from hotdesk.core.backups import RestoreProgress, Stage
from hotdesk.core.facts import Instance
from hotdesk.ports import Unanswered

_DOCUMENT: Final = "AWS-RunShellScript"
_PAGE: Final = 50
_DELIVER_WITHIN: Final = timedelta(minutes=10)  # what a machine has not taken by then is sent anew, with new URLs
_SKEW: Final = timedelta(minutes=10)  # between AWS's clock and ours
_WORDS: Final = 4  # of an errand's comment
_DONE: Final = "Success"
_CUT_OFF: Final = "CutOff"  # our own word
_FAILED: Final = frozenset({"Failed", "TimedOut", "Cancelled", _CUT_OFF})
_OF_THE_AGENT: Final = "failed to run commands: exit status 1"  # what SSM adds
_SAID: Final = 600  # characters of what a script said that go into a sentence


@dataclass(frozen=True, slots=True)
class Errand:
    """One try of one step of a job on one machine. The job's steps share a name, the tries a counter."""

    job: str
    step: str
    number: int

    @property
    def comment(self) -> str:
        """What SSM shows of it; at most 100 characters."""
        return f"hotdesk {self.job} {self.number} {self.step}"


@dataclass(frozen=True, slots=True)
class Run:
    """One command that SSM was sent."""

    errand: Errand
    command: str
    asked_at: datetime
    status: str

    @property
    def is_done(self) -> bool:
        """Whether its script ended well."""
        return self.status == _DONE

    @property
    def has_failed(self) -> bool:
        """Whether it ended otherwise."""
        return self.status in _FAILED


@dataclass(frozen=True, slots=True)
class Said:
    """What a script wrote, and how it ended."""

    output: str
    errors: str
    details: str

    @property
    def reason(self) -> str:
        """Why it failed, in its own last words, or in SSM's."""
        words = " ".join(self.errors.split()).removesuffix(_OF_THE_AGENT).strip()[-_SAID:]
        return words if self.details == "Failed" and words else f"SSM says {self.details}"


class Errands:
    """Sends scripts and finds them again."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._machines = Machines(calls)

    async def runs(self, *, machine: Instance, job: str, steps: Sequence[str], since: datetime) -> Sequence[Run]:
        """Return the commands of one job on the machine, the last of its steps of the latest try last.

        Of a step that was sent twice, the one that ended well comes last, then one that is open. What was under way
        when the machine lost its power has failed, whatever SSM believes.
        """
        asked = {
            "InstanceId": machine.id,
            "Filters": [{"key": "InvokedAfter", "value": f"{since - _SKEW:%Y-%m-%dT%H:%M:%SZ}"}],
            "MaxResults": _PAGE,
        }
        found: list[Run] = []
        token: str | None = None
        while True:
            more = asked if token is None else {**asked, "NextToken": token}
            page = await self._calls.read("ssm", "ListCommandInvocations", more, lambda a: _runs(a, job=job))
            found += [_as_it_is(run, machine) for run in page.facts]
            if page.next_token is None:
                return sorted(found, key=lambda run: _rank(run, steps))
            if page.next_token == token:
                raise Unanswered("ssm:ListCommandInvocations has no end: it gave the same NextToken twice")
            token = page.next_token

    async def said(self, run: Run, *, machine: str) -> Said:
        """Return what a script that ended has written."""
        if run.status == _CUT_OFF:
            return Said(output="", errors="", details="nothing: the machine lost its power meanwhile")
        asked = {"CommandId": run.command, "InstanceId": machine}
        return (await self._calls.read("ssm", "GetCommandInvocation", asked, _said)).facts

    async def begin(
        self, errand: Errand, *, machine: str, script: str, limit: timedelta, after: str = ""
    ) -> RestoreProgress:
        """Have a script run; it is ended when its limit is over. `after` says why the try before this one failed.

        After a failure that is reported now, and the next try is under way when somebody asks again.
        """
        if not await self._machines.is_listening(machine):
            return RestoreProgress(Stage.HINDERED, f"{_deaf(machine)}{after and '; before: '}{after}")
        await self._send(errand, machine=machine, script=script, limit=limit)
        if after:
            return RestoreProgress(Stage.FAILED, f"try {errand.number - 1} failed on {machine}: {after}")
        return RestoreProgress(Stage.RUNNING, f"SSM was asked to {errand.step} on {machine}")

    async def wait(self, run: Run, *, machine: str) -> RestoreProgress:
        """Say how far an open run is."""
        if not await self._machines.is_listening(machine):
            return RestoreProgress(Stage.HINDERED, _deaf(machine))
        since = f"{run.asked_at:%H:%M:%S} UTC"
        return RestoreProgress(Stage.RUNNING, f"{machine} was asked to {run.errand.step} at {since} and is at it")

    async def _send(self, errand: Errand, *, machine: str, script: str, limit: timedelta) -> None:
        asked = {
            "InstanceIds": [machine],
            "DocumentName": _DOCUMENT,
            "Comment": errand.comment,
            "TimeoutSeconds": int(_DELIVER_WITHIN.total_seconds()),
            "Parameters": {"commands": [script], "executionTimeout": [str(int(limit.total_seconds()))]},
        }
        await self._calls.write("ssm", "SendCommand", asked)


def _deaf(machine: str) -> str:
    return (
        f"SSM's agent on {machine} does not answer: the machine needs the agent and an instance profile that may use it"
    )


def _runs(answer: Answer, *, job: str) -> list[Run]:
    found: list[dict[str, Any]] = answer["CommandInvocations"]
    return [
        Run(errand, str(one["CommandId"]), one["RequestedDateTime"].astimezone(UTC), str(one["Status"]))
        for one in found
        if (errand := _errand(str(one.get("Comment") or ""))) is not None and errand.job == job
    ]


def _errand(comment: str) -> Errand | None:
    words = comment.split(" ")
    if len(words) != _WORDS or words[0] != "hotdesk" or not words[2].isdecimal():
        return None
    return Errand(job=words[1], number=int(words[2]), step=words[3])


def _as_it_is(run: Run, machine: Instance) -> Run:
    is_of_earlier_start = machine.launched_at is not None and run.asked_at < machine.launched_at
    is_open = not (run.is_done or run.has_failed)
    return replace(run, status=_CUT_OFF) if is_open and is_of_earlier_start else run


def _rank(run: Run, steps: Sequence[str]) -> tuple[int, int, int, datetime]:
    errand = run.errand
    ending = 2 if run.is_done else 0 if run.has_failed else 1
    return (errand.number, steps.index(errand.step) if errand.step in steps else -1, ending, run.asked_at)


def _said(answer: Answer) -> Said:
    return Said(
        output=str(answer.get("StandardOutputContent") or ""),
        errors=str(answer.get("StandardErrorContent") or ""),
        details=str(answer["StatusDetails"]),
    )
