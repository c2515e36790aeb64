"""What the template deploys, as far as the stage runs it: nothing is configured here that the template does not say."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dashboards.preview.documents import Document, Json
from dashboards.preview.intrinsics import as_text, resolve
from dashboards.preview.template import Stack

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
SERVICE = "drill"
PREFIX = "drill/"
PARAMETERS: Mapping[str, object] = {
    "SecretNamePrefix": PREFIX,
    # The shortest timeout that the template allows, and a slow step in proportion: some failures last as long.
    "Timeout": 20,
    "SlowStepMilliseconds": 7000,
}


@dataclass(frozen=True)
class FunctionDefinition:
    """One Lambda function; `retries` are those of an asynchronous invocation."""

    name: str
    handler: str
    timeout_seconds: float
    memory_mb: int
    variables: Mapping[str, str]
    retries: int

    @property
    def log_group(self) -> str:
        return f"/aws/lambda/{self.name}"


@dataclass(frozen=True)
class RuleDefinition:
    """One EventBridge rule: it either runs on a schedule or waits for events."""

    name: str
    schedule: str | None
    pattern: Document | None


class Deployment:
    """The stack, and the resources of it that are brought to life."""

    def __init__(self, template: Path = TEMPLATE) -> None:
        """Read the template.

        Raises:
            PreviewError: it cannot be read or resolved.
        """
        self.stack = Stack.load(template, PARAMETERS, name=SERVICE)
        self.rotation = self._function("RotationFunction")
        self.probe = self._function("ProbeFunction")
        self.events = self._function("EventsFunction")
        self.probe_rule = self._rule("ProbeRule")
        self.events_rule = self._rule("EventsRule")
        self.table = str(self.stack.ref("IdempotencyTable"))
        self.queue = self.stack.attribute("DeadLetterQueue", "QueueName")
        self.page_topic = str(self.stack.ref("PageTopic"))
        self.ticket_topic = str(self.stack.ref("TicketTopic"))

    def _function(self, logical_id: str) -> FunctionDefinition:
        own = self._properties(
            logical_id, "FunctionName", "Handler", "Timeout", "MemorySize", "Environment", "EventInvokeConfig"
        )
        shared = self._resolved(self.stack.document["Globals"]["Function"])
        variables = {**shared["Environment"]["Variables"], **own.get("Environment", {}).get("Variables", {})}
        return FunctionDefinition(
            name=own["FunctionName"],
            handler=own["Handler"],
            timeout_seconds=float(own["Timeout"]),
            memory_mb=int(own.get("MemorySize", shared["MemorySize"])),
            variables={name: as_text(value) for name, value in variables.items()},
            retries=int(own.get("EventInvokeConfig", {}).get("MaximumRetryAttempts", 0)),
        )

    def _rule(self, logical_id: str) -> RuleDefinition:
        own = self._properties(logical_id, "ScheduleExpression", "EventPattern")
        return RuleDefinition(str(self.stack.ref(logical_id)), own.get("ScheduleExpression"), own.get("EventPattern"))

    def _properties(self, logical_id: str, *names: str) -> Document:
        declared = self.stack.document["Resources"][logical_id]["Properties"]
        return self._resolved({name: declared[name] for name in names if name in declared})

    def _resolved(self, node: Json) -> Document:
        resolved: Document = resolve(node, self.stack)
        return resolved
