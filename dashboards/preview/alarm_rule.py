"""The rule of a composite alarm: `ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA("arn:…"))`."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from dashboards.preview.documents import PreviewError

_TOKEN = re.compile(r"""\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"([^"]*)"|([^\s()"]+))\s*\)|(\w+|[()]))""")


@dataclass(frozen=True, slots=True)
class InState:
    """Holds while the alarm is in the state."""

    state: str
    alarm: str


@dataclass(frozen=True, slots=True)
class Constant:
    """`TRUE` or `FALSE`."""

    holds: bool


@dataclass(frozen=True, slots=True)
class Not:
    """Holds while its operand does not."""

    operand: "Rule"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Operands joined by AND."""

    operands: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Operands joined by OR."""

    operands: tuple["Rule", ...]


type Rule = InState | Constant | Not | AllOf | AnyOf


def parse_rule(text: str) -> Rule:
    """Parses an AlarmRule.

    Raises:
        PreviewError: If the rule is not well formed.
    """
    parser = _RuleParser(text)
    rule = parser.any_of()
    parser.finish()
    return rule


def holds(rule: Rule, state_of: Callable[[str], str]) -> bool:
    """Evaluates a rule; `state_of` is asked with names and ARNs as the rule writes them."""
    match rule:
        case InState(state, alarm):
            return state_of(alarm) == state
        case Constant(truth):
            return truth
        case Not(operand):
            return not holds(operand, state_of)
        case AllOf(operands):
            return all(holds(operand, state_of) for operand in operands)
        case AnyOf(operands):
            return any(holds(operand, state_of) for operand in operands)


def names_in(rule: Rule) -> tuple[str, ...]:
    """The alarms that the rule names, each once, in their order."""
    match rule:
        case InState(_, alarm):
            return (alarm,)
        case Constant():
            return ()
        case Not(operand):
            return names_in(operand)
        case AllOf(operands) | AnyOf(operands):
            return tuple(dict.fromkeys(name for operand in operands for name in names_in(operand)))


class _RuleParser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str | InState] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error(text[position:].strip()[:20])
            state, quoted, bare, word = match.groups()
            self._tokens.append(InState(state, quoted or bare) if state else word)
            position = match.end()
        self._position = 0

    def any_of(self) -> Rule:
        operands = [self._all_of()]
        while self._accept("OR"):
            operands.append(self._all_of())
        return AnyOf(tuple(operands)) if len(operands) > 1 else operands[0]

    def finish(self) -> None:
        if self._position < len(self._tokens):
            raise self._error(self._tokens[self._position])

    def _all_of(self) -> Rule:
        operands = [self._one()]
        while self._accept("AND"):
            operands.append(self._one())
        return AllOf(tuple(operands)) if len(operands) > 1 else operands[0]

    def _one(self) -> Rule:
        if self._accept("NOT"):
            return Not(self._one())
        if self._accept("("):
            inner = self.any_of()
            if not self._accept(")"):
                raise self._error("a parenthesis that is not closed")
            return inner
        if self._accept("TRUE"):
            return Constant(holds=True)
        if self._accept("FALSE"):
            return Constant(holds=False)
        token = self._tokens[self._position] if self._position < len(self._tokens) else "the end"
        if not isinstance(token, InState):
            raise self._error(token)
        self._position += 1
        return token

    def _accept(self, word: str) -> bool:
        if self._position < len(self._tokens) and self._tokens[self._position] == word:
            self._position += 1
            return True
        return False

    def _error(self, token: object) -> PreviewError:
        return PreviewError(f"cannot read the alarm rule {self._text.strip()!r} at {token!r}")
