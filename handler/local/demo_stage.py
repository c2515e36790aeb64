"""The stage of the demonstration: a target, an AWS account, the deployed function, and one secret attached to it."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import TYPE_CHECKING, Any, Protocol

from moto.secretsmanager.exceptions import ResourceNotFoundException

from local.aws import AwsStage
from local.demo_report import LoginSeen
from local.lambda_runtime import LambdaFunction
from local.targets import target_for
from local.targets.target import Target
from local.xray import XRayDaemon
from rotation.engines import ENGINES
from rotation.models import STRATEGY_TAG
from rotation.protocols import EngineTraits
from rotation.settings import StrategyName
from rotation.strategies import STRATEGIES
from rotation.strategies.change import Strategy

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

USER, SECRET_NAME = "orders", "demo/orders"
ROTATION_RULES = {"AutomaticallyAfterDays": 30}
_SERVICE, _TABLE = "demo", "demo-idempotency"
# The template's defaults.
_MEMORY_MB, _TIMEOUT_SECONDS = 1024, 60.0


class Line(Protocol):
    """Where a finished piece of work says what it came to."""

    text: str


Doing = Callable[[str, str], AbstractContextManager[Line]]
"""Shows a piece of work by name and description while its `with` block lasts."""

Document = dict[str, Any]


class StrategyImpossibleError(Exception):
    """The engine cannot follow the strategy; the message says which it can."""


@dataclass
class DemoStage:
    """What is on the stage."""

    engine: str
    strategy: Strategy
    target: Target
    aws: AwsStage
    xray: XRayDaemon
    function: LambdaFunction
    table: str
    traits: EngineTraits
    _fingerprint_key: bytes = field(default_factory=lambda: token_bytes(16))

    @cached_property
    def _secrets_manager(self) -> "SecretsManagerClient":
        return self.aws.client("secretsmanager")

    @property
    def old_works_on(self) -> bool:
        """Whether clients that have not read the secret again are let in until the next rotation."""
        return not self.strategy.interrupts_clients or self.traits.keeps_old_password

    def labels(self) -> dict[str, str]:
        """Return the version id that has each staging label."""
        stages = self._secrets_manager.describe_secret(SecretId=SECRET_NAME)["VersionIdsToStages"]
        return {label: version for version, labels in stages.items() for label in labels}

    def version(self, label: str) -> tuple[str, Document]:
        """Return the id and the content of the version with a staging label.

        Read inside of the service, where the faults that are meant for the function's role do not apply.
        """
        with self.aws.secrets_manager() as service:
            answer = service.get_secret_value(SECRET_NAME, "", label)
        document: Document = json.loads(answer["SecretString"])
        return answer["VersionId"], document

    def passwords(self) -> set[str]:
        """Return the passwords that are in play; they may be in Secrets Manager and nowhere else."""
        found = {self.target.superuser[1]}
        for label in self.labels():
            with suppress(ResourceNotFoundException):  # createSecret has not given it a value yet
                found.add(self.version(label)[1]["password"])
        return found

    def log_in(self, label: str, version_id: str, document: Document) -> LoginSeen:
        """Try a login with one version of the secret."""
        try:
            answer = self.target.refusal(document["username"], document["password"])
        except Exception:  # noqa: BLE001 - each target's driver has errors of its own; one that is stopped is shown as such
            answer = "cannot be reached"
        fingerprint = hashlib.blake2s(document["password"].encode(), key=self._fingerprint_key, digest_size=4)
        return LoginSeen(
            label=label,
            version_id=version_id,
            user=document["username"],
            fingerprint=fingerprint.hexdigest(),
            accepted=answer is None,
            answer=answer or "accepted",
        )


@contextmanager
def demo_stage(engine: str, strategy: StrategyName | None, doing: Doing) -> Iterator[DemoStage]:
    """Set the stage, piece by piece, and clear it at the end.

    Raises:
        StrategyImpossibleError: the engine cannot follow the strategy.
        ServerError: the target's server is missing, or does not start.
    """
    registered = ENGINES[engine]
    traits: EngineTraits = getattr(import_module(registered.module), registered.name).traits
    chosen = _chosen(engine, strategy, traits)
    with ExitStack() as resources:
        with doing("AWS", "Secrets Manager, DynamoDB and X-Ray") as line:
            aws, xray = resources.enter_context(AwsStage()), resources.enter_context(XRayDaemon())
            aws.client("dynamodb").create_table(
                TableName=_TABLE,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            line.text = f"Secrets Manager, DynamoDB and X-Ray on {aws.endpoint_url.removeprefix('http://')}"
        kind = target_for(engine)
        with doing("Target", f"a new {kind.title} that checks every password") as line:
            # It writes all that it can be made to write, so that it means something that no password is in there.
            target = resources.enter_context(kind())
            line.text = f"{target.title} on {target.keys['host']}:{target.keys['port']}, which checks every password"
        with doing("Secret", "a user and its secret") as line:
            _create_secrets(aws, target, engine, chosen)
            line.text = f"{SECRET_NAME}, the login of the user {USER}"
        function = resources.enter_context(_function({**aws.environment, **xray.environment}))
        yield DemoStage(engine, chosen, target, aws, xray, function, _TABLE, traits)


def _chosen(engine: str, name: StrategyName | None, traits: EngineTraits) -> Strategy:
    possible = {each.name: each for each in STRATEGIES.values() if each.is_possible(traits)}
    if name is None:
        return next(iter(possible.values()))
    if name not in possible:
        raise StrategyImpossibleError(f"{name} is not possible with {engine}: choose of {', '.join(possible)}")
    return possible[name]


def _function(environment: Mapping[str, str]) -> LambdaFunction:
    """The handler that is deployed, with the settings that the template gives it."""
    package = find_spec("rotation")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the package rotation is not installed")
    return LambdaFunction(
        "rotation.app.lambda_handler",
        task_root=Path(package.origin).parents[1],
        environment={**environment, "POWERTOOLS_SERVICE_NAME": _SERVICE, "IDEMPOTENCY_TABLE": _TABLE},
        memory_mb=_MEMORY_MB,
        timeout_seconds=_TIMEOUT_SECONDS,
        function_name=_SERVICE,
    )


def _create_secrets(aws: AwsStage, target: Target, engine: str, strategy: Strategy) -> None:
    """Make the user and its secret, and the superuser's where the strategy needs one."""
    password = token_urlsafe(24)
    target.create_user(USER, password)
    server = {"engine": engine, **target.keys}
    # A key that the function does not know: it has to survive.
    document: Document = {**server, "username": USER, "password": password, "team": "checkout"}
    client = aws.client("secretsmanager")
    if strategy.needs_superuser:
        name, its_password = target.superuser
        superuser = {**server, "username": name, "password": its_password}
        document["masterarn"] = client.create_secret(Name="demo/superuser", SecretString=json.dumps(superuser))["ARN"]
    client.create_secret(
        Name=SECRET_NAME,
        SecretString=json.dumps(document),
        Tags=[{"Key": STRATEGY_TAG, "Value": strategy.name.value}],
    )
