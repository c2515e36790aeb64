"""The alarm that has to ring where the process died and could not tell anything itself, as the stack deploys it."""

from dataclasses import replace
from datetime import timedelta

from dashboards.drill.cloudwatch import CloudWatch
from dashboards.drill.deployment import Deployment
from dashboards.drill.simulated_clock import SimulatedClock
from dashboards.preview.alarm_reading import read_alarms
from dashboards.preview.alarms import AlarmSet
from local.invocation import Invocation

_DEPLOYMENT = Deployment()
VARIABLES = {name: value for name, value in _DEPLOYMENT.rotation.variables.items() if name.startswith("POWERTOOLS_")}
"""The names under which functions write their metrics so that the alarm sees them."""

_ALARMS = read_alarms(_DEPLOYMENT.stack)
_NAME = f"{_DEPLOYMENT.rotation.name}-function-broken"
_LOOKED_AT = timedelta(minutes=15)


def function_broken_rings(invocation: Invocation) -> bool:
    """Whether the alarm rings within a quarter of an hour, for this invocation alone."""
    clock = SimulatedClock()
    alarm = _ALARMS.find(_NAME)
    cloudwatch = CloudWatch(AlarmSet((alarm,)), clock)
    cloudwatch.take(replace(invocation, function_name=_DEPLOYMENT.rotation.name))
    clock.skip(_LOOKED_AT)
    return any(change.after == "ALARM" for change in cloudwatch.evaluate())
