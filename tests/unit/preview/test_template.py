"""Templates with intrinsic functions, parameters and nested stacks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dashboards.preview.documents import PreviewError
from dashboards.preview.template import Stack

ALARM = "AWS::CloudWatch::Alarm"
TEMPLATE = """
    Transform: AWS::Serverless-2016-10-31
    Parameters:
      Threshold: {Type: Number, Default: 3, MinValue: 1}
      Names: {Type: CommaDelimitedList, Default: "a, b"}
      Mode: {Type: String, Default: quiet, AllowedValues: [quiet, loud]}
    Mappings:
      Sizes: {quiet: {Value: small}, loud: {Value: big}}
    Conditions:
      Loud: !Equals [!Ref Mode, loud]
      LoudAndListed: !And [!Condition Loud, !Not [!Equals [!Select [0, !Ref Names], ""]]]
      Either: !Or [!Condition Loud, !Equals [1, 1]]
    Resources:
      Function:
        Type: AWS::Serverless::Function
      Named:
        Type: AWS::DynamoDB::Table
        Properties: {TableName: !Sub "${AWS::StackName}-table"}
      Topic: {Type: AWS::SNS::Topic}
      Queue: {Type: AWS::SQS::Queue}
      Always:
        Type: AWS::CloudWatch::Alarm
        Properties:
          Value: PLACEHOLDER
      OnlyLoud:
        Type: AWS::CloudWatch::Alarm
        Condition: LoudAndListed
      OtherFunctionRole: {Type: AWS::IAM::Role}
"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("!Ref Threshold", "3"),
        ("!Ref Names", ["a", "b"]),
        ("!Ref AWS::Region", "eu-central-1"),
        ("!Ref Function", "rotation-Function"),
        ("!Ref Named", "rotation-table"),
        ("!Ref Topic", "arn:aws:sns:eu-central-1:123456789012:rotation-Topic"),
        ("!GetAtt Topic.TopicName", "rotation-Topic"),
        ("!GetAtt Function.Arn", "arn:aws:lambda:eu-central-1:123456789012:function:rotation-Function"),
        ("{'Fn::GetAtt': [Queue, QueueName]}", "rotation-Queue"),
        ("!Ref FunctionRole", "rotation-FunctionRole"),
        (
            "!Sub '${Mode}-${Function.Arn}-${!Kept}'",
            "quiet-arn:aws:lambda:eu-central-1:123456789012:function:rotation-Function-${Kept}",
        ),
        ("!Sub ['${X} of ${Mode}', {X: !Ref Threshold}]", "3 of quiet"),
        ("!Join ['/', [a, !Ref Mode]]", "a/quiet"),
        ("!Select [1, !Split [',', 'x,y']]", "y"),
        ("!If [Loud, 1, 2]", 2),
        ("!If [Either, yes-text, 2]", "yes-text"),
        ("!FindInMap [Sizes, !Ref Mode, Value]", "small"),
        ("{'Fn::ToJsonString': {a: !Ref Threshold}}", '{"a": "3"}'),
        ("2012-10-17", "2012-10-17"),
        ("[!Ref AWS::NoValue, a]", ["a"]),
    ],
)
def test_intrinsic_functions(load_stack: Callable[..., Stack], written: str, expected: object) -> None:
    stack = load_stack(TEMPLATE.replace("PLACEHOLDER", written))
    (alarm,) = stack.resources(ALARM)
    assert alarm.properties == {"Value": expected}


def test_no_value_removes_the_property(load_stack: Callable[..., Stack]) -> None:
    (alarm,) = load_stack(TEMPLATE.replace("PLACEHOLDER", "!If [Loud, 1, !Ref AWS::NoValue]")).resources(ALARM)
    assert alarm.properties == {}


