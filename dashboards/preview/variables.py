"""The dropdowns of a dashboard: what they offer, and what choosing a value changes in a widget."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from dashboards.preview.documents import Document
from dashboards.preview.metric_search import search
from dashboards.preview.metric_store import MetricStore

FIRST = "__FIRST"
type Choice = Mapping[str, str]
"""Chosen values by the variables' ids."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. `options` are pairs of label and value; a free input has none."""

    id: str
    label: str
    kind: str
    pattern: str
    input_type: str
    visible: bool
    options: tuple[tuple[str, str], ...]
    default: str | None

    def affects(self, widget: Document) -> bool:
        """Whether choosing a value changes this widget."""
        written = json.dumps(widget, ensure_ascii=False)
        if self.kind == "pattern":
            return re.search(self.pattern, written) is not None
        return re.search(rf'"{re.escape(self.pattern)}"|\b{re.escape(self.pattern)}=', written) is not None


def read_variables(body: Document, store: MetricStore) -> tuple[Variable, ...]:
    """The variables of a dashboard; those with a search offer what is in the store."""
    return tuple(_read(written, store) for written in body.get("variables") or ())


def _read(written: Document, store: MetricStore) -> Variable:
    options = [(str(entry.get("label", entry["value"])), str(entry["value"])) for entry in written.get("values") or ()]
    if "search" in written:
        found = search(str(written["search"]), store.keys())
        values = sorted({dict(key.dimensions).get(written["populateFrom"], "") for key in found} - {""})
        options += [(value, value) for value in values]
    default = written.get("defaultValue")
    if default in (None, FIRST):
        default = options[0][1] if options else None
    return Variable(
        str(written["id"]),
        str(written.get("label", written["id"])),
        str(written["type"]),
        str(written[written["type"]]),
        str(written.get("inputType", "select")),
        bool(written.get("visible", True)),
        tuple(options),
        None if default is None else str(default),
    )


def default_choice(variables: Sequence[Variable]) -> dict[str, str]:
    """What is chosen before anybody chooses."""
    return {variable.id: variable.default for variable in variables if variable.default is not None}


def choices(variables: Sequence[Variable]) -> list[dict[str, str]]:
    """Every combination of values that these variables offer."""
    offered = [[(variable.id, value) for _, value in variable.options] for variable in variables if variable.options]
    return [dict(combination) for combination in product(*offered)]


def key_of(choice: Choice) -> str:
    """A stable name for a combination, the same as the page makes."""
    return "&".join(f"{name}={choice[name]}" for name in sorted(choice))


def apply(widget: Document, variables: Sequence[Variable], choice: Choice) -> tuple[Document, dict[str, str]]:
    """The widget with the chosen values written in, and the dimension values to put into its metrics."""
    written = json.dumps(widget, ensure_ascii=False)
    dimensions: dict[str, str] = {}
    for variable in variables:
        value = choice.get(variable.id)
        if value is None:
            continue
        escaped = json.dumps(value, ensure_ascii=False)[1:-1]
        if variable.kind == "pattern":
            written = re.sub(variable.pattern, lambda _match, text=escaped: text, written)  # type: ignore[misc]
        else:
            dimensions[variable.pattern] = value
            # Inside a search expression the dimension stands as Engine="postgres", its quotes escaped.
            term = rf'(\b{re.escape(variable.pattern)}=\\?["\'])[^"\'\\]*'
            written = re.sub(term, lambda match, text=escaped: match[1] + text, written)  # type: ignore[misc]
    return json.loads(written), dimensions
