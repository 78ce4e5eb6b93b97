"""Bad manifests and edits that the API server refuses at `kubectl apply`, with a sentence that says what to do."""

import json

import pytest

from contract.crd_samples import INSTANCE, claim, machine, named, pool, schedule, workspace
from hotdesk.api.crd import KINDS, definition

pytestmark = pytest.mark.stack

PLACEHOLDERS = "{privateIP}, {publicIP}, {owner}, {project}, {namespace}, {name}, {machine}, {slot}"
CRON_RANGES = "minute 0-59, hour 0-23, day 1-31, month 1-12 or JAN-DEC, weekday 0-7 or SUN-SAT"
DURATION_OR_NEVER = "write a duration like 45s, 10m or 1h30m, or the word Never"
BUCKET = {"bucket": "files"}
DURATION = "write a duration as hours, minutes and seconds, like 45s, 10m or 1h30m"
SELECTOR = "selector must be given when from is Selector, and left out otherwise"
VALUES = "values must be given with the operators In and NotIn, and left out with Exists and DoesNotExist"
UNPRINTABLE = "must not contain control characters, line breaks or text direction overrides"


def _schedules(*entries):
    return pool(buffer__schedules=list(entries))


def _template(text):
    return pool(access__urlTemplate=text)


def _expressions(**requirement):
    return pool(
        allowedNamespaces__from="Selector", allowedNamespaces__selector__matchExpressions=[{"key": "a", **requirement}]
    )


BAD_WORKSPACES = {
    "no spec": ({**workspace(), "spec": None}, "spec: Required value"),
    "no pool": (workspace(pool=None), "spec.pool: Required value"),
    "empty pool": (workspace(pool=""), "pool must be the name of a MachinePool"),
    "pool in capitals": (workspace(pool="Dev"), "pool must be the name of a MachinePool"),
    "pool with a path": (workspace(pool="a/../b"), "pool must be the name of a MachinePool"),
    "pool that no MachinePool can be called": (workspace(pool="a..b"), "pool must be the name of a MachinePool"),
    "pool too long": (workspace(pool="p" * 64), "spec.pool: Too long: may not be more than 63 bytes"),
    "pool a number": (workspace(pool=7), 'spec.pool in body must be of type string: "integer"'),
    "no owner": (workspace(owner=None), "spec.owner: Required value"),
    "empty owner": (workspace(owner=""), "owner must name somebody: it must not be blank"),
    "blank owner": (workspace(owner="   "), "owner must name somebody: it must not be blank"),
    "owner too long": (workspace(owner="o" * 129), "spec.owner: Too long: may not be more than 128 bytes"),
    "owner with a line break": (workspace(owner="ada\nroot"), f"owner {UNPRINTABLE}"),
    "owner with a null character": (workspace(owner="ada\0"), f"owner {UNPRINTABLE}"),
    "owner with a C1 control": (workspace(owner="ada\x85x"), f"owner {UNPRINTABLE}"),
    "owner with a line separator": (workspace(owner="ada\u2028x"), f"owner {UNPRINTABLE}"),
    "owner that turns the text around": (workspace(owner="ada\u202enimda"), f"owner {UNPRINTABLE}"),
    "owner of dots": (workspace(owner=".."), "owner must not consist of dots only"),
    "project of dots": (workspace(project="."), "project must not consist of dots only"),
    "owner a list": (workspace(owner=["ada"]), 'spec.owner in body must be of type string: "array"'),
    "project with an escape sequence": (workspace(project="\x1b[2J"), f"project {UNPRINTABLE}"),
    "project too long": (workspace(project="p" * 129), "spec.project: Too long: may not be more than 128 bytes"),
    "priority class with a space": (workspace(priorityClassName="very high"), "must be the name of a PriorityClass"),
    "priority as a number": (
        workspace(priorityClassName=1000),
        "spec.priorityClassName in body must be of type string",
    ),
    "misspelt field": (workspace(onwer="ada"), 'unknown field "spec.onwer"'),
    "field of a later version": (workspace(idleWarning="1h"), 'unknown field "spec.idleWarning"'),
    "idle for ever in other words": (workspace(idleTimeout="never"), DURATION_OR_NEVER),
    "retention as a number": (workspace(retention=24), "spec.retention in body must be of type string"),
    "run strategy unknown": (workspace(runStrategy="Sometimes"), "Unsupported value"),
    "files of nobody": (workspace(restoreFrom={}), "restoreFrom needs exactly one of workspace and backup"),
    "files of two": (
        workspace(restoreFrom={"workspace": "a", "backup": "b"}),
        "restoreFrom needs exactly one of workspace and backup",
    ),
}

