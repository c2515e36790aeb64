"""The expressions that metric math and Logs Insights have in common: operators by precedence, calls, lists.

The two languages differ in their functions and in what a name stands for; their evaluators decide that.
"""

from dataclasses import dataclass

from dashboards.preview.documents import PreviewError
from dashboards.preview.tokens import Token, tokenize


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """Text in quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression between slashes."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of a metric, or a log field."""

    value: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list in square brackets."""

    values: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """A sign or `not` before an operand."""

    operator: str
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two operands; `==`, `&&` and `||` stand as `=`, `and` and `or`."""

    operator: str
    left: "Expression"
    right: "Expression"


type Expression = Number | Text | Pattern | Name | Items | Call | Unary | Binary

_PRECEDENCE = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(("=", "!=", "<", "<=", ">", ">=", "like", "=~", "in", "not"), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "%"), 6),
    "^": 7,
}
_NOT, _NEGATE = 3, 6


class Parser:
    """Reads expressions off a list of tokens; the caller reads what stands around them."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokenize(source)
        self._position = 0

    @property
    def done(self) -> bool:
        return self._position >= len(self._tokens)

    def accept(self, *texts: str) -> str | None:
        """Takes the next token if it is one of these words or signs."""
        token = self._peek()
        if token.kind in {"operator", "name"} and token.text.lower() in texts:
            self._position += 1
            return token.text.lower()
        return None

    def take(self, kind: str) -> str:
        token = self._peek()
        if token.kind != kind:
            raise self.error(f"expected a {kind}")
        self._position += 1
        return token.text

    def accept_kind(self, kind: str) -> str | None:
        return self.take(kind) if self._peek().kind == kind else None

    @property
    def position(self) -> int:
        """How many tokens were taken so far."""
        return self._position

    def source_since(self, position: int) -> str:
        """The text of the tokens taken since then, as it was written."""
        return self._source[self._tokens[position].start : self._tokens[self._position - 1].end]

    def error(self, problem: str) -> PreviewError:
        return PreviewError(f"{problem} at {self._peek().text or 'the end'!r} in {self._source.strip()!r}")

    def whole(self) -> Expression:
        """Reads one expression that takes up the whole source."""
        expression = self.expression()
        if not self.done:
            raise self.error("unexpected text")
        return expression

    def expression(self, lowest: int = 0) -> Expression:
        left = self._prefix()
        while (operator := self._infix(lowest)) is not None:
            negated = operator == "not"
            if negated:
                operator = self.accept("like", "in") or ""
                if not operator:
                    raise self.error("expected like or in after not")
            left = Binary(operator, left, self.expression(_PRECEDENCE[operator] + 1))
            left = Unary("not", left) if negated else left
        return left

    def _infix(self, lowest: int) -> str | None:
        token = self._peek()
        if token.kind != "operator" or _PRECEDENCE.get(token.text, -1) < max(lowest, 1):
            return None
        self._position += 1
        return token.text

    def _prefix(self) -> Expression:
        if self.accept("not"):
            return Unary("not", self.expression(_NOT))
        if self.accept("-"):
            return Unary("-", self.expression(_NEGATE))
        if self.accept("("):
            inner = self.expression()
            self._expect(")")
            return inner
        if self.accept("["):
            return Items(self._arguments("]"))
        return self._operand()

    def _operand(self) -> Expression:
        token = self._peek()
        self._position += 1
        match token.kind:
            case "number":
                return Number(float(token.text))
            case "text":
                return Text(token.text)
            case "duration":
                return Name(token.text)
            case "pattern":
                return Pattern(token.text)
            case "name":
                return Call(token.text, self._arguments(")")) if self.accept("(") else Name(token.text)
        self._position -= 1
        raise self.error("expected a value")

    def _arguments(self, closing: str) -> tuple[Expression, ...]:
        arguments: list[Expression] = []
        while not self.accept(closing):
            if arguments:
                self._expect(",")
            # count(*) is the one place where a star stands for itself.
            arguments.append(Name("*") if self.accept("*") else self.expression())
        return tuple(arguments)

    def _expect(self, sign: str) -> None:
        if not self.accept(sign):
            raise self.error(f"expected {sign!r}")

    def _peek(self) -> Token:
        return Token("end", "") if self.done else self._tokens[self._position]
