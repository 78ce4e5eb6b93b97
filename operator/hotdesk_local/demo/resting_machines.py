"""The second act: idle machines are stopped, later archived, and a file outlives all of it."""

from datetime import UTC, datetime

from hotdesk_local.demo.saved_file import read_file, write_file
from hotdesk_local.demo.stage import Stage, Step
from hotdesk_local.demo.warm_machines import POOL
from hotdesk_local.errors import LocalStackError

_BUCKET = "demo-archives"
_NAME = "ada"
_FILE = "notes.txt"
_TEXT = b"The engine weaves algebraical patterns.\nNo copy of this exists elsewhere.\n"

# Seconds, so that nobody has to sit through an hour; the retention is the default of a pool with a backup.
_RULES = f"""\
  activity: {{codeServer: {{port: 8080}}}}
  lifecycle: {{idleTimeout: 6s, warnBefore: 3s, retention: 24h}}
  backup: {{method: S3Archive, s3: {{bucket: {_BUCKET}}}}}
"""


def _edit_file(stage: Stage) -> None:
    stage.say(f"{_NAME} edits a file. It is on the disk of this one machine, and nowhere else:")
    stage.show([write_file(_url(stage), _FILE, _TEXT), *_TEXT.decode().splitlines()])


def _apply_rules(stage: Stage) -> None:
    stage.aws.create_bucket(_BUCKET)
    stage.say(
        "So far the pool has stopped nobody, because nobody told it to. Now the platform team adds three lines: how to "
        "see that somebody works, when to stop machines of those who do not, and how their files are kept. The times "
        "are seconds here; a real pool would say an hour."
    )
    stage.say("Linus runs something that must not stop, and says so first.")
    stage.kubectl("patch", "ws", "linus", "--type=merge", "--patch", '{"spec": {"runStrategy": "Always"}}')
    stage.kubectl("apply", "-f", "-", manifest=POOL + _RULES)


def _go_idle(stage: Stage) -> None:
    stage.say(f"{_NAME} goes to lunch. Nobody is stopped without a warning, which says when, why, and what averts it:")
    stage.wait(f"ws/{_NAME}", "--for=condition=Idle")
    stage.kubectl("get", "ws", _NAME, "-o", _message_of("Idle"))
    stage.say("Nobody answers. The files are saved, and the machine is stopped; its disk stays:")
    stage.wait_for_phase(_NAME, "Stopped")
    stage.kubectl("get", "ws")
    stage.kubectl("get", "ws", _NAME, "-o", _message_of("Ready"))
    machine = _machine(stage)
    stage.say(f"EC2 now calls {machine} {stage.state_of(machine)}, and bills no machine time.")


def _come_back(stage: Stage) -> None:
    stage.say(f"{_NAME} is back. An editor would send a heartbeat; an annotation wakes the workspace as well:")
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")  # noqa: TID251  # a user's clock
    stage.kubectl("annotate", "ws", _NAME, "--overwrite", f"hotdesk.dev/wake-requested-at={now}")
    stage.wait(f"ws/{_NAME}", "--for=condition=Ready")
    stage.say("The same machine has been started again, and the file is there, byte for byte:")
    _show_file(stage)


def _stay_away(stage: Stage) -> None:
    machine = _machine(stage)
    stage.say(
        f"{_NAME} leaves for a long time. A stopped machine still costs its disk, so after the retention, 24 hours in "
        f"this pool, it goes as well. To see it now, {_NAME} halts the workspace and asks for no retention:"
    )
    away = '{"spec": {"runStrategy": "Halted", "retention": "0s"}}'
    stage.kubectl("patch", "ws", _NAME, "--type=merge", "--patch", away)
    stage.wait_for_phase(_NAME, "Archived")
    stage.say(
        "No machine is terminated before a backup of it was verified. This one was, by its checksum, in the bucket:"
    )
    stage.kubectl("get", "ws", _NAME, "-o", "jsonpath={.status.backup}")
    stage.show([f"s3://{_BUCKET}/{key}  {size} bytes" for key, size in stage.objects_in(_BUCKET)])
    stage.say(f"EC2 now calls {machine} {stage.state_of(machine)}. The workspace has no machine, and its files:")
    stage.kubectl("get", "ws", "-o", "wide")


def _return(stage: Stage) -> None:
    stage.say(
        f"{_NAME} returns, and wants a machine that is never stopped. A warm one is claimed at once, the files are "
        "brought to it, and the workspace is ready when they are there:"
    )
    stage.kubectl("patch", "ws", _NAME, "--type=merge", "--patch", '{"spec": {"runStrategy": "Always"}}')
    stage.wait(f"ws/{_NAME}", "--for=condition=Ready")
    stage.kubectl("get", "ws", _NAME)
    stage.say("Another machine, another disk, the same bytes:")
    _show_file(stage)


def _add_up(stage: Stage) -> None:
    stage.say(
        f"What {_NAME}'s machines have run, in intervals that have ended. While the workspace was stopped or archived "
        "nothing was counted:"
    )
    stage.kubectl("get", "ws", _NAME, "-o", "jsonpath={.status.usage}")
    stage.say(
        "For finance, each interval is one object in a bucket, also of workspaces that are deleted, like grace's:"
    )
    stage.hotdesk("usage", "--by", "owner")
    stage.say("Every step was told as an Event; each has a sentence that says why, and what to do about it:")
    columns = "-o=custom-columns=TIME:.metadata.creationTimestamp,TYPE:.type,WHAT:.reason"
    by_time = "--sort-by=.metadata.creationTimestamp"
    stage.kubectl("get", "events", f"--field-selector=involvedObject.name={_NAME}", by_time, columns)


STEPS = (
    Step(title="Somebody works", perform=_edit_file),
    Step(title="The pool is told when machines rest", perform=_apply_rules),
    Step(title="Idle: warned, then stopped", perform=_go_idle),
    Step(title="Back: woken, with the file intact", perform=_come_back),
    Step(title="Away for long: archived", perform=_stay_away),
    Step(title="Back again: restored on another machine", perform=_return),
    Step(title="What it came to", perform=_add_up),
)


def _show_file(stage: Stage) -> None:
    said, content = read_file(_url(stage), _FILE)
    if content != _TEXT:
        raise LocalStackError(f"{_FILE} is not what was written: {content!r}")
    stage.show([said, *content.decode().splitlines(), f"All {len(content)} bytes are as they were written."])


def _url(stage: Stage) -> str:
    return stage.ask("get", "ws", _NAME, "-o", "jsonpath={.status.url}")


def _machine(stage: Stage) -> str:
    return stage.ask("get", "ws", _NAME, "-o", "jsonpath={.status.machine}")


def _message_of(condition: str) -> str:
    return f'jsonpath={{.status.conditions[?(@.type=="{condition}")].message}}'
