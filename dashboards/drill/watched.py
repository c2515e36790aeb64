"""What the stack's alarms and dashboards look at: every metric, with its exact dimensions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from dashboards.preview.alarm_reading import read_alarms
from dashboards.preview.dashboard import Dashboard, read_dashboards
from dashboards.preview.metric_array import read_metrics
from dashboards.preview.metric_store import MetricKey, MetricStore
from dashboards.preview.template import Stack
from dashboards.preview.variables import apply, choices, read_variables


def watched_metrics(stack: Stack) -> Mapping[MetricKey, tuple[str, ...]]:
    """Each metric with the alarms and widgets that name it; a widget with dropdowns counts once for every choice."""
    places: dict[MetricKey, list[str]] = defaultdict(list)
    for alarm in read_alarms(stack).metric_alarms():
        for query in alarm.queries:
            if query.key:
                places[query.key].append(f"alarm {alarm.header.name}")
    for dashboard in read_dashboards(stack):
        for key, title in _drawn(dashboard):
            places[key].append(f"widget {dashboard.name}: {title}")
    return {key: tuple(dict.fromkeys(names)) for key, names in places.items()}


def _drawn(dashboard: Dashboard) -> Iterator[tuple[MetricKey, str]]:
    variables = read_variables(dashboard.body, MetricStore())
    for widget in dashboard.body["widgets"]:
        for choice in choices([variable for variable in variables if variable.affects(widget)]):
            changed, dimensions = apply(widget, variables, choice)
            properties = changed["properties"]
            for row in read_metrics(properties.get("metrics") or (), dimensions=dimensions).rows:
                if row.query.key:
                    yield row.query.key, str(properties.get("title", ""))
