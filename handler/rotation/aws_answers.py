"""What an answer of AWS must hold to be one.

botocore takes whatever comes with status 200, a proxy's page or half of an answer, for a success without content. A step
that believed it would report a change that never happened.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, NotRequired, TypedDict

from pydantic import TypeAdapter, ValidationError


class _Tag(TypedDict):
    Key: str
    Value: str


class _Described(TypedDict):
    ARN: str
    VersionIdsToStages: NotRequired[dict[str, list[str]]]
    Tags: NotRequired[list[_Tag]]


class _Got(TypedDict):
    VersionId: str
    CreatedDate: datetime
    SecretString: NotRequired[str]


class _Changed(TypedDict):
    ARN: str


class _Listed(TypedDict):
    SecretList: list[dict[str, Any]]


class _ListedVersions(TypedDict):
    Versions: list[dict[str, Any]]


class _Instances(TypedDict):
    DBInstances: list[dict[str, Any]]


class _Clusters(TypedDict):
    DBClusters: list[dict[str, Any]]


_ANSWERS: Mapping[str, Any] = {
    "describe_db_clusters": _Clusters,
    "describe_db_instances": _Instances,
    "describe_secret": _Described,
    "get_secret_value": _Got,
    "list_secret_version_ids": _ListedVersions,
    "list_secrets": _Listed,
    "put_secret_value": _Changed,
    "update_secret_version_stage": _Changed,
}


def missing_in(answer: dict[str, Any], operation: str) -> str | None:
    """The first field that the answer should hold and does not, or holds as something else.

    Nothing is known of the answers of operations that only engines call; those look at them themselves.
    """
    try:
        _adapter(operation).validate_python(answer)
    except ValidationError as error:
        return str(error.errors(include_input=False, include_url=False)[0]["loc"][0])
    return None


@cache
def _adapter(operation: str) -> TypeAdapter[Any]:
    # Made with the first answer of its kind: few operations are called in one environment.
    return TypeAdapter(_ANSWERS.get(operation, dict[str, Any]))