BAD_POOLS = {
    "no aws": (pool(aws=None), "spec.aws: Required value"),
    "no region": (pool(aws__region=None), "spec.aws.region: Required value"),
    "region that is a zone": (pool(aws__region="eu-central-1a"), "region must be an AWS region like eu-central-1"),
    "no group": (pool(aws__autoScalingGroupName=None), "spec.aws.autoScalingGroupName: Required value"),
    "ARN as group": (
        pool(aws__autoScalingGroupName="arn:aws:autoscaling:eu-central-1:1:autoScalingGroup:x"),
        "autoScalingGroupName must be the name, not the ARN, of a group",
    ),
    "role without ARN": (pool(aws__roleARN="hotdesk"), "roleARN must be the ARN of an IAM role like arn:aws:iam::"),
    "endpoint without scheme": (pool(aws__endpointURL="localhost:5000"), "endpointURL must start with http:// or"),
    "manageGroup as text": (pool(aws__manageGroup="no"), "spec.aws.manageGroup in body must be of type boolean"),
    "no maxMachines": (pool(maxMachines=None), "spec.maxMachines: Required value"),
    "maxMachines below zero": (pool(maxMachines=-1), "should be greater than or equal to 0"),
    "maxMachines too large": (pool(maxMachines=100001), "should be less than or equal to 100000"),
    "maxMachines as text": (pool(maxMachines="ten"), "spec.maxMachines in body must be of type integer"),
    "half a machine": (pool(maxMachines=1.5), "spec.maxMachines in body must be of type integer"),
    "shared files that are not kept apart": (
        pool(
            backup={"method": "S3Archive", "s3": {"bucket": "files"}},
            slotsPerMachine=5,
            access={"urlTemplate": "http://{privateIP}/?folder=/home/{owner}/{project}"},
        ),
        "lead there with access.urlTemplate",
    ),
    "no slots": (pool(slotsPerMachine=0), "should be greater than or equal to 1"),
    "too many slots": (pool(slotsPerMachine=101), "should be less than or equal to 100"),
    "buffer below zero": (pool(buffer__idle=-1), "should be greater than or equal to 0"),
    "buffer too large": (pool(buffer__idle=10001), "should be less than or equal to 10000"),
    "percent below zero": (pool(buffer__percent=-5), "should be greater than or equal to 0"),
    "percent as text": (pool(buffer__percent="20%"), "spec.buffer.percent in body must be of type integer"),
    "delay without unit": (pool(buffer__scaleDownDelay="5"), DURATION),
    "delay as number": (pool(buffer__scaleDownDelay=300), "spec.buffer.scaleDownDelay in body must be of type string"),
    "delay in days": (pool(buffer__scaleDownDelay="1d"), DURATION),
    "delay below zero": (pool(buffer__scaleDownDelay="-5m"), DURATION),
    "empty delay": (pool(buffer__scaleDownDelay=""), DURATION),
    "two schedules of one name": (_schedules(schedule(), schedule(idle=9)), 'Duplicate value: {"name":"day"}'),
    "schedule without idle": (
        _schedules({key: value for key, value in schedule().items() if key != "idle"}),
        "spec.buffer.schedules[0].idle: Required value",
    ),
    "schedule without name": (_schedules(schedule(name="")), "name must be lower case letters, digits and '-'"),
    "cron of four fields": (_schedules(schedule(start="0 8 * *")), "start must have the five fields of cron"),
    "cron of six fields": (_schedules(schedule(start="0 0 8 * * *")), "start must have the five fields of cron"),
    "cron by name": (_schedules(schedule(start="@daily")), "start must have the five fields of cron"),
    "minute 60": (_schedules(schedule(start="60 8 * * *")), CRON_RANGES),
    "hour 24": (_schedules(schedule(start="0 24 * * *")), CRON_RANGES),
    "day 0": (_schedules(schedule(start="0 8 0 * *")), CRON_RANGES),
    "month 13": (_schedules(schedule(start="0 8 * 13 *")), CRON_RANGES),
    "weekday 8": (_schedules(schedule(start="0 8 * * 8")), CRON_RANGES),
    "weekday in German": (_schedules(schedule(start="0 8 * * MO-FR")), CRON_RANGES),
    "step of zero": (_schedules(schedule(start="*/0 8 * * *")), CRON_RANGES),
    "schedule of no length": (_schedules(schedule(duration="0m")), "give a duration above zero"),
    "unknown time zone": (
        _schedules(schedule(timeZone="Mars/Olympus")),
        "timeZone must be a zone of the IANA data base",
    ),
    "time zone with a path": (_schedules(schedule(timeZone="../etc/passwd")), "timeZone must be a zone of the IANA"),
    "time zone as offset": (_schedules(schedule(timeZone="+02:00")), "timeZone must be a zone of the IANA data base"),
    "local time zone": (_schedules(schedule(timeZone="Local")), "timeZone must be a zone of the IANA data base"),
    "empty time zone": (_schedules(schedule(timeZone="")), "timeZone must be a zone of the IANA data base"),
    "33 schedules": (
        _schedules(*(schedule(name=f"s{number}") for number in range(33))),
        "spec.buffer.schedules: Too many: 33: must have at most 32 items",
    ),
    "readiness without probe": (pool(readiness={}), "readiness needs exactly one of tcpSocket and httpGet"),
    "readiness with two probes": (
        pool(readiness={"tcpSocket": {"port": 22}, "httpGet": {"port": 80}}),
        "readiness needs exactly one of tcpSocket and httpGet",
    ),
    "port 0": (pool(readiness__tcpSocket__port=0), "should be greater than or equal to 1"),
    "port 65536": (pool(readiness__tcpSocket__port=65536), "should be less than or equal to 65535"),
    "port by name": (pool(readiness__tcpSocket__port="ssh"), "must be of type integer"),
    "probe without port": (pool(readiness__httpGet__path="/"), "spec.readiness.httpGet.port: Required value"),
    "path without slash": (pool(readiness__httpGet={"port": 80, "path": "healthz"}), "path must start with '/'"),
    "deadline of zero": (
        pool(readiness={"tcpSocket": {"port": 22}, "deadline": "0s"}),
        "give a duration above zero",
    ),
    "unknown placeholder": (_template("http://{ip}:8080/"), PLACEHOLDERS),
    "placeholder in capitals": (_template("http://{PrivateIP}:8080/"), PLACEHOLDERS),
    "placeholder left open": (_template("http://{privateIP:8080/"), PLACEHOLDERS),
    "placeholder closed twice": (_template("http://{privateIP}}/"), PLACEHOLDERS),
    "placeholder within another": (_template("http://{private{name}IP}/"), PLACEHOLDERS),
    "URL without scheme": (_template("{privateIP}:8080"), "urlTemplate must start with http:// or https://"),
    "URL that is a script": (_template("javascript:alert('{owner}')"), "urlTemplate must start with http:// or https"),
    "URL with a line break": (_template("http://{privateIP}/\nx"), "must not hold spaces or control characters"),
    "access without URL": (pool(access={}), "spec.access.urlTemplate: Required value"),
    "namespaces from nowhere": (pool(allowedNamespaces__from="Some"), 'supported values: "All", "Selector"'),
    "selector missing": (pool(allowedNamespaces__from="Selector"), SELECTOR),
    "selector not asked for": (pool(allowedNamespaces__selector__matchLabels={"a": "b"}), SELECTOR),
    "selector without a label": (
        pool(allowedNamespaces__from="Selector", allowedNamespaces__selector__matchLabels={"": "a"}),
        "matchLabels must name labels: keys like team",
    ),
    "selector operator unknown": (_expressions(operator="Like"), "Unsupported value"),
    "In without values": (_expressions(operator="In"), VALUES),
    "Exists with values": (_expressions(operator="Exists", values=["x"]), VALUES),
    "paused as text": (pool(paused="yes"), "spec.paused in body must be of type boolean"),
    "name of 64 characters": (named(pool(), "p" * 64), "metadata.name must be at most 63 characters"),
    "misspelt buffer": (pool(buffer__idel=3), 'unknown field "spec.buffer.idel"'),
    "quota of no workspace": (
        pool(quota__maxWorkspacesPerOwner=0),
        "spec.quota.maxWorkspacesPerOwner in body should be greater than or equal to 1",
    ),
    "quota of nothing that runs": (
        pool(quota__maxRunningPerOwner=0),
        "spec.quota.maxRunningPerOwner in body should be greater than or equal to 1",
    ),
    "quota below zero": (pool(quota__maxRunningPerOwner=-1), "should be greater than or equal to 1"),
    "quota too large": (pool(quota__maxWorkspacesPerOwner=100001), "should be less than or equal to 100000"),
    "quota as text": (
        pool(quota__maxWorkspacesPerOwner="two"),
        "spec.quota.maxWorkspacesPerOwner in body must be of type integer",
    ),
    "quota of half a workspace": (pool(quota__maxRunningPerOwner=1.5), "must be of type integer"),
    "quota of nothing": (
        pool(quota={}),
        "quota needs maxWorkspacesPerOwner, maxRunningPerOwner or maxMinutesPerOwnerPerDay: leave quota out",
    ),
    "misspelt quota": (
        pool(quota={"maxRunningPerOwner": 1, "maxRunningPerTeam": 1}),
        'unknown field "spec.quota.maxRunningPerTeam"',
    ),
    "idle timeout without a unit": (pool(lifecycle={"idleTimeout": "60"}), DURATION_OR_NEVER),
    "retention without a word on backups": (pool(lifecycle={"retention": "24h"}), "lifecycle.retention ends machines"),
    "snapshot of a shared disk": (
        pool(backup={"method": "EBSSnapshot"}, slotsPerMachine=5),
        "with slotsPerMachine above 1 use S3Archive",
    ),
    "backup by an unknown method": (pool(backup={"method": "Tape"}), "Unsupported value"),
    "archive without a bucket": (pool(backup={"method": "S3Archive"}), "give s3 with method S3Archive, and only then"),
    "snapshot with a bucket": (
        pool(backup={"method": "EBSSnapshot", "s3": BUCKET}),
        "give s3 with method S3Archive, and only then",
    ),
    "backup of a relative path": (
        pool(backup={"method": "EBSSnapshot", "paths": ["home"]}),
        "a path must be absolute and hold only letters, digits and _@%+=:,.-",
    ),
    "backup of a path that leads up": (
        pool(backup={"method": "EBSSnapshot", "paths": ["/home/../etc"]}),
        "a path must have no parts . and ..",
    ),
    "prefix without a slash": (
        pool(backup={"method": "S3Archive", "s3": {**BUCKET, "prefix": "a"}}),
        "prefix must be empty, or end with '/'",
    ),
    "no backup kept": (pool(backup={"method": "EBSSnapshot", "keep": 0}), "should be greater than or equal to 1"),
    "two programs to ask": (
        pool(activity={"codeServer": {"port": 80}, "jupyter": {"port": 81}}),
        "activity takes at most one of codeServer, jupyter and http",
    ),
    "nobody to notify": (pool(notifications={}), "notifications needs sns, webhook or both"),
    "topic by name": (pool(notifications={"sns": {"topicARN": "hotdesk"}}), "topicARN must be an SNS topic's ARN"),
    "webhook to nowhere": (
        pool(notifications={"webhook": {"url": "mail:ada", "secretRef": {"name": "a", "key": "b"}}}),
        "url must start with http:// or https://",
    ),
    "queue by name": (pool(aws__interruptionQueue="hotdesk"), "interruptionQueue must be the URL of an SQS queue"),
    "quota of no minute": (
        pool(quota__maxMinutesPerOwnerPerDay=0),
        "spec.quota.maxMinutesPerOwnerPerDay in body should be greater than or equal to 1",
    ),
}

