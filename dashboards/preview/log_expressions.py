"""Expressions of Logs Insights, evaluated on one row or on a group of rows."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dashboards.preview.documents import PreviewError
from dashboards.preview.expressions import (
    Binary,
    Call,
    Expression,
    Items,
    Name,
    Number,
    Parser,
    Pattern,
    Text,
    Unary,
)
from dashboards.preview.log_values import AGGREGATES, SCALARS, LogValue, bin_of, number, percentile, text

type Row = dict[str, LogValue]


@dataclass(frozen=True, slots=True)
class Selection:
    """One entry of a list of fields: what to compute, and the name of its column."""

    expression: Expression
    name: str


def selections(parser: Parser, *, one: bool = False) -> list[Selection]:
    """Reads `a, b + 1 as c`, up to where the list ends."""
    chosen: list[Selection] = []
    while not chosen or (not one and parser.accept(",")):
        start = parser.position
        expression = parser.expression()
        written = parser.source_since(start)
        named = expression.value if isinstance(expression, Name) else written
        chosen.append(Selection(expression, parser.take("name") if not one and parser.accept("as") else named))
    return chosen


def evaluate(node: Expression, row: Row) -> LogValue:
    """The value of an expression for one row.

    Raises:
        PreviewError: For a function that is not implemented here.
    """
    match node:
        case Number(value) | Text(value):
            return value
        case Name(name):
            return row.get(name)
        case Unary("not", operand):
            return not truth(evaluate(operand, row))
        case Unary("-", operand):
            negated = number(evaluate(operand, row))
            return None if negated is None else -negated
        case Binary(sign, left, right):
            return _binary(sign, left, right, row)
        case Call(function, arguments):
            return _call(function.lower(), arguments, row)
    message = f"Logs Insights cannot use {node} here"
    raise PreviewError(message)


def grouped(node: Expression, rows: Sequence[Row]) -> LogValue:
    """The value of an expression for a group: its aggregates over all rows, arithmetic over those."""
    match node:
        case Call(function, arguments) if function.lower() in {"pct", "percentile"}:
            target, percent = arguments
            share = evaluate(percent, {})
            return percentile(number(share) or 0.0)([evaluate(target, row) for row in rows])
        case Call(function, arguments) if function.lower() in AGGREGATES:
            if not arguments or arguments[0] == Name("*"):
                return float(len(rows))
            return AGGREGATES[function.lower()]([evaluate(arguments[0], row) for row in rows])
        case Call(function, arguments):
            names = {f"_{index}": grouped(argument, rows) for index, argument in enumerate(arguments)}
            return evaluate(Call(function, tuple(Name(name) for name in names)), names)
        case Binary(sign, left, right):
            sides = {"_left": grouped(left, rows), "_right": grouped(right, rows)}
            return evaluate(Binary(sign, Name("_left"), Name("_right")), sides)
    return evaluate(node, rows[0] if rows else {})


def truth(value: LogValue) -> bool:
    """Whether a value lets a row pass a filter."""
    return bool(value) and value not in ("0", "false")


def _call(function: str, arguments: Sequence[Expression], row: Row) -> LogValue:
    if function == "bin" and len(arguments) == 1 and isinstance(arguments[0], Name):
        return bin_of(row.get("@timestamp"), arguments[0].value)
    if function == "datefloor" and isinstance(arguments[-1], Name):
        return bin_of(evaluate(arguments[0], row), arguments[-1].value)
    if function not in SCALARS:
        message = f"the preview does not implement the Logs Insights function {function}"
        raise PreviewError(message)
    return SCALARS[function]([evaluate(argument, row) for argument in arguments])


def _binary(sign: str, left: Expression, right: Expression, row: Row) -> LogValue:
    if sign == "and":
        return truth(evaluate(left, row)) and truth(evaluate(right, row))
    if sign == "or":
        return truth(evaluate(left, row)) or truth(evaluate(right, row))
    subject = evaluate(left, row)
    if sign in {"like", "=~"}:
        return _like(subject, right, row)
    if sign == "in":
        if not isinstance(right, Items):
            message = "in needs a list in square brackets"
            raise PreviewError(message)
        return any(_compare("=", subject, evaluate(item, row)) for item in right.values)
    other = evaluate(right, row)
    if sign in _ARITHMETIC:
        one, two = number(subject), number(other)
        return None if one is None or two is None or (sign in "/%" and not two) else _ARITHMETIC[sign](one, two)
    return _compare(sign, subject, other)


def _like(subject: LogValue, wanted: Expression, row: Row) -> bool:
    if subject is None:
        return False
    if isinstance(wanted, Pattern):
        return re.search(wanted.value, text(subject)) is not None
    return text(evaluate(wanted, row)) in text(subject)


def _compare(sign: str, left: LogValue, right: LogValue) -> bool:
    """As numbers where both are numbers, else as text; a missing field differs from everything."""
    if left is None or right is None:
        return sign == "!=" and left is not right
    one, two = number(left), number(right)
    if one is not None and two is not None:
        return _COMPARE_NUMBERS[sign](one, two)
    return _COMPARE_TEXTS[sign](text(left), text(right))


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "^": operator.pow,
}
_COMPARE_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPARE_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
