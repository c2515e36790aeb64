"""What `Ref` and `Fn::GetAtt` give for the resources that alarms and dashboards refer to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dashboards.preview.documents import PreviewError

NESTED_STACKS = frozenset({"AWS::CloudFormation::Stack", "AWS::Serverless::Application"})


@dataclass(frozen=True, slots=True)
class Account:
    """Where the stack is pretended to live; the account number is AWS's own example."""

    region: str = "eu-central-1"
    number: str = "123456789012"
    partition: str = "aws"

    def pseudo_parameters(self, stack_name: str) -> Mapping[str, str]:
        return {
            "AWS::Region": self.region,
            "AWS::AccountId": self.number,
            "AWS::Partition": self.partition,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack_name,
            "AWS::StackId": self.arn("cloudformation", f"stack/{stack_name}/preview"),
        }

    def arn(self, service: str, rest: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.number}:{rest}"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A resource type: the property that names it, its ARN, and what `Ref` returns."""

    name_property: str
    service: str
    path: str
    ref: Literal["name", "arn", "url"] = "name"


_FUNCTION = _Kind("FunctionName", "lambda", "function:{}")
_TABLE = _Kind("TableName", "dynamodb", "table/{}")
_KINDS = {
    "AWS::CloudWatch::Alarm": _Kind("AlarmName", "cloudwatch", "alarm:{}"),
    "AWS::CloudWatch::CompositeAlarm": _Kind("AlarmName", "cloudwatch", "alarm:{}"),
    "AWS::CloudWatch::Dashboard": _Kind("DashboardName", "cloudwatch", "dashboard/{}"),
    "AWS::DynamoDB::Table": _TABLE,
    "AWS::Events::EventBus": _Kind("Name", "events", "event-bus/{}"),
    "AWS::Events::Rule": _Kind("Name", "events", "rule/{}"),
    "AWS::KMS::Key": _Kind("KeyId", "kms", "key/{}"),
    "AWS::Lambda::Function": _FUNCTION,
    "AWS::Logs::LogGroup": _Kind("LogGroupName", "logs", "log-group:{}:*"),
    "AWS::SNS::Topic": _Kind("TopicName", "sns", "{}", ref="arn"),
    "AWS::SQS::Queue": _Kind("QueueName", "sqs", "{}", ref="url"),
    "AWS::Scheduler::Schedule": _Kind("Name", "scheduler", "schedule/default/{}"),
    "AWS::SecretsManager::Secret": _Kind("Name", "secretsmanager", "secret:{}", ref="arn"),
    "AWS::Serverless::Function": _FUNCTION,
    "AWS::Serverless::SimpleTable": _TABLE,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """One resource with the name it has or would get."""

    type: str
    name: str
    account: Account

    @staticmethod
    def name_property(resource_type: str) -> str | None:
        kind = _KINDS.get(resource_type)
        return kind.name_property if kind else None

    def ref(self) -> str:
        kind = _KINDS.get(self.type)
        if self.type in NESTED_STACKS:
            return self.account.arn("cloudformation", f"stack/{self.name}/preview")
        if kind is None or kind.ref == "name":
            return self.name
        if kind.ref == "url":
            return f"https://{kind.service}.{self.account.region}.amazonaws.com/{self.account.number}/{self.name}"
        return self.attribute("Arn")

    def attribute(self, attribute: str) -> str:
        kind = _KINDS.get(self.type)
        if kind and attribute in {"Arn", f"{self.type.rsplit('::', 1)[-1]}Arn"}:
            return self.account.arn(kind.service, kind.path.format(self.name))
        if kind and attribute == kind.name_property:
            return self.name
        if kind and attribute == "QueueUrl":
            return self.ref()
        message = f"the preview does not know the attribute {attribute} of {self.type} ({self.name})"
        raise PreviewError(message)
