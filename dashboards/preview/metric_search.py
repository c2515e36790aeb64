"""The search expressions of dashboards: `{Namespace,Dimension} MetricName="Name" Dimension=("a" OR "b")`.

A term without a field looks in every name and value. Quoted terms match exactly, others match whole words inside
(`cpu` finds `CPU Time` and `cpu-1`), both without regard to case, as CloudWatch's own search does.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dashboards.preview.documents import PreviewError
from dashboards.preview.metric_store import MetricKey

type Matcher = Callable[[MetricKey], bool]

_SCHEMA = re.compile(r'\s*\{\s*("[^"]*"|[^,}]*?)\s*((?:,\s*(?:"[^"]*"|[^,}"]+?)\s*)*)\}')
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([()=])|([^\s()="]+))')
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def search(expression: str, keys: Iterable[MetricKey]) -> list[MetricKey]:
    """The metrics that match, in a stable order.

    Raises:
        PreviewError: If the expression has no schema or is not well formed.
    """
    schema = _SCHEMA.match(expression)
    if schema is None:
        message = f"the preview needs a search with a schema in braces: {expression!r}"
        raise PreviewError(message)
    namespace = schema.group(1).strip('"')
    names = {part.strip().strip('"') for part in schema.group(2).split(",") if part.strip()}
    matches = _Terms(expression[schema.end() :]).matcher()
    found = (key for key in keys if key.namespace == namespace and {name for name, _ in key.dimensions} == names)
    return sorted((key for key in found if matches(key)), key=str)


@dataclass(frozen=True, slots=True)
class _Term:
    field: str | None
    text: str
    exact: bool

    def __call__(self, key: MetricKey) -> bool:
        values = {"MetricName": key.name, "Namespace": key.namespace, **dict(key.dimensions)}
        candidates = list(values) + list(values.values()) if self.field is None else [values.get(self.field, "")]
        return any(self._fits(candidate) for candidate in candidates)

    def _fits(self, candidate: str) -> bool:
        if self.text == "*":
            return bool(candidate)
        if self.exact:
            return candidate.casefold() == self.text.casefold()
        wanted = [word.casefold() for word in _WORD.findall(self.text)]
        return set(wanted) <= {word.casefold() for word in _WORD.findall(candidate)}


class _Terms:
    """Terms joined by AND (also by standing side by side), OR and NOT."""

    def __init__(self, source: str) -> None:
        self._tokens = [match.group().strip() for match in _TOKEN.finditer(source)]
        self._position = 0

    def matcher(self) -> Matcher:
        if not self._tokens:
            return lambda _key: True
        matcher = self._either(None)
        if self._peek():
            message = f"cannot read the search at {self._peek()!r}"
            raise PreviewError(message)
        return matcher

    def _either(self, field: str | None) -> Matcher:
        options = [self._all(field)]
        while self._accept("OR"):
            options.append(self._all(field))
        return lambda key: any(option(key) for option in options)

    def _all(self, field: str | None) -> Matcher:
        parts = [self._one(field)]
        while self._peek() not in {"", ")", "OR"}:
            self._accept("AND")
            parts.append(self._one(field))
        return lambda key: all(part(key) for part in parts)

    def _one(self, field: str | None) -> Matcher:
        if self._accept("NOT"):
            inner = self._one(field)
            return lambda key: not inner(key)
        if self._accept("("):
            group = self._either(field)
            if not self._accept(")"):
                message = "a parenthesis in the search is not closed"
                raise PreviewError(message)
            return group
        token = self._take()
        if self._accept("="):
            return self._one(token.strip('"'))
        return _Term(field, token.strip('"'), exact=token.startswith('"'))

    def _take(self) -> str:
        token = self._peek()
        if token in {"", ")", "="}:
            message = f"the search lacks a term at {token or 'its end'!r}"
            raise PreviewError(message)
        self._position += 1
        return token

    def _accept(self, token: str) -> bool:
        if self._peek() == token:
            self._position += 1
            return True
        return False

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""
