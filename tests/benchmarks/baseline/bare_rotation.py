"""The bare baseline: the four steps without anything around them, to measure the product against.

In structure it is what public single-user templates are: one module, every import at its top, a boto3 client made by every
invocation, the secret's versions read again wherever one is needed (14 calls of Secrets Manager in a rotation), the
pending login tried before the current one, and no metric, trace, lock, log line or schema. The code is written for this
benchmark. It is kinder than such templates in one thing: it logs nothing at all.
"""

import json
from typing import Any

import boto3
import psycopg
from psycopg import sql


def lambda_handler(event: dict[str, str], _context: Any) -> None:
    secret_id, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    client = boto3.client("secretsmanager")

    secret = client.describe_secret(SecretId=secret_id)
    if "RotationEnabled" in secret and not secret["RotationEnabled"]:
        raise ValueError(f"rotation of {secret_id} is switched off")
    stages = secret["VersionIdsToStages"]
    if token not in stages:
        raise ValueError(f"{secret_id} has no version {token}")
    if "AWSCURRENT" in stages[token]:
        return
    if "AWSPENDING" not in stages[token]:
        raise ValueError(f"version {token} of {secret_id} is not pending")

    if step == "createSecret":
        create_secret(client, secret_id, token)
    elif step == "setSecret":
        set_secret(client, secret_id, token)
    elif step == "testSecret":
        test_secret(client, secret_id, token)
    elif step == "finishSecret":
        finish_secret(client, secret_id, token)
    else:
        raise ValueError("unknown step")


def create_secret(client: Any, secret_id: str, token: str) -> None:
    document = _read(client, secret_id, "AWSCURRENT")
    try:
        _read(client, secret_id, "AWSPENDING", token)
    except client.exceptions.ResourceNotFoundException:
        password = client.get_random_password(PasswordLength=32, ExcludeCharacters=":/@\"'\\")
        document["password"] = password["RandomPassword"]
        client.put_secret_value(
            SecretId=secret_id, ClientRequestToken=token, SecretString=json.dumps(document), VersionStages=["AWSPENDING"]
        )


def set_secret(client: Any, secret_id: str, token: str) -> None:
    try:
        previous = _read(client, secret_id, "AWSPREVIOUS")
    except client.exceptions.ResourceNotFoundException:
        previous = None
    current = _read(client, secret_id, "AWSCURRENT")
    pending = _read(client, secret_id, "AWSPENDING", token)

    connection = _connect(pending)
    if connection is not None:
        connection.close()
        return
    if (current["username"], current["host"]) != (pending["username"], pending["host"]):
        raise ValueError("user and host of the pending version are not those of the current one")
    connection = _connect(current)
    if connection is None and previous is not None:
        connection = _connect(previous)
    if connection is None:
        raise ValueError("no version's login works")
    statement = sql.SQL("ALTER USER {} WITH PASSWORD {}")
    with connection, connection.cursor() as cursor:
        cursor.execute(statement.format(sql.Identifier(pending["username"]), sql.Literal(pending["password"])))


def test_secret(client: Any, secret_id: str, token: str) -> None:
    connection = _connect(_read(client, secret_id, "AWSPENDING", token))
    if connection is None:
        raise ValueError("the pending login does not work")
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT NOW()")


def finish_secret(client: Any, secret_id: str, token: str) -> None:
    stages = client.describe_secret(SecretId=secret_id)["VersionIdsToStages"]
    current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
    if current != token:
        client.update_secret_version_stage(
            SecretId=secret_id, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )


def _read(client: Any, secret_id: str, stage: str, token: str | None = None) -> dict[str, Any]:
    version = {} if token is None else {"VersionId": token}
    answer = client.get_secret_value(SecretId=secret_id, VersionStage=stage, **version)
    document: dict[str, Any] = json.loads(answer["SecretString"])
    for key in ("engine", "host", "username", "password"):
        if key not in document:
            raise KeyError(f"the secret lacks {key}")
    return document


def _connect(document: dict[str, Any]) -> "psycopg.Connection[Any] | None":
    try:
        return psycopg.connect(
            host=document["host"],
            port=int(document.get("port", 5432)),
            user=document["username"],
            password=document["password"],
            dbname=document.get("dbname", "postgres"),
            connect_timeout=5,
            sslmode="verify-full" if document.get("ssl", True) else "disable",
        )
    except psycopg.OperationalError:
        return None
