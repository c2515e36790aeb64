"""How long the product's imports take, and whose they are: `python -X importtime` on the artefact.

A module counts for the dependency that it belongs to. A module of the standard library counts for the dependency that
imported it first, so the sum is the whole import; a dependency that comes later finds much of it done already.
"""

import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

# The longest prefix counts.
_OWNERS = {
    "rotation": "rotation, with its clients",
    "boto3": "boto3 and botocore",
    "botocore": "boto3 and botocore",
    "s3transfer": "boto3 and botocore",
    "jmespath": "boto3 and botocore",
    "dateutil": "boto3 and botocore",
    "six": "boto3 and botocore",
    "urllib3": "boto3 and botocore",
    "aws_lambda_powertools": "Powertools, shared",
    "aws_lambda_powertools.logging": "Powertools logger",
    "aws_lambda_powertools.metrics": "Powertools metrics",
    "aws_lambda_powertools.tracing": "Powertools tracer",
    "aws_lambda_powertools.utilities.parser": "Powertools parser",
    "aws_lambda_powertools.utilities.idempotency": "Powertools idempotency",
    "aws_xray_sdk": "X-Ray SDK",
    "wrapt": "X-Ray SDK",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic",
    "annotated_types": "pydantic",
    "typing_inspection": "pydantic",
    "typing_extensions": "pydantic",
    "psycopg": "psycopg, at the first login",
    "psycopg_binary": "psycopg, at the first login",
}
_INTERPRETER = "interpreter"
_STATEMENT = "import rotation.app; import rotation.engines.postgres_session"
_ROW = re.compile(r"import time:\s+(?P<own_us>\d+) \|\s+\d+ \|(?P<indent> +)(?P<module>\S+)")


def import_profile(artefact: Path, environment: Mapping[str, str], runs: int) -> dict[str, float]:
    """Milliseconds by dependency, largest first; medians of several fresh processes."""
    profiles = [_profile(artefact, environment) for _ in range(runs)]
    owners = {owner for profile in profiles for owner in profile}
    medians = {owner: statistics.median(profile[owner] for profile in profiles) / 1000 for owner in owners}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def _profile(artefact: Path, environment: Mapping[str, str]) -> Counter[str]:
    variables = {**environment, "PYTHONPATH": str(artefact), "LAMBDA_TASK_ROOT": str(artefact), "HOME": "/nonexistent"}
    command = [sys.executable, "-S", "-X", "importtime", "-c", _STATEMENT]
    done = subprocess.run(command, env=variables, cwd=artefact, capture_output=True, text=True, check=True)
    profile: Counter[str] = Counter()
    for owner, own_us in _owned(done.stderr):
        profile[owner] += own_us
    del profile[_INTERPRETER]
    return profile


def _owned(report: str) -> Iterator[tuple[str, int]]:
    """Owner and own time (microseconds) of each module.

    A module stands below those that it imported, so from the end upwards each comes before what it imported.
    """
    path: list[str] = []
    for row in reversed([match for match in map(_ROW.match, report.splitlines()) if match]):
        depth = (len(row["indent"]) - 1) // 2
        del path[depth:]
        owner = _owner_by_name(row["module"]) or (path[-1] if path else _INTERPRETER)
        path.append(owner)
        yield owner, int(row["own_us"])


def _owner_by_name(module: str) -> str | None:
    while module:
        if module in _OWNERS:
            return _OWNERS[module]
        module = module.rpartition(".")[0]
    return None