BAD_MACHINES = {
    "name that is no instance": (machine("my-machine"), "metadata.name must be an EC2 instance id like i-0123"),
    "providerID of another": (
        machine(providerID="aws:///eu-central-1a/i-00000000000000000"),
        "spec.providerID must end with '/' and metadata.name",
    ),
    "providerID of another cloud": (machine(providerID=f"gce:///z/{INSTANCE}"), "providerID must look like aws:///"),
    "slot beyond the slots": (machine(claims=[claim(slot=2)]), "every claim's slot must be below slots"),
    "one slot twice": (machine(claims=[claim(uid="a"), claim(uid="b")]), 'Duplicate value: {"slot":0}'),
    "one workspace twice": (machine(claims=[claim(0), claim(1)]), "a workspace can hold one slot only"),
    "claimed and reaped": (
        machine(claims=[claim()], reap={"reason": "Surplus", "at": "2026-01-01T00:00:00Z"}),
        "claims and reap exclude each other: release the claims in the write that sets reap",
    ),
    "reaped for no known reason": (
        machine(reap={"reason": "Bored", "at": "2026-01-01T00:00:00Z"}),
        "Unsupported value",
    ),
    "claim without UID": (
        machine(claims=[{**claim(), "workspace": {"namespace": "a", "name": "b"}}]),
        "spec.claims[0].workspace.uid: Required value",
    ),
    "claim at the end of all times": (
        machine(claims=[{**claim(), "claimedAt": "9999-12-31T23:59:59-23:59"}]),
        "write a time like 2026-01-02T03:04:05Z",
    ),
    # The format alone takes it (kube-apiserver 1.37), and no model could read it.
    "claim at an empty list": (machine(claims=[{**claim(), "claimedAt": []}]), "spec.claims[0].claimedAt"),
    "claim at no time": (machine(claims=[{**claim(), "claimedAt": "yesterday"}]), "must be of type date-time"),
}

