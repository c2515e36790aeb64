"""DynamoDB's time to live, which moto lacks: without it the table grows with every rotation, and every turn takes longer."""

import time

from moto.dynamodb.models import dynamodb_backends

from local.aws import AwsStage


def delete_expired(aws: AwsStage, table: str) -> None:
    """Delete the idempotency records whose time has come."""
    found = dynamodb_backends[aws.account_id][aws.region].tables.get(table)
    if found is None:
        return
    for item in found.all_items():
        if int(item.attrs["expiration"].value) < time.time():
            found.delete_item(item.hash_key, None)
