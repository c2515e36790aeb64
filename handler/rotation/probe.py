"""The scheduled look at every secret that names the rotation function.

It sees what no invocation can tell: rotations that do not happen. One ListSecrets call covers a hundred secrets, and only
unfinished ones cost a call of their own, so 10,000 healthy secrets are a hundred calls.
"""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from rotation.aws import AwsCalls, AwsClients, Patience
from rotation.errors import ConfigurationInvalidError
from rotation.fleet import Examined, Finding, Limits, WatchedSecret, age_seconds, findings, oldest_age
from rotation.metrics import Metric
from rotation.observability import LambdaContext, Observability
from rotation.settings import ReportingSettings, WatchSettings

PAGE_SIZE = 100
_PATIENCE = Patience(connect=2.0, read=10.0, attempts=8, within_deadline=False)
"""A listing may be throttled by others in the account; the probe has minutes, and no client waits for it."""
_MOST_DETAILS = 200
"""Lines of detail per look: enough to act on, and bounded if everything breaks at once."""


class Probe:
    """Looks at all secrets and reports what it finds."""

    def __init__(self, settings: WatchSettings, clients: AwsClients) -> None:
        self._settings = settings
        self._client = clients.raw("secretsmanager", _PATIENCE)
        self._observability = Observability(settings)

    def look(self, context: LambdaContext, now: datetime) -> dict[str, int]:
        """Report the fleet's state at `now`; the answer counts findings by state."""
        with self._observability.watch(context, "probe") as report:
            calls = AwsCalls("secretsmanager", self._client, report.record)
            fleet = [_examine(calls, secret) for secret in self._secrets(calls)]
            limits = Limits(
                timedelta(minutes=self._settings.stuck_after_minutes),
                timedelta(minutes=self._settings.overdue_grace_minutes),
            )
            found = list(findings(fleet, limits, now))
            for finding in found[:_MOST_DETAILS]:
                report.detail(f"secret {finding.state}", **_detail(finding, now))
            report.measure(_figures(fleet, found, now))
        return dict(Counter(finding.state for finding in found))

    def _secrets(self, calls: AwsCalls) -> Iterator[WatchedSecret]:
        parameters: dict[str, Any] = {"MaxResults": PAGE_SIZE}
        if self._settings.secret_name_prefix:
            parameters["Filters"] = [{"Key": "name", "Values": [self._settings.secret_name_prefix]}]
        while True:
            page = calls("list_secrets", **parameters)
            for entry in page["SecretList"]:
                if entry.get("RotationLambdaARN") == self._settings.rotation_function_arn and "DeletedDate" not in entry:
                    yield WatchedSecret.from_listing(entry)
            if not (token := page.get("NextToken")):
                return
            parameters["NextToken"] = token


def _examine(calls: AwsCalls, secret: WatchedSecret) -> Examined:
    if secret.pending_version is None:
        return Examined(secret, None)
    versions = calls("list_secret_version_ids", SecretId=secret.arn, IncludeDeprecated=False)["Versions"]
    created = (entry["CreatedDate"] for entry in versions if entry["VersionId"] == secret.pending_version)
    return Examined(secret, next(created, None))


def _figures(fleet: list[Examined], found: list[Finding], now: datetime) -> dict[Metric, float]:
    states = Counter(finding.state for finding in found)
    return {
        Metric.PROBE_SUCCEEDED: 1.0,
        Metric.SECRETS_WATCHED: float(len(fleet)),
        Metric.SECRETS_OVERDUE: float(states["overdue"]),
        Metric.SECRETS_UNFINISHED: float(states["unfinished"] + states["stuck"]),
        Metric.SECRETS_STUCK: float(states["stuck"]),
        Metric.SECRETS_SWITCHED_OFF: float(states["switched_off"]),
        Metric.OLDEST_PENDING_AGE: oldest_age((examined.pending_since for examined in fleet), now),
        Metric.OLDEST_CREDENTIAL_AGE: oldest_age((examined.secret.credential_since for examined in fleet), now),
    }


def _detail(finding: Finding, now: datetime) -> dict[str, Any]:
    secret = finding.secret
    detail: dict[str, Any] = {"secret_arn": secret.arn, "state": finding.state, "rotation_id": secret.pending_version}
    if finding.since is not None:
        detail |= {"since": finding.since.isoformat(), "for_minutes": round(age_seconds(finding.since, now) / 60)}
    return {key: value for key, value in detail.items() if value is not None}


@cache
def probe() -> Probe:
    """The environment's probe."""
    return Probe(WatchSettings.from_environment(os.environ), AwsClients())


def lambda_handler(_event: Any, context: LambdaContext) -> dict[str, int]:
    """What the schedule invokes."""
    try:
        ready = probe()
    except ConfigurationInvalidError as error:
        with Observability(ReportingSettings.for_reporting(os.environ)).watch(context, "probe"):
            raise error from None
    return ready.look(context, datetime.now(UTC))
