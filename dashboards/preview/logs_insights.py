"""Logs Insights queries over the log events at hand: fields, filter, parse, stats, sort, dedup, limit, display.

A query is a chain of commands; each takes rows and gives rows. Source: CloudWatch Logs' user guide, "Query syntax".
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dashboards.preview.documents import Document, PreviewError
from dashboards.preview.emf import LogEvent
from dashboards.preview.expressions import Parser
from dashboards.preview.log_expressions import Row, Selection, evaluate, grouped, selections, truth
from dashboards.preview.log_values import LogValue, leaf, number, text

DEFAULT_LIMIT = 10_000
_SOURCES = re.compile(r"""\s*SOURCE\s+((['"])[^'"]+\2(?:\s*,\s*(['"])[^'"]+\3)*)[^|]*(?:\||$)""")
_PLACE = re.compile(r"""(['"])(.*?)\1""")
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
# A bar inside quotes or inside a pattern between slashes ends no command; a slash before a blank is a division.
_COMMAND = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|/(?=\S)(?:[^/\\\n]|\\.)*/(?=[\s)|]|$)|[^|"'])+""")


@dataclass(frozen=True, slots=True)
class Table:
    """A result: the names of the columns, and one list of cells per row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[LogValue, ...], ...]


@dataclass(slots=True)
class _State:
    """The rows on their way through the commands, and which fields the user asked to see."""

    rows: list[Row]
    shown: list[str] = field(default_factory=list)
    limit: int = DEFAULT_LIMIT


def log_groups(query: str) -> list[str]:
    """The log groups that the query of a widget names; none where the query has no SOURCE."""
    match = _SOURCES.match(query)
    return [name for _, name in _PLACE.findall(match.group(1))] if match else []


def run_query(query: str, events: Iterable[LogEvent], start: datetime, end: datetime) -> Table:
    """Runs a query over the events of its log groups between two times.

    Raises:
        PreviewError: For a command or function that is wrong or not implemented here; it is named.
    """
    query = _COMMENT.sub("", query)
    groups = log_groups(query)
    body = query[match.end() :] if (match := _SOURCES.match(query)) else query
    chosen = (event for event in events if start <= event.timestamp <= end and (not groups or event.log_group in groups))
    state = _State([_row(event) for event in sorted(chosen, key=lambda event: event.timestamp)])
    for command in (part.strip() for part in _COMMAND.findall(body) if part.strip()):
        name, _, rest = command.partition(" ")
        if name.lower() not in _COMMANDS:
            message = f"the preview does not implement the Logs Insights command {name!r}"
            raise PreviewError(message)
        _COMMANDS[name.lower()](state, rest)
    columns = state.shown or ["@timestamp", "@message"]
    return Table(tuple(columns), tuple(tuple(row.get(name) for name in columns) for row in state.rows[: state.limit]))


def _row(event: LogEvent) -> Row:
    system: Row = {"@timestamp": event.timestamp, "@message": event.message, "@log": event.log_group}
    return {**dict(_flatten(event.fields)), **system}


def _flatten(fields: Document, prefix: str = "") -> Iterator[tuple[str, LogValue]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", leaf(value)


def _fields(state: _State, rest: str) -> None:
    chosen = selections(Parser(rest))
    _compute(state, chosen)
    state.shown += [selection.name for selection in chosen if selection.name not in state.shown]


def _display(state: _State, rest: str) -> None:
    chosen = selections(Parser(rest))
    _compute(state, chosen)
    state.shown = [selection.name for selection in chosen]


def _compute(state: _State, chosen: Sequence[Selection]) -> None:
    for row in state.rows:
        row.update({selection.name: evaluate(selection.expression, row) for selection in chosen})


def _filter(state: _State, rest: str) -> None:
    condition = Parser(rest).whole()
    state.rows = [row for row in state.rows if truth(evaluate(condition, row))]


def _stats(state: _State, rest: str) -> None:
    parser = Parser(rest)
    wanted = selections(parser)
    keys = selections(parser) if parser.accept("by") else []
    groups: dict[tuple[str, ...], tuple[Row, list[Row]]] = {}
    for row in state.rows:
        values = {key.name: evaluate(key.expression, row) for key in keys}
        identity = tuple(text(value) for value in values.values())
        groups.setdefault(identity, (values, []))[1].append(row)
    if not keys and not groups:
        groups[()] = ({}, [])
    state.rows = [
        values | {selection.name: grouped(selection.expression, rows) for selection in wanted}
        for values, rows in groups.values()
    ]
    state.shown = [selection.name for selection in (*keys, *wanted)]


def _sort(state: _State, rest: str) -> None:
    parser = Parser(rest)
    orders: list[tuple[Selection, bool]] = []
    while not parser.done:
        (selection,) = selections(parser, one=True)
        orders.append((selection, parser.accept("asc", "desc") == "desc"))
        parser.accept(",")
    for selection, descending in reversed(orders):
        expression = selection.expression
        state.rows.sort(key=lambda row: _rank(evaluate(expression, row)), reverse=descending)


def _rank(value: LogValue) -> tuple[int, float, str]:
    """Missing values first, then numbers and times, then text."""
    found = number(value)
    return (0, 0.0, "") if value is None else (1, found, "") if found is not None else (2, 0.0, text(value))


def _limit(state: _State, rest: str) -> None:
    if not rest.strip().isdigit():
        message = f"limit needs a number, not {rest!r}"
        raise PreviewError(message)
    state.limit = int(rest)


def _dedup(state: _State, rest: str) -> None:
    """Keeps the first row of each combination, in the order reached so far."""
    chosen = selections(Parser(rest))
    seen: dict[tuple[str, ...], Row] = {}
    for row in state.rows:
        seen.setdefault(tuple(text(evaluate(selection.expression, row)) for selection in chosen), row)
    state.rows = list(seen.values())


def _parse(state: _State, rest: str) -> None:
    """`parse @message "user * failed" as user`, or a pattern with named groups between slashes."""
    parser = Parser(f"parse {rest}")
    parser.accept("parse")
    source = parser.expression()
    if glob := parser.accept_kind("text"):
        pattern = "(.*?)".join(re.escape(part) for part in glob.split("*")) + ("$" if glob.endswith("*") else "")
    else:
        # Logs Insights writes a named group without the P.
        pattern = re.sub(r"\(\?<(?=\w)", "(?P<", parser.take("pattern"))
    names = [selection.name for selection in selections(parser)] if parser.accept("as") else []
    compiled = re.compile(pattern)
    names = names or list(compiled.groupindex)
    for row in state.rows:
        if match := compiled.search(text(evaluate(source, row))):
            row.update(zip(names, match.groups(), strict=False))
    state.shown += [name for name in names if name not in state.shown]


_COMMANDS: dict[str, Callable[[_State, str], None]] = {
    "dedup": _dedup,
    "display": _display,
    "fields": _fields,
    "filter": _filter,
    "limit": _limit,
    "parse": _parse,
    "sort": _sort,
    "stats": _stats,
}
