"""Refusing a role's sessions from before a moment: an inline policy of the role that AWS asks at each request.

PutRolePolicy of the IAM API Reference (version 2010-05-08, global, signed for us-east-1), with the document of
"Revoking IAM role temporary security credentials" in the IAM User Guide. AWS carries it out within seconds, and
promises no time. The service's own sessions are left alone.
"""

import json
from datetime import UTC, datetime

from workspacesio.nodes.minio.connection import Connection

IAM_ADDRESS = "https://iam.amazonaws.com"
IAM_REGION = "us-east-1"
POLICY_NAME = "workspacesio-older-sessions"
OWN_SESSION = "wio-service"


def denial(moment: datetime) -> str:
    """The policy that refuses everything to sessions issued before `moment`, in whole seconds."""
    issued = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {
        "DateLessThan": {"aws:TokenIssueTime": issued},
        "StringNotLike": {"aws:userid": f"*:{OWN_SESSION}"},
    }
    statement = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"], "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def deny_sessions_before(iam: Connection, role_name: str, moment: datetime) -> None:
    """Replaces what was denied before. Raises NotPermitted without iam:PutRolePolicy, RequestRefused, NodeDown."""
    access = iam.access
    fields = {
        "Action": "PutRolePolicy",
        "Version": "2010-05-08",
        "RoleName": role_name,
        "PolicyName": POLICY_NAME,
        "PolicyDocument": denial(moment),
    }
    iam.query(access.access_key, access.secret, fields, service="iam")
