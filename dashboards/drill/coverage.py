"""The drill the other way round: what is there that no failure reaches, and what is watched that never comes."""

from collections.abc import Collection, Iterable, Iterator

from dashboards.drill.deployment import Deployment
from dashboards.drill.watched import watched_metrics
from dashboards.preview.alarm_reading import read_alarms
from dashboards.preview.metric_store import MetricKey
from rotation.metrics import DECLARATIONS


def gaps(deployment: Deployment, rang: Collection[str], emitted: Collection[MetricKey]) -> Iterator[str]:
    """Everything that does not fit together, given the alarms that rang and the metrics that came, over all scenarios."""
    yield from (
        f"the alarm {alarm.header.name} was rung by nothing"
        for alarm in read_alarms(deployment.stack).alarms
        if alarm.header.name not in rang
    )
    watched = watched_metrics(deployment.stack)
    yield from (
        f"{key} was emitted by nothing, but is looked at by {', '.join(places)}"
        for key, places in watched.items()
        if key not in emitted
    )
    yield from unwatched(deployment, watched)


def unwatched(deployment: Deployment, watched: Iterable[MetricKey]) -> Iterator[str]:
    """The declared metrics that no alarm and no widget looks at, by dimension set: each is paid for."""
    namespace = deployment.rotation.variables["POWERTOOLS_METRICS_NAMESPACE"]
    seen = {(key.name, frozenset(dict(key.dimensions))) for key in watched if key.namespace == namespace}
    for metric, declaration in DECLARATIONS.items():
        for names in declaration.dimension_sets:
            if (metric.value, frozenset(names)) not in seen:
                yield f"{metric.value} by {', '.join(names)} is emitted, but looked at by no alarm and no widget"
