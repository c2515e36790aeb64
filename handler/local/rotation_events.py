"""The events that Secrets Manager publishes about rotations, as EventBridge delivers them."""

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class RotationEvent(StrEnum):
    """`eventName`, as CloudTrail documents it."""

    STARTED = "RotationStarted"
    SUCCEEDED = "RotationSucceeded"
    FAILED = "RotationFailed"
    ABANDONED = "RotationAbandoned"
    TEST_STARTED = "TestRotationStarted"
    TEST_SUCCEEDED = "TestRotationSucceeded"
    TEST_FAILED = "TestRotationFailed"


def eventbridge_event(name: RotationEvent, *, secret_arn: str, account_id: str, region: str) -> dict[str, Any]:
    """Return one event of the detail type `AWS Service Event via CloudTrail`."""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS Service Event via CloudTrail",
        "source": "aws.secretsmanager",
        "account": account_id,
        "time": moment,
        "region": region,
        "resources": [],
        "detail": {
            "eventVersion": "1.08",
            "userIdentity": {"accountId": account_id, "invokedBy": "secretsmanager.amazonaws.com"},
            "eventTime": moment,
            "eventSource": "secretsmanager.amazonaws.com",
            "eventName": name.value,
            "awsRegion": region,
            "sourceIPAddress": "secretsmanager.amazonaws.com",
            "userAgent": "secretsmanager.amazonaws.com",
            "requestParameters": None,
            "responseElements": None,
            "additionalEventData": {"SecretId": secret_arn},
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "eventType": "AwsServiceEvent",
            "recipientAccountId": account_id,
        },
    }
