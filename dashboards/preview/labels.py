"""What a series is called in a chart: CloudWatch's dynamic labels, and its choice where none is written."""

import re
from collections.abc import Callable, Sequence

from dashboards.preview.metric_store import MetricKey, Series

_PLACEHOLDER = re.compile(r"\$\{\s*(?:PROP\('(?P<property>[^']+)'\)|(?P<word>[A-Z_]+))[^}]*\}")
_SUMMARIES: dict[str, Callable[[list[float]], float]] = {
    "MIN": min,
    "MAX": max,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
    "FIRST": lambda values: values[0],
    "LAST": lambda values: values[-1],
}


def label(written: str, fallback: str, key: MetricKey | None, values: Series) -> str:
    """Fills in `${PROP('Dim.Reason')}`, `${LABEL}`, `${MAX}` and their like; what is unknown stays as it is written."""
    present = [value for value in values if value is not None]

    def fill(match: re.Match[str]) -> str:
        if name := match["property"]:
            return _property(name, key) or match.group()
        if match["word"] == "LABEL":
            return fallback
        summary = _SUMMARIES.get(match["word"])
        if summary is None:
            return match.group()
        return f"{summary(present):.4g}" if present else "no data"

    return _PLACEHOLDER.sub(fill, written) if written else fallback


def _property(name: str, key: MetricKey | None) -> str | None:
    if key is None:
        return None
    if name.startswith("Dim."):
        return dict(key.dimensions).get(name.removeprefix("Dim."))
    return {"MetricName": key.name, "Namespace": key.namespace}.get(name)


def distinct_names(keys: Sequence[MetricKey]) -> list[str]:
    """The shortest names that tell metrics apart: the parts in which they differ."""
    dimensions = [dict(key.dimensions) for key in keys]
    names = sorted({name for found in dimensions for name in found})
    varying = [name for name in names if len({found.get(name) for found in dimensions}) > 1]
    with_metric = len({key.name for key in keys}) > 1 or not varying
    return [
        " ".join([*([key.name] if with_metric else []), *(found[name] for name in varying if name in found)])
        for key, found in zip(keys, dimensions, strict=True)
    ]
