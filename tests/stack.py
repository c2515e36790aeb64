"""The template as CloudFormation would resolve it, and its policies as IAM would read them.

Policies are not compared with their own text, they are asked: may this call be made on that resource, in that context?
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, override

from dashboards.preview.intrinsics import load_template, resolve
from dashboards.preview.parameters import resolve_parameters
from dashboards.preview.resource_names import Account

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = load_template((ROOT / "template.yaml").read_text(), "template.yaml")
NO_CONTEXT: Mapping[str, str] = {}
_EXAMPLE = Account()


class Stack:
    """The template, resolved for some parameters; another resource stays visible as `<Name>` or `<Name.Attribute>`."""

    def __init__(self, account: Account = _EXAMPLE, /, **parameters: str) -> None:
        self._parameters = resolve_parameters(
            TEMPLATE["Parameters"], {"SecretNamePrefix": "prod/", **parameters}, "template"
        )
        self._pseudo = account.pseudo_parameters("rotation")
        declared = TEMPLATE["Resources"].items()
        deployed = {name: it for name, it in declared if "Condition" not in it or self.condition(it["Condition"])}
        self.resources: dict[str, Any] = resolve(deployed, self)
        self.outputs: dict[str, Any] = resolve(TEMPLATE["Outputs"], self)
        self.globals: dict[str, Any] = resolve(TEMPLATE["Globals"], self)["Function"]

    def properties(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.resources[name]["Properties"]
        return found

    def environment(self) -> dict[str, str]:
        return {
            **self.globals["Environment"]["Variables"],
            **self.properties("RotationFunction")["Environment"]["Variables"],
        }

    def ref(self, name: str) -> Any:
        return {**self._pseudo, **self._parameters}.get(name, f"<{name}>")

    def attribute(self, logical_id: str, attribute: str) -> str:
        return f"<{logical_id}.{attribute}>"

    def condition(self, name: str) -> bool:
        """Whether a condition of the template is met."""
        return self.holds(TEMPLATE["Conditions"][name])

    def holds(self, assertion: Any) -> bool:
        return bool(resolve({"Fn::And": [assertion]}, self))

    def mapping(self, name: str, first: str, second: str) -> Any:
        return TEMPLATE["Mappings"][name][first][second]


class WholeStack(Stack):
    """The template with all its optional parts, whatever the parameters are."""

    @override
    def condition(self, name: str) -> bool:
        return True


def statements(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    assert document["Version"] == "2012-10-17"
    for statement in document["Statement"]:
        lists = {key: as_list(statement[key]) for key in ("Action", "Resource")}
        yield {"Condition": {}, **statement, **lists}


def role_statements(stack: Stack, role: str = "RotationRole") -> list[dict[str, Any]]:
    return [statement for policy in stack.properties(role)["Policies"] for statement in statements(policy["PolicyDocument"])]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def applies(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    if not any(fnmatchcase(action, pattern) for pattern in statement["Action"]):
        return False
    if not any(fnmatchcase(resource, pattern) for pattern in statement["Resource"]):
        return False
    tests = [(operator, key, wanted) for operator, keys in statement["Condition"].items() for key, wanted in keys.items()]
    return all(satisfies(operator, context.get(key), as_list(wanted)) for operator, key, wanted in tests)


def satisfies(operator: str, given: str | None, wanted: list[str]) -> bool:
    if given is None:
        return False
    match operator:
        case "StringEquals":
            return given in wanted
        case "StringLike" | "ArnEquals":
            return any(fnmatchcase(given, pattern) for pattern in wanted)
        case _:
            raise AssertionError(operator)


def may(
    stack: Stack,
    action: str,
    resource: str = "any",
    context: Mapping[str, str] = NO_CONTEXT,
    role: str = "RotationRole",
) -> bool:
    """What IAM would answer."""
    asked = role_statements(stack, role)
    effects = {statement["Effect"] for statement in asked if applies(statement, action, resource, context)}
    return effects == {"Allow"}
