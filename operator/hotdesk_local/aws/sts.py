"""STS: who is asking, and roles for the asking; nobody is ever turned away (revoke a permission with a fault)."""

import secrets
from collections.abc import Mapping
from datetime import timedelta

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.world import ACCOUNT, Handler, World

LIFETIME = 3600
"""Seconds a role's credentials last unless asked otherwise (API reference, AssumeRole)."""


def _identity(_world: World, _params: Params, _call: Call) -> Params:
    return {"UserId": "AIDAHOTDESKLOCAL", "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/hotdesk-local"}


def _assume(world: World, params: Params, call: Call) -> Params:
    role, session = str(params["RoleArn"]).rpartition("/")[2], str(params["RoleSessionName"])
    expiry = moment(call.time) + timedelta(seconds=params.get("DurationSeconds") or LIFETIME)
    key, secret = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    world.s3.secrets[key] = secret
    return {
        "Credentials": {
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "SessionToken": secrets.token_hex(64),
            "Expiration": expiry,
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"AROAHOTDESKLOCAL:{session}",
            "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
        },
    }


ACTIONS: Mapping[str, Handler] = {
    "GetCallerIdentity": _identity,
    "AssumeRole": _assume,
    "AssumeRoleWithWebIdentity": _assume,
}
