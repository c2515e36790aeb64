"""What a role allows is what its function was seen to do: nothing is missing, nothing is left over.

The functions run through everything that makes them call AWS; then each call is put to the template's policies, and each
permission has to find a call that needs it.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from dashboards.preview.resource_names import Account
from local.aws_server import Call
from local.contract.rotating import new_password
from local.fake_cache_users import SERVICES
from local.rotation_events import RotationEvent, eventbridge_event
from tests.functional.seen import Seen
from tests.functional.world import STEPS, TABLE, Deployed, Run, World
from tests.stack import ROOT, WholeStack, applies, may, role_statements
from tests.verdict import Verdict

pytestmark = pytest.mark.reliability

PREFIX = "privileges/"
ROLES = ("RotationRole", "ProbeRole", "EventsRole")

MADE_BY_OTHERS = {
    "Lambda writes what the function prints.": ("logs:CreateLogStream", "logs:PutLogEvents"),
    "Lambda's X-Ray daemon sends what the function leaves with it.": (
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    ),
    "Secrets Manager and DynamoDB use a key in the caller's name; kms:ViaService lets nobody else.": (
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ),
    "Lambda connects the function to the VPC; to the function's own code the same is denied.": (
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ),
    "Lambda hands over the events that an asynchronous invocation could not handle.": ("sqs:SendMessage",),
}
"""Permissions that no code of this project uses, by the reason for which they are granted."""

PROVED_ELSEWHERE = {
    "tests/contract/test_activedirectory.py": ("ds:DescribeDirectories", "ds:ResetUserPassword"),
}
"""Permissions of engines that are reached through AWS's API, by the test module that compares them with the calls."""

Permission = tuple[str, str]
"""A statement's Sid, and one of its actions."""


@dataclass
class Observed:
    """Calls that reached AWS while a function worked, and what it was to use: superusers' secrets, and users of caches."""

    world: World
    calls: set[Call] = field(default_factory=set)
    superusers: list[str] = field(default_factory=list)
    cache_users: list[str] = field(default_factory=list)

    def invoke(self, function: Deployed, event: Any) -> Seen:
        before = len(self.world.aws.calls)
        seen = function.invoke(event)
        self.calls.update(self.world.aws.calls[before:])
        return seen

    def steps(self, function: Deployed, run: Run, *steps: str) -> Seen:
        """Run steps of which all but the last have to succeed."""
        *others, last = [self.invoke(function, run.event(step)) for step in steps]
        assert all(seen.succeeded for seen in others)
        return last

    def run_on(self, *, test: bool = False, **keys: Any) -> Run:
        """A rotation begun on a secret that the role is for."""
        return self.world.begin(self.world.new_secret(name=f"{PREFIX}{uuid.uuid4()}", **keys), test=test)

    def superuser(self, arn: str) -> str:
        self.superusers.append(arn)
        return arn


def rotate_by_every_strategy(observed: Observed, function: Deployed) -> None:
    assert observed.steps(function, observed.run_on(), *STEPS).succeeded
    for strategy in ("single-user-by-superuser", "alternating-users"):
        superuser = observed.superuser(observed.world.new_superuser_secret())
        assert observed.steps(function, observed.run_on(masterarn=superuser, tag=strategy), *STEPS).succeeded


def run_a_test(observed: Observed, function: Deployed) -> None:
    assert observed.steps(function, observed.run_on(test=True), "testSecret").line["run_kind"] == "test"


def fall_back_and_fail(observed: Observed, function: Deployed) -> None:
    run = observed.run_on()
    observed.world.set_password(str(observed.world.value(run.secret_arn)["username"]), "changed by hand")
    assert observed.steps(function, run, "createSecret", "setSecret").line["reason"] == "credential_unknown"


def finish_without_memory(observed: Observed, function: Deployed) -> None:
    run = observed.run_on()
    assert observed.steps(function, run, *STEPS[:3]).succeeded
    with observed.world.deployed() as another:
        assert observed.steps(another, run, "finishSecret").outcome == "succeeded"


