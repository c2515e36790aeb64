"""Template parameters: defaults, overrides and the checks CloudFormation makes on them."""

import re
from collections.abc import Mapping

from dashboards.preview.documents import Document, PreviewError
from dashboards.preview.intrinsics import as_text

type ParameterValue = str | list[str]


def resolve_parameters(declared: Document, given: Mapping[str, object], place: str) -> dict[str, ParameterValue]:
    """Gives every declared parameter its value.

    Raises:
        PreviewError: For a value that is missing, unknown or not allowed; the value itself is not repeated.
    """
    if unknown := sorted(given.keys() - declared.keys()):
        message = f"{place} declares no parameter {', '.join(unknown)}"
        raise PreviewError(message)
    return {name: _value(name, rules, given, place) for name, rules in declared.items()}


def _value(name: str, rules: Document, given: Mapping[str, object], place: str) -> ParameterValue:
    if name not in given and "Default" not in rules:
        message = f"{place}: parameter {name} has no default; give it a value"
        raise PreviewError(message)
    text = as_text(given.get(name, rules.get("Default")))
    kind = str(rules.get("Type", "String"))
    items = [item.strip() for item in text.split(",")] if kind.startswith(("List<", "CommaDelimitedList")) else [text]
    for item in items:
        _check(name, item, rules, kind, place)
    return items if kind.startswith(("List<", "CommaDelimitedList")) else text


def _check(name: str, text: str, rules: Document, kind: str, place: str) -> None:
    problem = None
    if "AllowedValues" in rules and text not in {as_text(value) for value in rules["AllowedValues"]}:
        problem = f"must be one of {', '.join(as_text(value) for value in rules['AllowedValues'])}"
    elif "AllowedPattern" in rules and not re.fullmatch(str(rules["AllowedPattern"]), text):
        problem = f"must match {rules['AllowedPattern']}"
    elif "Number" in kind:
        problem = _number_problem(text, rules)
    elif not int(rules.get("MinLength", 0)) <= len(text) <= int(rules.get("MaxLength", len(text))):
        problem = "is too short or too long"
    if problem:
        message = f"{place}: parameter {name} {problem}"
        raise PreviewError(message)


def _number_problem(text: str, rules: Document) -> str | None:
    try:
        number = float(text)
    except ValueError:
        return "must be a number"
    low, high = float(rules.get("MinValue", number)), float(rules.get("MaxValue", number))
    return None if low <= number <= high else f"must lie between {low:g} and {high:g}"
