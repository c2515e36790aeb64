"""Every policy of the stack, and what holds of all of them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dashboards.preview.intrinsics import load_template
from tests.stack import ROOT, TEMPLATE, WholeStack, statements

STACK = WholeStack(SuperuserSecretArns="arn:aws:secretsmanager:eu-central-1:123456789012:secret:admin-AbCdEf")
PREFIXED = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/*"
DATABASES = {f"arn:aws:rds:eu-central-1:123456789012:{kind}:*" for kind in ("db", "cluster")}

WILDCARDS: dict[tuple[str, str], tuple[set[str], str]] = {
    ("RotationRole", "RotateSecretsThatNameThisFunction"): (
        {PREFIXED},
        "All secrets below the prefix; the condition leaves those that name this function.",
    ),
    ("RotationRole", "FindPrimaries"): (
        DATABASES,
        "Which database a secret is for is only known once it is read; the calls describe, in this account and region.",
    ),
    ("RotationRole", "FindDomainControllers"): ({"*"}, "DescribeDirectories knows no resource; it shows no password."),
    ("RotationRole", "SendTraces"): ({"*"}, "X-Ray knows no resource that traces are sent to."),
    ("RotationRole", "LetLambdaConnectTheFunction"): (
        {"*"},
        "Lambda makes network interfaces before they have a name, and denies the calls to the function's own code.",
    ),
    ("RotationRole", "ButNotTheFunctionsCode"): ({"*"}, "A denial, which is to leave nothing out."),
    ("ProbeRole", "ListSecrets"): ({"*"}, "ListSecrets knows no resource; it shows no value."),
    ("ProbeRole", "DateUnfinishedVersions"): ({PREFIXED}, "All secrets below the prefix; it shows ids and dates, no value."),
    ("ProbeRole", "SendTraces"): ({"*"}, "X-Ray knows no resource that traces are sent to."),
    ("EventsRole", "SendTraces"): ({"*"}, "X-Ray knows no resource that traces are sent to."),
    ("NotificationKey", "TheAccountDecides"): ({"*"}, "In a key's own policy this means the key."),
    ("NotificationKey", "AlarmsMayEncrypt"): ({"*"}, "In a key's own policy this means the key."),
    ("NotificationKey", "EventsMayEncrypt"): ({"*"}, "In a key's own policy this means the key."),
}
"""Statements whose resources have a wildcard: which, and why."""

WILD_ACTIONS = {
    ("NotificationKey", "TheAccountDecides", "kms:*"): "Without it nobody could ever change the key.",
    ("NotificationKey", "AlarmsMayEncrypt", "kms:GenerateDataKey*"): "As SNS documents it for publishing services.",
    ("NotificationKey", "EventsMayEncrypt", "kms:GenerateDataKey*"): "As SNS documents it for publishing services.",
}
"""Actions that have a wildcard, and why."""


def policies() -> Iterator[tuple[str, dict[str, Any]]]:
    """The statements of all roles and resources, by the logical id of what they belong to."""
    for name, resource in STACK.resources.items():
        properties = resource.get("Properties", {})
        documents = [properties[key] for key in ("PolicyDocument", "KeyPolicy") if key in properties]
        documents += [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
        for document in documents:
            for statement in statements(document):
                yield name, statement


def test_every_wildcard_in_a_resource_has_a_reason() -> None:
    found = {(name, it["Sid"], resource) for name, it in policies() for resource in it["Resource"] if "*" in resource}
    assert found == {(*place, resource) for place, (resources, _why) in WILDCARDS.items() for resource in resources}


def test_every_wildcard_in_an_action_has_a_reason() -> None:
    found = {(name, it["Sid"], action) for name, it in policies() for action in it["Action"] if "*" in action}
    assert found == set(WILD_ACTIONS)


def test_what_is_allowed_to_everybody_is_nothing() -> None:
    to_everybody = [it for _name, it in policies() if "*" in str(it.get("Principal", "")) or "NotPrincipal" in it]
    assert len(to_everybody) == 2
    assert {it["Effect"] for it in to_everybody} == {"Deny"}


def test_roles_have_no_policies_but_their_own() -> None:
    roles = {name: it["Properties"] for name, it in STACK.resources.items() if it["Type"] == "AWS::IAM::Role"}
    assert len(roles) == 3
    assert {key for role in roles.values() for key in role} == {"AssumeRolePolicyDocument", "Policies"}


@pytest.mark.parametrize("nested", ["Alarms", "Dashboards"])
def test_nested_stacks_bring_no_policies(nested: str) -> None:
    path = TEMPLATE["Resources"][nested]["Properties"]["TemplateURL"]
    types = {resource["Type"] for resource in load_template((ROOT / path).read_text(), path)["Resources"].values()}
    assert types <= {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm", "AWS::CloudWatch::Dashboard"} | {
        "AWS::Logs::QueryDefinition"
    }


ENCRYPTION: dict[str, Callable[[dict[str, Any]], bool]] = {
    "AWS::DynamoDB::Table": lambda it: it["SSESpecification"]["SSEEnabled"] and it["SSESpecification"]["SSEType"] == "KMS",
    "AWS::SNS::Topic": lambda it: it["KmsMasterKeyId"] == "<NotificationKey>",
    "AWS::SQS::Queue": lambda it: it["SqsManagedSseEnabled"],
    # Always encrypted; the property is for a key of one's own.
    "AWS::Logs::LogGroup": lambda it: "KmsKeyId" in it,
}


@pytest.mark.parametrize("kind", ENCRYPTION)
def test_everything_that_is_stored_is_encrypted(kind: str) -> None:
    stored = {name: it["Properties"] for name, it in STACK.resources.items() if it["Type"] == kind}
    assert stored
    assert [name for name, properties in stored.items() if not ENCRYPTION[kind](properties)] == []