def test_conditions_decide_what_is_deployed(load_stack: Callable[..., Stack]) -> None:
    stack = load_stack(TEMPLATE, parameters={"Mode": "loud"})
    assert [resource.logical_id for resource in stack.resources(ALARM)] == ["Always", "OnlyLoud"]


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("!Ref Absent", "Absent"),
        ("!GetAtt Function.Colour", "Colour"),
        ("!Base64 text", "Fn::Base64"),
        ("!If [Absent, 1, 2]", "Absent"),
        ("!FindInMap [Sizes, huge, Value]", "Sizes.huge.Value"),
        ("!Select [5, [a]]", "no item 5"),
    ],
)
def test_what_cannot_be_resolved_is_named_with_its_place(load_stack: Callable[..., Stack], written: str, named: str) -> None:
    stack = load_stack(TEMPLATE.replace("PLACEHOLDER", written))
    with pytest.raises(PreviewError, match=rf"template.yaml.*{named}|Always.*{named}"):
        list(stack.resources(ALARM))


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"Mode": "shrill"}, "Mode must be one of quiet, loud"),
        ({"Threshold": "0"}, "Threshold must lie between 1 and"),
        ({"Threshold": "many"}, "Threshold must be a number"),
        ({"Colour": "red"}, "no parameter Colour"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_by_name(
    load_stack: Callable[..., Stack], parameters: dict[str, object], named: str
) -> None:
    with pytest.raises(PreviewError, match=named):
        load_stack(TEMPLATE, parameters=parameters)


def test_a_parameter_without_a_value_is_named(load_stack: Callable[..., Stack]) -> None:
    with pytest.raises(PreviewError, match="parameter Needed has no default"):
        load_stack("Parameters: {Needed: {Type: String}}\nResources: {}")


PARENT = """
    Resources:
      Function: {Type: AWS::Serverless::Function}
      Alarms:
        Type: AWS::CloudFormation::Stack
        Properties: {TemplateURL: alarms.yaml, Parameters: {FunctionName: !Ref Function}}
      Boards:
        Type: AWS::Serverless::Application
        Properties: {Location: boards.yaml, Parameters: {AlarmName: !GetAtt Alarms.Outputs.Name}}
"""
ALARMS = """
    Parameters: {FunctionName: {Type: String}}
    Resources:
      Errors:
        Type: AWS::CloudWatch::Alarm
        Properties: {Dimensions: [{Name: FunctionName, Value: !Ref FunctionName}]}
    Outputs: {Name: {Value: !Ref Errors}}
"""
BOARDS = """
    Parameters: {AlarmName: {Type: String}}
    Resources:
      Board:
        Type: AWS::CloudWatch::Dashboard
        Properties: {DashboardBody: !Sub '{"alarm": "${AlarmName}"}'}
"""


def test_nested_stacks_get_parameters_and_each_others_outputs(load_stack: Callable[..., Stack]) -> None:
    stack = load_stack(PARENT, alarms=ALARMS, boards=BOARDS)
    (alarm,) = stack.resources(ALARM)
    (board,) = stack.resources("AWS::CloudWatch::Dashboard")
    assert alarm.properties["Dimensions"] == [{"Name": "FunctionName", "Value": "rotation-Function"}]
    assert alarm.place == "alarms.yaml: Errors"
    assert board.properties["DashboardBody"] == '{"alarm": "rotation-Alarms-Errors"}'


def test_names_of_the_local_stage_win(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "Resources: {F: {Type: AWS::Serverless::Function}, A: {Type: AWS::CloudWatch::Alarm, Properties: {V: !Ref F}}}"
    )
    (alarm,) = Stack.load(tmp_path / "t.yaml", names={"F": "local"}).resources(ALARM)
    assert alarm.properties == {"V": "local"}


@pytest.mark.parametrize(("text", "problem"), [("a: [", "not YAML"), ("- a", "not a CloudFormation template")])
def test_a_file_that_is_no_template_is_refused(load_stack: Callable[..., Stack], text: str, problem: str) -> None:
    with pytest.raises(PreviewError, match=problem):
        load_stack(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PreviewError, match=r"cannot read the template .*absent.yaml"):
        Stack.load(tmp_path / "absent.yaml")
