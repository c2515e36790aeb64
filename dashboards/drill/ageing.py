"""Time travel, seen from the other side: the functions' clock cannot be set, so the world around them grows older."""

import json
from datetime import timedelta
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from local.aws import AwsStage


def grow_older(aws: AwsStage, table: str, by: timedelta) -> None:
    """Move all dates of the secrets, and all times in the idempotency table, into the past; `by` is in whole seconds."""
    with aws.secrets_manager() as service:
        for secret in list(service.secrets.values()):
            service.age(secret.arn, by)
    found = dynamodb_backends[aws.account_id][aws.region].tables.get(table)
    for item in found.all_items() if found else ():
        _age_memory(item.attrs, by)


def _age_memory(attributes: dict[str, Any], by: timedelta) -> None:
    """Age one of Powertools' records: its expiry in seconds, that of the lock in milliseconds, and what it remembers."""
    seconds = int(by.total_seconds())
    for name, amount in (("expiration", seconds), ("in_progress_expiration", seconds * 1000)):
        if name in attributes:
            attributes[name].value = str(int(attributes[name].value) - amount)
    if "data" in attributes:
        memory = json.loads(attributes["data"].value)
        for name, moment in (memory.get("progress") or {}).items():
            if name.endswith("_ms") and moment is not None:
                memory["progress"][name] = moment - seconds * 1000
        attributes["data"].value = json.dumps(memory)
