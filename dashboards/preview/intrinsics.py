"""CloudFormation's intrinsic functions, evaluated on one machine.

The caller asks for one resource's properties at a time, so a function that is not implemented here hurts only where an
alarm or a dashboard uses it, and is then refused by name.
"""

import json
import re
from collections.abc import Callable
from typing import Protocol

import yaml

from dashboards.preview.documents import Document, Json, PreviewError

NO_VALUE = object()
"""What `AWS::NoValue` resolves to: the property is as if it had not been written."""

_PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")
_LITERAL = re.compile(r"\$\{!([^}]+)\}")


class Scope(Protocol):
    """What the functions of one template refer to."""

    def ref(self, name: str) -> Json:
        """The value of a parameter, pseudo parameter or resource."""
        ...

    def attribute(self, logical_id: str, attribute: str) -> str: ...

    def condition(self, name: str) -> bool: ...

    def mapping(self, name: str, first: str, second: str) -> Json: ...


def resolve(node: Json, scope: Scope) -> Json:
    """Replaces every intrinsic function below `node` by its value."""
    if isinstance(node, list):
        return [item for item in (resolve(entry, scope) for entry in node) if item is not NO_VALUE]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        name, argument = next(iter(node.items()))
        if function := _FUNCTIONS.get(name):
            return function(argument, scope)
        if name.startswith("Fn::"):
            message = f"the preview does not implement {name}"
            raise PreviewError(message)
    resolved = {key: resolve(value, scope) for key, value in node.items()}
    return {key: value for key, value in resolved.items() if value is not NO_VALUE}


def _ref(name: str, scope: Scope) -> Json:
    return NO_VALUE if name == "AWS::NoValue" else scope.ref(name)


def _get_att(argument: Json, scope: Scope) -> str:
    logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    return scope.attribute(logical_id, str(resolve(attribute, scope)))


def _sub(argument: Json, scope: Scope) -> str:
    text, variables = (argument, {}) if isinstance(argument, str) else argument
    local = resolve(variables, scope)

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1).strip()
        if name in local:
            return as_text(local[name])
        logical_id, dot, attribute = name.partition(".")
        return scope.attribute(logical_id, attribute) if dot else as_text(scope.ref(name))

    return _LITERAL.sub(r"${\1}", _PLACEHOLDER.sub(value_of, text))


def _join(argument: Json, scope: Scope) -> str:
    delimiter, values = argument
    return str(delimiter).join(as_text(value) for value in resolve(values, scope))


def _select(argument: Json, scope: Scope) -> Json:
    index, values = (resolve(part, scope) for part in argument)
    if not 0 <= int(index) < len(values):
        message = f"Fn::Select: there is no item {index} in a list of {len(values)}"
        raise PreviewError(message)
    return values[int(index)]


def _split(argument: Json, scope: Scope) -> list[str]:
    delimiter, text = (resolve(part, scope) for part in argument)
    return str(text).split(delimiter)


def _if(argument: Json, scope: Scope) -> Json:
    condition, then, otherwise = argument
    return resolve(then if scope.condition(condition) else otherwise, scope)


def _equals(argument: Json, scope: Scope) -> bool:
    left, right = (resolve(part, scope) for part in argument)
    return as_text(left) == as_text(right)


def _condition(node: Json, scope: Scope) -> bool:
    if isinstance(node, dict) and set(node) == {"Condition"}:
        return scope.condition(node["Condition"])
    return bool(resolve(node, scope))


def _find_in_map(argument: Json, scope: Scope) -> Json:
    name, first, second = (as_text(resolve(part, scope)) for part in argument[:3])
    return scope.mapping(name, first, second)


_FUNCTIONS: dict[str, Callable[[Json, Scope], Json]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::Equals": _equals,
    "Fn::And": lambda argument, scope: all(_condition(node, scope) for node in argument),
    "Fn::Or": lambda argument, scope: any(_condition(node, scope) for node in argument),
    "Fn::Not": lambda argument, scope: not _condition(argument[0], scope),
    "Fn::FindInMap": _find_in_map,
    "Fn::ToJsonString": lambda argument, scope: json.dumps(resolve(argument, scope)),
}


def as_text(value: object) -> str:
    """A value as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(as_text(item) for item in value)
    return str(value)


class _TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms; a bare date such as a policy's version stays text."""


_TemplateLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Json]:
    name = tag if tag in {"Ref", "Condition"} else f"Fn::{tag}"
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    return {name: loader.construct_scalar(node)}  # type: ignore[arg-type]  # the last kind of node


_TemplateLoader.add_multi_constructor("!", _short_form)


def load_template(text: str, place: str) -> Document:
    """Parses a template.

    Raises:
        PreviewError: If the text is not YAML or not an object.
    """
    try:
        parsed = yaml.load(text, Loader=_TemplateLoader)  # noqa: S506 - derived from SafeLoader
    except yaml.YAMLError as error:
        message = f"{place} is not YAML: {error}"
        raise PreviewError(message) from error
    if not isinstance(parsed, dict):
        message = f"{place} is not a CloudFormation template"
        raise PreviewError(message)
    return parsed