def look_for_primaries(observed: Observed, function: Deployed) -> None:
    """Superusers' secrets made by RDS; that the host is none of the primary's is known only after every question."""
    rds = observed.world.aws.client("rds")
    password = new_password()
    login: dict[str, Any] = {"MasterUsername": "root", "MasterUserPassword": password}
    size: dict[str, Any] = {"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20}
    instance = rds.create_db_instance(DBInstanceIdentifier="instance", Engine="postgres", **size, **login)
    cluster = rds.create_db_cluster(DBClusterIdentifier="cluster", Engine="aurora-postgresql", **login)
    tags = {
        "aws:rds:primarydbinstancearn": instance["DBInstance"]["DBInstanceArn"],
        "aws:rds:primarydbclusterarn": cluster["DBCluster"]["DBClusterArn"],
    }
    for key, arn in tags.items():
        secret = observed.superuser(observed.world.store({"username": "root", "password": password}))
        observed.world.secrets_manager.tag_resource(SecretId=secret, Tags=[{"Key": key, "Value": arn}])
        seen = observed.steps(function, observed.run_on(masterarn=secret), "createSecret", "setSecret")
        assert seen.line["reason"] == "target_mismatch"


def rotate_cache_users(observed: Observed, function: Deployed) -> None:
    for service in SERVICES:
        password = new_password()
        with observed.world.aws.cache_users(service) as users:
            users.create("privileged", "privileged", password)
            arn = users.arn("privileged")
        observed.cache_users.append(arn)
        keys = {"username": "privileged", "password": password, "user_arn": arn}
        run = observed.world.begin(observed.world.store(keys, name=f"{PREFIX}{uuid.uuid4()}"))
        assert observed.steps(function, run, *STEPS).succeeded


SCENARIOS = (
    rotate_by_every_strategy,
    run_a_test,
    fall_back_and_fail,
    finish_without_memory,
    look_for_primaries,
    rotate_cache_users,
)


@pytest.fixture(scope="module")
def observed(world: World, deployed: Deployed) -> dict[str, Observed]:
    """By role, what its function did."""
    rotation, probe, listener = Observed(world), Observed(world), Observed(world)
    for scenario in SCENARIOS:
        scenario(rotation, deployed)
    environment = {"ROTATION_FUNCTION_ARN": account(world).arn("lambda", "function:rotation"), "SECRET_NAME_PREFIX": PREFIX}
    with world.deployed("rotation.probe.lambda_handler", environment=environment) as function:
        assert probe.invoke(function, {}).metrics["SecretsUnfinished"] > 0
    with world.deployed("rotation.service_events.lambda_handler") as function:
        for name in RotationEvent:
            event = eventbridge_event(
                name, secret_arn=f"{PREFIX}any", account_id=world.aws.account_id, region=world.aws.region
            )
            assert listener.invoke(function, event).succeeded
    return dict(zip(ROLES, (rotation, probe, listener), strict=True))


def account(world: World) -> Account:
    return Account(region=world.aws.region, number=world.aws.account_id)


@pytest.fixture(scope="module")
def stack(world: World, observed: dict[str, Observed]) -> WholeStack:
    """The stack whose function this is."""
    seen = observed["RotationRole"]
    superusers, cache_users = ",".join(seen.superusers), ",".join(seen.cache_users)
    return WholeStack(account(world), SecretNamePrefix=PREFIX, SuperuserSecretArns=superusers, CacheUserArns=cache_users)


def action(call: Call) -> str:
    return f"{call.service}:{call.operation}"


def resource(world: World, call: Call) -> str:
    """The ARN of what a call names, as IAM sees it."""
    name = call.resource or "any"
    match call.operation:
        case "DescribeDBInstances" if not name.startswith("arn:"):
            return account(world).arn("rds", f"db:{name}")
        case "DescribeDBClusters" if not name.startswith("arn:"):
            return account(world).arn("rds", f"cluster:{name}")
        case "DescribeUsers" | "ModifyUser" | "UpdateUser":
            return account(world).arn(call.service, f"user:{name}" if call.service == "elasticache" else f"user/{name}")
        case _:
            return "<IdempotencyTable.Arn>" if (call.service, name) == ("dynamodb", TABLE) else name


def context(world: World, call: Call) -> dict[str, str]:
    """The condition keys that Secrets Manager would fill from the secret."""
    if call.service != "secretsmanager" or call.resource is None:
        return {}
    with world.aws.secrets_manager() as service:
        function_arn = service.secret(call.resource).rotation_lambda_arn
    return {"secretsmanager:resource/AllowRotationLambdaArn": function_arn} if function_arn else {}


def granted(stack: WholeStack, role: str) -> set[Permission]:
    allowing = [statement for statement in role_statements(stack, role) if statement["Effect"] == "Allow"]
    return {(statement["Sid"], each) for statement in allowing for each in statement["Action"]}


def used(world: World, stack: WholeStack, role: str, calls: Iterable[Call]) -> set[Permission]:
    """The permissions by which the calls are allowed."""
    return {
        (statement["Sid"], action(call))
        for call in calls
        for statement in role_statements(stack, role)
        if applies(statement, action(call), resource(world, call), context(world, call))
    }


def excused() -> set[str]:
    return {each for actions in (*MADE_BY_OTHERS.values(), *PROVED_ELSEWHERE.values()) for each in actions}


@pytest.mark.parametrize("role", ROLES)
def test_every_call_is_allowed_on_what_it_names(
    world: World, observed: dict[str, Observed], stack: WholeStack, role: str, verdict: Verdict
) -> None:
    calls = observed[role].calls
    refused = [
        call for call in calls if not may(stack, action(call), resource(world, call), context(world, call), role=role)
    ]
    verdict.add("least privilege", tried=len(calls), survived=len(calls) - len(refused))
    assert refused == []


@pytest.mark.parametrize("role", ROLES)
def test_every_permission_is_needed(
    world: World, observed: dict[str, Observed], stack: WholeStack, role: str, verdict: Verdict
) -> None:
    permissions = granted(stack, role)
    unused = permissions - used(world, stack, role, observed[role].calls)
    left_over = {(sid, each) for sid, each in unused if each not in excused()}
    verdict.add("least privilege", tried=len(permissions), survived=len(permissions) - len(left_over))
    assert left_over == set()


def test_what_others_do_is_granted_and_not_done_by_the_functions(observed: dict[str, Observed], stack: WholeStack) -> None:
    done = {action(call) for each in observed.values() for call in each.calls}
    assert excused() & done == set()
    assert excused() <= {each for role in ROLES for _sid, each in granted(stack, role)}


@pytest.mark.parametrize("module", PROVED_ELSEWHERE)
def test_what_is_proved_elsewhere_is_compared_with_the_role_there(module: str) -> None:
    source = (ROOT / module).read_text()
    services = {each.partition(":")[0] for each in PROVED_ELSEWHERE[module]}
    assert [word for word in ("role_statements", *sorted(services)) if word not in source] == []


def test_the_functions_have_no_other_roles(stack: WholeStack) -> None:
    functions = {name: it["Properties"] for name, it in stack.resources.items() if it["Type"] == "AWS::Serverless::Function"}
    assert {it["Role"] for it in functions.values()} == {f"<{role}.Arn>" for role in ROLES}
    assert not [name for name, it in functions.items() if "Policies" in it]
    assert {name for name, it in stack.resources.items() if it["Type"].startswith("AWS::IAM::")} == set(ROLES)
