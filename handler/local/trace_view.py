"""A trace as a tree beside a time line."""

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from local.demo_report import SpanSeen

# Eighty together, with two between the columns; the name is as long as the longest call is.
_NAME_CELLS, _DURATION_CELLS, _LINE_CELLS = 44, 10, 22
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_STYLES = {"dynamodb": "blue", "secretsmanager": "magenta", "target": "green"}


def trace_table(roots: Sequence[SpanSeen]) -> Table:
    """Draw every span with its duration, and where in the rotation it lies.

    The roots are the invocations. The time between them is the service's and Lambda's, and shows as a gap.
    """
    total_ms = max((span.start_ms + span.duration_ms for span in roots), default=0.0) or 1.0
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True, width=_NAME_CELLS)
    table.add_column(no_wrap=True, width=_DURATION_CELLS, justify="right")
    table.add_column(no_wrap=True, width=_LINE_CELLS)
    for root in roots:
        for branch, span in _walk(root, "", ""):
            label = Text.assemble((branch, "bright_black"), _name(span, is_root=span is root))
            bar = Text(_bar(span, total_ms), _style(span, is_root=span is root))
            table.add_row(label, f"{span.duration_ms:,.1f} ms", bar)
    return table


def _walk(span: SpanSeen, branch: str, indent: str) -> Iterator[tuple[str, SpanSeen]]:
    """Yield the spans top down, each with the line art that leads to it."""
    yield branch, span
    for child in span.children:
        is_last = child is span.children[-1]
        yield from _walk(child, indent + ("└ " if is_last else "├ "), indent + ("  " if is_last else "│ "))


def _name(span: SpanSeen, *, is_root: bool) -> Text:
    if not is_root:
        return Text(span.name, "red" if span.fault else "")
    name = Text(str(span.annotations.get("step", span.name)), "bold")
    return name.append(f"  {span.annotations.get('reason', 'failed')}", "red") if span.fault else name


def _style(span: SpanSeen, *, is_root: bool) -> str:
    if span.fault:
        return "red"
    return "bright_black" if is_root else _STYLES.get(span.name.partition(".")[0], "cyan")


def _bar(span: SpanSeen, total_ms: float) -> str:
    """Draw to an eighth of a character at the end, where length shows; the start is a whole one."""
    scale = _LINE_CELLS / total_ms
    start = min(int(span.start_ms * scale), _LINE_CELLS - 1)
    eighths = max(1, round(span.duration_ms * scale * 8))
    full, rest = divmod(min(eighths, (_LINE_CELLS - start) * 8), 8)
    return " " * start + "█" * full + (_EIGHTHS[rest] if rest else "")