BAD = {
    f"{kind}: {case}": value
    for kind, cases in (("workspace", BAD_WORKSPACES), ("pool", BAD_POOLS), ("machine", BAD_MACHINES))
    for case, value in cases.items()
}

REAPED = {"reap": {"reason": "Surplus", "at": "2026-01-01T00:00:00Z"}}

BAD_EDITS = {
    "workspace: another pool": (workspace(), {"pool": "other"}, "pool is immutable: delete the object and create it"),
    "workspace: no owner": (workspace(), {"owner": None}, "spec.owner: Required value"),
    "workspace: no spec": (workspace(), None, "spec: Required value"),
    "workspace: other files": (
        workspace(restoreFrom={"workspace": "a"}),
        {"restoreFrom": {"workspace": "b"}},
        "restoreFrom is immutable: delete the object",
    ),
    "pool: another region": (pool(), {"aws": {"region": "us-east-1"}}, "region is immutable: delete the object"),
    "pool: another group": (
        pool(),
        {"aws": {"autoScalingGroupName": "b"}},
        "autoScalingGroupName is immutable: delete the object",
    ),
    "pool: aws removed": (pool(), {"aws": None}, "spec.aws: Required value"),
    "pool: second probe": (
        pool(readiness__tcpSocket__port=22),
        {"readiness": {"httpGet": {"port": 80}}},
        "readiness needs exactly one of tcpSocket and httpGet",
    ),
    "pool: selector removed": (
        pool(allowedNamespaces={"from": "Selector", "selector": {}}),
        {"allowedNamespaces": {"selector": None}},
        SELECTOR,
    ),
    "machine: another pool": (machine(), {"pool": "other"}, "pool is immutable"),
    "machine: another instance": (
        machine(),
        {"providerID": f"aws:///eu-west-1a/{INSTANCE}"},
        "providerID is immutable",
    ),
    "machine: reap taken back": (machine(**REAPED), {"reap": None}, "reap is one-way"),
    "machine: reap for another reason": (machine(**REAPED), {"reap": {"reason": "Used"}}, "reap is one-way"),
    "machine: claimed after reap": (machine(**REAPED), {"claims": [claim()]}, "claims and reap exclude each other"),
    "machine: reaped while claimed": (machine(claims=[claim()]), REAPED, "claims and reap exclude each other"),
    "machine: slots below a claim": (machine(claims=[claim(1)]), {"slots": 1}, "every claim's slot must be below"),
}


