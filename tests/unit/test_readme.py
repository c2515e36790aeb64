"""The README's tables say what code and template say."""

import re
from pathlib import Path

import pytest

from dashboards.preview.alarm_reading import read_alarms
from dashboards.preview.intrinsics import load_template
from dashboards.preview.template import Stack
from rotation.engines import ENGINES
from rotation.errors import VersionExistsError, error_classes
from rotation.metrics import DECLARATIONS
from rotation.models import STRATEGY_TAG
from rotation.settings import StrategyName
from tests.benchmarks.cost import FLEETS, Fixed

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PARAMETERS = load_template((ROOT / "template.yaml").read_text(), "template.yaml")["Parameters"]
STACK = Stack.load(ROOT / "template.yaml", {"SecretNamePrefix": "prod/"}, name="rotation")
ALARMS = {alarm.header.name.removeprefix("rotation-"): alarm for alarm in read_alarms(STACK).alarms}


def rows(section: str) -> list[list[str]]:
    """The cells of the first table below a heading or a line."""
    after = README[README.index(section) :]
    table = re.search(r"^\|.*\n\|[ :|-]+\n((?:\|.*\n)+)", after, re.MULTILINE)
    assert table is not None, section
    return [[cell.strip() for cell in re.split(r" \| ", line.strip().strip("|"))] for line in table[1].splitlines()]


def test_every_metric_is_listed_as_it_is_declared() -> None:
    expected = [
        [
            f"`{metric}`",
            declared.unit.value,
            " and ".join(f"`{', '.join(names)}`" for names in declared.dimension_sets),
            declared.meaning,
        ]
        for metric, declared in DECLARATIONS.items()
    ]
    assert rows("<summary>All metrics") == expected


def test_every_reason_is_an_anchor_with_its_remedy() -> None:
    classes = (error for error in error_classes() if error is not VersionExistsError)
    expected = [[f'<a id="{error.reason}"></a>`{error.reason}`', error.remedy] for error in classes]
    assert rows("### Reasons") == expected


def test_every_parameter_is_listed_with_its_default() -> None:
    def shown(default: object) -> str:
        return "(required)" if default is None else f"`{default}`" if default != "" else "(none)"

    expected = [
        [f"`{name}`", shown(parameter.get("Default")), " ".join(parameter["Description"].split())]
        for name, parameter in PARAMETERS.items()
    ]
    assert rows("## Settings") == expected


def test_every_engine_is_listed_with_what_it_can_do() -> None:
    listed = rows("a key that occurs twice is refused")
    assert {name for row in listed for name in re.findall(r"`([^`]+)`", row[0])} == set(ENGINES)
    assert [row for row in listed if len(row) != 5 or not all(row)] == []


def test_every_alarm_is_listed_with_what_it_rings() -> None:
    listed = {row[1].strip("`"): row[2] for row in rows("## When the alarm rings")}
    assert listed.keys() == ALARMS.keys()
    page, ticket = str(STACK.ref("PageTopic")), str(STACK.ref("TicketTopic"))
    for name, rings in listed.items():
        told = {arn for arns in ALARMS[name].header.actions.targets.values() for arn in arns}
        expected = "page" if page in told else "ticket" if ticket in told else "page, by rotation-unhealthy"
        assert rings == expected, name


def test_every_alarm_row_says_what_failed_and_what_to_do_first() -> None:
    assert [row for row in rows("## When the alarm rings") if len(row) != 4 or not all(row)] == []


@pytest.mark.parametrize("name", [name for name in StrategyName if name is not StrategyName.AUTO])
def test_every_strategy_is_explained(name: StrategyName) -> None:
    assert f"`{name}`" in {row[0] for row in rows("The stack's outputs `TestCommand`")}
    assert f"`{STRATEGY_TAG}`" in README


def test_billed_metrics_are_the_same_number_for_every_fleet_and_the_computed_one() -> None:
    metrics = str(Fixed.of(ROOT / "template.yaml").metrics)
    row = next(row for row in rows("### What it costs") if row[0].startswith("billed custom metrics"))
    assert row[1:] == [metrics] * len(FLEETS)


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert len(pictures) >= 2
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []


def test_every_file_it_names_exists() -> None:
    named = re.findall(r"`((?:handler|tests|dashboards|rotation)/[\w/.]+\.\w+)`", README)
    assert named
    assert [path for path in named if not ((ROOT / path).exists() or (ROOT / "handler" / path).exists())] == []
