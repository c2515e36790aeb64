"""The template as CloudFormation would resolve it: what the role allows, who may call, what is encrypted, what is set."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dashboards.preview.documents import PreviewError
from dashboards.preview.intrinsics import load_template
from dashboards.preview.parameters import resolve_parameters
from rotation.service_events import VALUES_BY_EVENT
from rotation.settings import PasswordSettings, Settings, WatchSettings
from tests.stack import ROOT, TEMPLATE, Stack, may, role_statements, statements

THIS_FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:rotation"
ANOTHER_FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:rotation-2"
SECRETS = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
OWN_SECRET = f"{SECRETS}prod/app-AbCdEf"
FOREIGN_SECRET = f"{SECRETS}test/app-AbCdEf"
SUPERUSER_SECRET = f"{SECRETS}rds!db-1-AbCdEf"
CACHE_USER = "arn:aws:elasticache:eu-central-1:123456789012:user:app"
MEMORYDB_USER = "arn:aws:memorydb:eu-central-1:123456789012:user/app"
SECRET_KEY = "arn:aws:kms:eu-central-1:123456789012:key/secrets"
STORAGE_KEY = "arn:aws:kms:eu-central-1:123456789012:key/storage"
DIRECTORIES = "arn:aws:ds:eu-central-1:123456789012:directory/"
EVERYTHING = {
    "SuperuserSecretArns": f"{SECRETS}admin-AbCdEf,{SECRETS}rds!*",
    "CacheUserArns": f"{CACHE_USER},{MEMORYDB_USER}*",
    "SecretKmsKeyArns": f"arn:aws:kms:eu-central-1:123456789012:key/other,{SECRET_KEY}",
    "DirectoryArns": f"{DIRECTORIES}d-0123456789,{DIRECTORIES}d-abcdef0123",
    "StorageKmsKeyArn": STORAGE_KEY,
    "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "SecurityGroupIds": "sg-0123456789abcdef0",
    "TlsCaBundle": "/opt/ca.pem",
    "TlsCaLayerArn": "arn:aws:lambda:eu-central-1:123456789012:layer:ca:1",
    "CustomEnginesLayerArn": "arn:aws:lambda:eu-central-1:123456789012:layer:engines:2",
    "ReservedConcurrency": "10",
    "PageEmail": "on-call@example.com",
    "TicketEmail": "team@example.com",
    "RunbookUrl": "https://wiki.example.com/rotation",
}
ROTATE = {"secretsmanager:resource/AllowRotationLambdaArn": THIS_FUNCTION}
VIA_SECRETS_MANAGER = {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}


def accepts(parameter: str, value: str) -> bool:
    """Whether CloudFormation takes a value."""
    try:
        resolve_parameters({parameter: TEMPLATE["Parameters"][parameter]}, {parameter: value}, "template")
    except PreviewError:
        return False
    return True


SECRET_CALLS = ("DescribeSecret", "GetSecretValue", "ListSecretVersionIds", "PutSecretValue", "UpdateSecretVersionStage")


@pytest.mark.parametrize("call", SECRET_CALLS)
def test_secrets_are_rotated_only_below_the_prefix_and_only_if_they_name_this_function(call: str) -> None:
    stack = Stack()
    assert may(stack, f"secretsmanager:{call}", OWN_SECRET, ROTATE)
    assert not may(stack, f"secretsmanager:{call}", FOREIGN_SECRET, ROTATE)
    assert not may(stack, f"secretsmanager:{call}", OWN_SECRET)
    other = {"secretsmanager:resource/AllowRotationLambdaArn": ANOTHER_FUNCTION}
    assert not may(stack, f"secretsmanager:{call}", OWN_SECRET, other)


def test_the_function_is_named_as_its_role_expects() -> None:
    assert THIS_FUNCTION.endswith(f":function:{Stack().properties('RotationFunction')['FunctionName']}")


def test_superuser_secrets_are_read_never_changed() -> None:
    stack = Stack(**EVERYTHING)
    for secret in (SUPERUSER_SECRET, f"{SECRETS}admin-AbCdEf"):
        allowed = {call for call in SECRET_CALLS if may(stack, f"secretsmanager:{call}", secret)}
        assert allowed == {"DescribeSecret", "GetSecretValue"}
    assert not may(stack, "secretsmanager:GetSecretValue", FOREIGN_SECRET)
    assert not may(Stack(), "secretsmanager:GetSecretValue", SUPERUSER_SECRET)


def test_the_secrets_keys_serve_only_those_secrets_through_secrets_manager() -> None:
    stack = Stack(**EVERYTHING)

    def key_allows(action: str, secret: str, key: str = SECRET_KEY, via: Mapping[str, str] = VIA_SECRETS_MANAGER) -> bool:
        return may(stack, f"kms:{action}", key, {**via, "kms:EncryptionContext:SecretARN": secret})

    assert key_allows("Decrypt", OWN_SECRET)
    assert key_allows("GenerateDataKey", OWN_SECRET)
    assert key_allows("Decrypt", SUPERUSER_SECRET)
    assert not key_allows("GenerateDataKey", SUPERUSER_SECRET)
    assert not key_allows("Decrypt", FOREIGN_SECRET)
    assert not key_allows("Decrypt", OWN_SECRET, key=STORAGE_KEY)
    assert not key_allows("Decrypt", OWN_SECRET, via={})
    assert not may(stack, "kms:Decrypt", SECRET_KEY, VIA_SECRETS_MANAGER)


def test_the_storage_key_serves_only_the_table() -> None:
    stack = Stack(**EVERYTHING)
    assert may(stack, "kms:GenerateDataKey", STORAGE_KEY, {"kms:ViaService": "dynamodb.eu-central-1.amazonaws.com"})
    assert not may(stack, "kms:GenerateDataKey", STORAGE_KEY)
    assert not may(stack, "kms:GenerateDataKey", STORAGE_KEY, VIA_SECRETS_MANAGER)


@pytest.mark.parametrize("call", ["GetItem", "PutItem", "UpdateItem", "DeleteItem"])
def test_steps_are_locked_in_the_one_table(call: str) -> None:
    assert may(Stack(), f"dynamodb:{call}", "<IdempotencyTable.Arn>")
    assert not may(Stack(), f"dynamodb:{call}", "arn:aws:dynamodb:eu-central-1:123456789012:table/another")


def test_only_the_own_log_is_written() -> None:
    assert may(Stack(), "logs:PutLogEvents", "<RotationLogGroup.Arn>")
    assert not may(Stack(), "logs:PutLogEvents", "arn:aws:logs:eu-central-1:123456789012:log-group:another:*")
    assert Stack().properties("RotationFunction")["LoggingConfig"]["LogGroup"] == "<RotationLogGroup>"


def test_databases_are_looked_up_in_this_account_and_only_for_superusers() -> None:
    cluster = "arn:aws:rds:eu-central-1:{}:cluster:main"
    assert may(Stack(**EVERYTHING), "rds:DescribeDBClusters", cluster.format("123456789012"))
    assert not may(Stack(**EVERYTHING), "rds:DescribeDBClusters", cluster.format("999999999999"))
    assert not may(Stack(), "rds:DescribeDBClusters", cluster.format("123456789012"))


@pytest.mark.parametrize(
    ("call", "user"),
    [
        ("elasticache:DescribeUsers", CACHE_USER),
        ("elasticache:ModifyUser", CACHE_USER),
        ("memorydb:DescribeUsers", MEMORYDB_USER),
        ("memorydb:UpdateUser", f"{MEMORYDB_USER}-2"),
    ],
)
def test_only_the_named_cache_users_are_rotated(call: str, user: str) -> None:
    assert may(Stack(**EVERYTHING), call, user)
    assert not may(Stack(**EVERYTHING), call, user.replace("app", "other"))
    assert not may(Stack(**EVERYTHING), call, f"{CACHE_USER}-2")
    assert not may(Stack(), call, user)


def test_passwords_are_set_by_api_only_in_the_directories_that_are_named() -> None:
    assert may(Stack(**EVERYTHING), "ds:ResetUserPassword", f"{DIRECTORIES}d-abcdef0123")
    assert may(Stack(**EVERYTHING), "ds:DescribeDirectories", "*")
    assert not may(Stack(**EVERYTHING), "ds:ResetUserPassword", f"{DIRECTORIES}d-9999999999")
    assert not may(Stack(), "ds:ResetUserPassword", f"{DIRECTORIES}d-abcdef0123")
    assert not may(Stack(), "ds:DescribeDirectories", "*")


def test_network_interfaces_are_lambdas_business_and_only_in_a_vpc() -> None:
    by_the_code = {"lambda:SourceFunctionArn": THIS_FUNCTION}
    assert may(Stack(**EVERYTHING), "ec2:CreateNetworkInterface")
    assert not may(Stack(**EVERYTHING), "ec2:CreateNetworkInterface", context=by_the_code)
    assert not may(Stack(), "ec2:CreateNetworkInterface")


def test_nothing_else_is_allowed() -> None:
    allowed = [statement for statement in role_statements(Stack(**EVERYTHING)) if statement["Effect"] == "Allow"]
    everywhere = {action for statement in allowed if "*" in statement["Resource"] for action in statement["Action"]}
    assert {action for action in everywhere if not action.startswith("ec2:")} == {
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "ds:DescribeDirectories",
    }
    assert not [action for statement in allowed for action in statement["Action"] if "*" in action]
    services = {action.partition(":")[0] for statement in allowed for action in statement["Action"]}
    own = {"secretsmanager", "kms", "rds", "elasticache", "memorydb", "ds", "dynamodb", "logs", "xray", "ec2"}
    assert services == own
    trust = Stack().properties("RotationRole")["AssumeRolePolicyDocument"]["Statement"]
    assert [statement["Principal"] for statement in trust] == [{"Service": "lambda.amazonaws.com"}]


def test_the_watchers_may_list_and_date_secrets_and_never_read_one() -> None:
    stack = Stack(**EVERYTHING)
    assert may(stack, "secretsmanager:ListSecrets", role="ProbeRole")
    assert may(stack, "secretsmanager:ListSecretVersionIds", OWN_SECRET, role="ProbeRole")
    assert not may(stack, "secretsmanager:ListSecretVersionIds", FOREIGN_SECRET, role="ProbeRole")
    reporting = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}
    handing_over = {"sqs:SendMessage"}
    looking = {"secretsmanager:ListSecrets", "secretsmanager:ListSecretVersionIds"}
    for role, actions in (
        ("ProbeRole", looking | reporting | handing_over),
        ("EventsRole", reporting | handing_over),
    ):
        assert {action for statement in role_statements(stack, role) for action in statement["Action"]} == actions


@pytest.mark.parametrize("name", ["Probe", "Events"])
def test_what_the_watchers_cannot_handle_is_handed_over(name: str) -> None:
    stack = Stack()
    destination = stack.properties(f"{name}Function")["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    assert destination == {"Type": "SQS", "Destination": "<DeadLetterQueue.Arn>"}
    target = stack.properties(f"{name}Rule")["Targets"][0]
    assert target["Arn"] == f"<{name}Function.Arn>"
    assert target["DeadLetterConfig"] == {"Arn": "<DeadLetterQueue.Arn>"}
    assert may(stack, "sqs:SendMessage", "<DeadLetterQueue.Arn>", role=f"{name}Role")
    queue = list(statements(stack.properties("DeadLetterQueuePolicy")["PolicyDocument"]))
    assert f"<{name}Rule.Arn>" in queue[0]["Condition"]["ArnEquals"]["aws:SourceArn"]


def test_the_watchers_settings_take_their_environment() -> None:
    stack = Stack(StuckAfterMinutes="30", OverdueGraceMinutes="20")
    arn = {"ROTATION_FUNCTION_ARN": THIS_FUNCTION}
    environment = {
        **stack.globals["Environment"]["Variables"],
        **stack.properties("ProbeFunction")["Environment"]["Variables"],
    }
    assert environment["ROTATION_FUNCTION_ARN"] == "<RotationFunction.Arn>"
    settings = WatchSettings.from_environment({**environment, **arn})
    assert (settings.secret_name_prefix, settings.stuck_after_minutes, settings.overdue_grace_minutes) == ("prod/", 30, 20)
    assert settings.service == "rotation"


def test_only_events_of_the_stacks_own_secrets_are_delivered() -> None:
    pattern = Stack().properties("EventsRule")["EventPattern"]
    assert pattern["detail"]["additionalEventData"] == {"SecretId": [{"prefix": f"{SECRETS}prod/"}]}
    assert set(pattern["detail"]["eventName"]) == set(VALUES_BY_EVENT)


def test_only_secrets_manager_and_the_own_rules_may_call() -> None:
    permissions = [resource for resource in Stack().resources.values() if resource["Type"] == "AWS::Lambda::Permission"]
    assert [permission["Properties"] for permission in permissions] == [
        {
            "FunctionName": "<RotationFunction>",
            "Action": "lambda:InvokeFunction",
            "Principal": "secretsmanager.amazonaws.com",
            "SourceAccount": "123456789012",
        },
        *(
            {
                "FunctionName": f"<{name}Function>",
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": f"<{name}Rule.Arn>",
            }
            for name in ("Probe", "Events")
        ),
    ]


def test_settings_take_the_environment_and_its_defaults_are_theirs() -> None:
    settings = Settings.from_environment(Stack().environment())
    assert settings.idempotency_table == "<IdempotencyTable>"
    assert settings.service == "rotation"
    defaults = Settings.from_environment({"IDEMPOTENCY_TABLE": "<IdempotencyTable>", "POWERTOOLS_SERVICE_NAME": "rotation"})
    # The characters are a set; their order means nothing.
    order_ignored = settings.password.model_copy(update={"exclude_characters": defaults.password.exclude_characters})
    assert set(settings.password.exclude_characters) == set(defaults.password.exclude_characters)
    assert settings.model_copy(update={"password": order_ignored}) == defaults


def test_every_variable_is_a_setting_and_reaches_it() -> None:
    chosen = {
        "RotationStrategy": "alternating-users",
        "PasswordLength": "40",
        "ExcludeCharacters": "",
        "ExcludeNumbers": "true",
        "ExcludePunctuation": "true",
        "ExcludeUppercase": "true",
        "ExcludeLowercase": "true",
        "RequireEachIncludedType": "false",
        "TlsCaBundle": "system",
        "HttpTargets": '{"acme": {}}',
        "CustomEngines": "acme=acme_rotation.engine:AcmeEngine",
        "LogLevel": "DEBUG",
    }
    changed = Settings.from_environment(Stack(**chosen).environment())
    before = Settings.from_environment(Stack().environment())
    assert not same_fields(before.password, changed.password)
    assert same_fields(before, changed) == {"service", "metrics_namespace", "idempotency_table", "report_reserve_seconds"}


def same_fields(one: Settings | PasswordSettings, other: Settings | PasswordSettings) -> set[str]:
    return {name for name in type(one).model_fields if getattr(one, name) == getattr(other, name)}


def test_guided_deployment_can_save_the_default_characters() -> None:
    """sam writes answers to its file with quotes escaped and backslashes not; it reads a backslash before either wrongly."""
    default = TEMPLATE["Parameters"]["ExcludeCharacters"]["Default"]
    assert not default.endswith("\\")
    assert '\\"' not in default
    assert "\\'" not in default


def test_the_table_is_what_the_lock_expects() -> None:
    table = Stack().properties("IdempotencyTable")
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["AttributeDefinitions"] == [{"AttributeName": "id", "AttributeType": "S"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiration", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}


def test_the_storage_key_encrypts_table_and_log() -> None:
    stack = Stack(**EVERYTHING)
    assert stack.properties("IdempotencyTable")["SSESpecification"]["KMSMasterKeyId"] == STORAGE_KEY
    for name in ("RotationLogGroup", "ProbeLogGroup", "EventsLogGroup"):
        assert stack.properties(name)["KmsKeyId"] == STORAGE_KEY


def test_optional_parts_of_the_function_come_and_go_with_their_parameters() -> None:
    bare, full = Stack().properties("RotationFunction"), Stack(**EVERYTHING).properties("RotationFunction")
    assert not {"VpcConfig", "Layers", "ReservedConcurrentExecutions"} & set(bare)
    assert full["VpcConfig"]["SubnetIds"] == ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    assert full["VpcConfig"]["SecurityGroupIds"] == ["sg-0123456789abcdef0"]
    assert full["Layers"] == [EVERYTHING["TlsCaLayerArn"], EVERYTHING["CustomEnginesLayerArn"]]
    for layer in ("TlsCaLayerArn", "CustomEnginesLayerArn"):
        alone = Stack(**{layer: EVERYTHING[layer]}).properties("RotationFunction")
        assert alone["Layers"] == [EVERYTHING[layer]]
    assert full["ReservedConcurrentExecutions"] == "10"
    assert not {"PageByEmail", "TicketByEmail"} & set(Stack().resources)
    assert Stack(**EVERYTHING).properties("PageByEmail")["Endpoint"] == "on-call@example.com"
    assert Stack(**EVERYTHING).properties("TicketByEmail")["Endpoint"] == "team@example.com"


@pytest.mark.parametrize("nested", ["Alarms", "Dashboards"])
def test_alarms_and_dashboards_come_with_the_stack_and_link_to_the_runbook(nested: str) -> None:
    bare, full = Stack().properties(nested), Stack(**EVERYTHING).properties(nested)
    declared = load_template((ROOT / full["TemplateURL"]).read_text(), full["TemplateURL"])["Parameters"]
    assert set(full["Parameters"]) == set(declared)
    assert full["Parameters"]["RunbookUrl"] == "https://wiki.example.com/rotation"
    assert bare["Parameters"]["RunbookUrl"].endswith("#dashboards/dashboard/rotation-operations")


def test_thresholds_in_the_nested_stack_have_the_defaults_of_the_parameters() -> None:
    nested = load_template((ROOT / "dashboards" / "alarms.yaml").read_text(), "alarms.yaml")["Parameters"]
    defaults = {name: parameter["Default"] for name, parameter in nested.items() if "Default" in parameter}
    assert defaults == {name: TEMPLATE["Parameters"][name]["Default"] for name in defaults}
    assert len(defaults) == 8


def test_the_topics_key_rotates_and_lets_the_publishing_services_use_it() -> None:
    stack = Stack()
    key = stack.properties("NotificationKey")
    for topic in ("PageTopic", "TicketTopic"):
        assert stack.properties(topic)["KmsMasterKeyId"] == "<NotificationKey>"
    assert key["EnableKeyRotation"] is True
    by_service = {s["Principal"]["Service"]: s for s in statements(key["KeyPolicy"]) if "Service" in s["Principal"]}
    assert set(by_service) == {"cloudwatch.amazonaws.com", "events.amazonaws.com"}
    assert all(set(statement["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"} for statement in by_service.values())
    assert by_service["cloudwatch.amazonaws.com"]["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    # EventBridge sends no source along: any condition here would lose its messages.
    assert by_service["events.amazonaws.com"]["Condition"] == {}


@pytest.mark.parametrize("topic", ["Page", "Ticket"])
def test_the_topics_take_only_this_accounts_alarms(topic: str) -> None:
    policy = Stack().properties(f"{topic}TopicPolicy")["PolicyDocument"]
    allowed = [statement for statement in statements(policy) if statement["Effect"] == "Allow"]
    assert [statement["Principal"] for statement in allowed] == [{"Service": "cloudwatch.amazonaws.com"}]
    assert allowed[0]["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


@pytest.mark.parametrize("architecture", TEMPLATE["Parameters"]["Architecture"]["AllowedValues"])
def test_the_build_is_told_the_architecture_that_is_deployed(architecture: str) -> None:
    stack = Stack(Architecture=architecture)
    assert stack.globals["Architectures"] == [architecture]
    makefile = ROOT / stack.resources["RotationFunction"]["Metadata"]["ContextPath"] / "Makefile"
    assert f"ARCHITECTURE := {architecture}\n" in makefile.read_text()


@pytest.mark.parametrize("function", ["RotationFunction", "ProbeFunction", "EventsFunction"])
def test_the_entry_points_exist(function: str) -> None:
    module, _, function = Stack().properties(function)["Handler"].rpartition(".")
    source = (ROOT / "handler" / Path(*module.split("."))).with_suffix(".py").read_text()
    assert f"\ndef {function}(" in source


@pytest.mark.parametrize(
    ("parameter", "taken", "refused"),
    [
        ("SecretNamePrefix", ["prod/", "rds!db", "a"], ["", "*", "prod/*", "arn:aws:x", "a b"]),
        (
            "CacheUserArns",
            ["", CACHE_USER, EVERYTHING["CacheUserArns"]],
            ["*", f"{CACHE_USER}, {MEMORYDB_USER}", CACHE_USER.replace("user:", "usergroup:"), f"{MEMORYDB_USER}/x"],
        ),
        (
            "SuperuserSecretArns",
            ["", EVERYTHING["SuperuserSecretArns"]],
            ["*", f"{SECRETS}*", "prod/admin", f"{SECRETS}a, {SECRETS}b"],
        ),
        ("SecretKmsKeyArns", ["", SECRET_KEY, f"{SECRET_KEY},{STORAGE_KEY}"], ["*", "alias/x", f"{SECRET_KEY},"]),
        ("DirectoryArns", ["", EVERYTHING["DirectoryArns"]], ["*", "d-0123456789", f"{DIRECTORIES}*", f"{DIRECTORIES}d-1"]),
        ("ReservedConcurrency", ["0", "10", "1000"], ["", "1", "9", "-1", "010"]),
        ("SubnetIds", ["", "subnet-01234567"], ["vpc-01234567", "subnet-01234567,"]),
        ("SecurityGroupIds", ["", "sg-01234567"], ["subnet-01234567", "sg-01234567 "]),
        ("TlsCaBundle", ["", "system", "/opt/certificates/ca.pem"], ["ca.pem", "/tmp/ca.pem", "none"]),
        ("HttpTargets", ["", "{}", '{"acme": {\n"check": {}}}'], ["acme", "[]"]),
        (
            "CustomEngines",
            ["", "a=b:C", "acme=acme_rotation.engine:AcmeEngine,b-2=c:d"],
            ["acme", "a=b", "a=b:C, d=e:F", "A=b:C"],
        ),
        ("PageEmail", ["", "a@example.com"], ["a", "a@b", "a b@example.com"]),
        ("TicketEmail", ["", "a@example.com"], ["a", "a@b", "a b@example.com"]),
        ("RunbookUrl", ["", "https://wiki.example.com/a#b"], ["http://wiki.example.com", "wiki", 'https://a"b']),
    ],
)
def test_parameters_take_what_works_and_refuse_what_cannot(parameter: str, taken: list[str], refused: list[str]) -> None:
    assert [value for value in taken if not accepts(parameter, value)] == []
    assert [value for value in refused if accepts(parameter, value)] == []


def test_subnets_and_security_groups_go_together() -> None:
    assertion = TEMPLATE["Rules"]["VpcIsWholeOrAbsent"]["Assertions"][0]["Assert"]
    subnets = {"SubnetIds": "subnet-01234567"}
    groups = {"SecurityGroupIds": "sg-01234567"}
    assert [Stack(**given).holds(assertion) for given in ({}, {**subnets, **groups}, subnets, groups)] == [
        True,
        True,
        False,
        False,
    ]


def test_every_parameter_is_described_and_grouped_once() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(TEMPLATE["Parameters"])
    assert [name for name, parameter in TEMPLATE["Parameters"].items() if not parameter.get("Description")] == []


def test_outputs_attach_a_secret() -> None:
    command = Stack().outputs["RotateCommand"]["Value"]
    assert command == (
        "aws secretsmanager rotate-secret --region eu-central-1 --secret-id prod/NAME "
        "--rotation-lambda-arn <RotationFunction.Arn> --rotation-rules AutomaticallyAfterDays=30"
    )
    assert Stack().outputs["TestCommand"]["Value"] == f"{command} --no-rotate-immediately"


@pytest.mark.parametrize(
    "name", [n for n, resource in TEMPLATE["Resources"].items() if "checkov" in resource.get("Metadata", {})]
)
def test_every_suppression_has_a_reason(name: str) -> None:
    for suppression in TEMPLATE["Resources"][name]["Metadata"]["checkov"]["skip"]:
        assert len(suppression["comment"]) > 30
