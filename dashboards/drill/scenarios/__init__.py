"""All scenarios, in the order in which they are run; the first is the deployment."""

from dashboards.drill.scenarios.aws import AWS
from dashboards.drill.scenarios.database import DATABASE
from dashboards.drill.scenarios.fleet import FLEET
from dashboards.drill.scenarios.function import FUNCTION
from dashboards.drill.scenarios.network import NETWORK
from dashboards.drill.scenarios.secrets import SECRETS
from dashboards.drill.scenarios.silence import DEPLOYED, SILENCE
from dashboards.drill.scenarios.watchers import WATCHERS

GROUPS = {
    "Silence: nothing is wrong": (DEPLOYED, *SILENCE),
    "Network and TLS": NETWORK,
    "The database": DATABASE,
    "Secrets": SECRETS,
    "AWS": AWS,
    "The function": FUNCTION,
    "The fleet": FLEET,
    "The watchers, and who watches them": WATCHERS,
}
ALL = tuple(scenario for group in GROUPS.values() for scenario in group)
