"""Tokens of the expressions that metric math and Logs Insights have in common."""

import re
from dataclasses import dataclass, replace

from dashboards.preview.documents import PreviewError

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<duration>\d+(?:ms|s|m|h|d|w)\b)
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<quoted>`[^`]*`)
    | (?P<name>[@A-Za-z_][\w@]*(?:\.[\w@]+)*)
    | (?P<operator>&&|\|\||==|!=|<=|>=|=~|[-+*/%^()<>=,\[\]])
    )""",
    re.VERBOSE,
)
_PATTERN = re.compile(r"\s*/((?:[^/\\]|\\.)*)/")
_SYNONYMS = {"&&": "and", "||": "or", "==": "="}
_WORDS = frozenset({"and", "or", "not", "like", "in"})


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `start` and `end` are where it stands in the source."""

    kind: str
    text: str
    start: int = 0
    end: int = 0


def tokenize(source: str) -> list[Token]:
    """Splits an expression.

    Raises:
        PreviewError: At a character that begins no token.
    """
    tokens: list[Token] = []
    position = 0
    while source[position:].strip():
        takes_pattern = bool(tokens) and (tokens[-1].text in {"like", "=~"} or tokens[0].text == "parse")
        if takes_pattern and (match := _PATTERN.match(source, position)):
            tokens.append(Token("pattern", match.group(1).replace(r"\/", "/"), *match.span(1)))
        elif match := _TOKEN.match(source, position):
            kind = str(match.lastgroup)
            tokens.append(replace(_token(kind, match.group(kind)), start=match.start(kind), end=match.end(kind)))
        else:
            message = f"cannot read the expression at {source[position:].strip()[:20]!r}"
            raise PreviewError(message)
        position = match.end()
    return tokens


def _token(kind: str, text: str) -> Token:
    if kind == "text":
        return Token(kind, re.sub(r"\\(.)", r"\1", text[1:-1]))
    if kind == "quoted":
        return Token("name", text[1:-1])
    if kind == "name" and text.lower() in _WORDS:
        return Token("operator", text.lower())
    return Token(kind, _SYNONYMS.get(text, text))