def test_there_are_at_least_forty_of_them():
    assert len(BAD) + len(BAD_EDITS) >= 40


def test_every_rule_is_broken_by_one_of_them():
    sentences = [case[-1] for case in (*BAD.values(), *BAD_EDITS.values())]
    unbroken = [
        found["message"]
        for kind in KINDS
        for found in _rules(definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
        if not any(sentence in found["message"] for sentence in sentences)
    ]
    assert unbroken == []


@pytest.mark.parametrize(("manifest", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_manifest_is_refused_with_a_sentence_that_says_what_to_do(kubectl, manifest, sentence):
    answer = kubectl("apply", "--filename", "-", input=json.dumps(manifest), check=False)
    assert answer.returncode != 0, answer.stdout
    assert sentence in answer.stderr


@pytest.mark.parametrize(("manifest", "change", "sentence"), BAD_EDITS.values(), ids=BAD_EDITS)
def test_a_bad_edit_is_refused_with_a_sentence_that_says_what_to_do(kubectl, request, manifest, change, sentence):
    kubectl("create", "--filename", "-", input=json.dumps(manifest))
    target = f"{manifest['kind']}/{manifest['metadata']['name']}"
    request.addfinalizer(lambda: kubectl("delete", target))
    answer = kubectl("patch", target, "--type=merge", "--patch", json.dumps({"spec": change}), check=False)
    assert answer.returncode != 0, answer.stdout
    assert sentence in answer.stderr


def _rules(schema):
    yield from schema.get("x-kubernetes-validations", [])
    for field in schema.get("properties", {}).values():
        yield from _rules(field)
    if "items" in schema:
        yield from _rules(schema["items"])
